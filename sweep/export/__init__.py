"""``tilesweep export``."""
