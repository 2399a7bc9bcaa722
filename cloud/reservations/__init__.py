"""Claims, stays and their conflicts."""
