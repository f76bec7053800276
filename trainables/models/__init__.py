"""The architectures and their weights."""
