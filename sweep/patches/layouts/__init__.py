"""What lies in a folder of imagery: which layout, which image with which mask."""
