"""What a folder of imagery holds: which layout, which image with which mask."""
