"""Faults and leaks of a dataset."""
