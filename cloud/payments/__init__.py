"""Demands and payments."""
