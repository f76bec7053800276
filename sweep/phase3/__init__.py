"""``tilesweep phase3``."""
