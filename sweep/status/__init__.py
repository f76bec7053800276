"""``tilesweep status``."""
