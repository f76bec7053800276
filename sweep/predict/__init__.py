"""``tilesweep predict``."""
