"""``tilesweep phase2``."""
