"""Programs that use what tilesweep writes, without tilesweep."""
