"""``tilesweep score``."""
