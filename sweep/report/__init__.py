"""``tilesweep report``."""
