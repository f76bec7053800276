"""A sweep from options to its end."""
