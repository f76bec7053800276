"""``tilesweep completion``."""
