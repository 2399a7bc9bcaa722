"""A driver of lotgate in a distribution of its own."""
