"""``tilesweep phase1``."""
