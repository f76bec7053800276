"""``tilesweep doctor``."""
