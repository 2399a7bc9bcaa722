"""Lots, zones, spots and what of them may be sold."""
