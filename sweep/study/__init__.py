"""``tilesweep study``."""
