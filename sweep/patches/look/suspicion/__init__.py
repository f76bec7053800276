"""Masks that look wrong: one file for each kind of suspicion."""
