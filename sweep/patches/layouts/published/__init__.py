"""Layouts in which benchmarks and labelling programs publish images with masks."""
