"""Where in a source tiles are cut, and cutting them."""
