"""What a stay will cost: tariffs, and quotes that stay true until they expire."""
