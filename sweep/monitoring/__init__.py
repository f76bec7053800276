"""``tilesweep monitoring``."""
