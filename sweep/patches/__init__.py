"""``tilesweep patches``."""
