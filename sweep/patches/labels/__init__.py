"""Outlines in place of masks: one module for each format."""
