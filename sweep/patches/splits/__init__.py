"""Which tile is in which split and of which scene."""
