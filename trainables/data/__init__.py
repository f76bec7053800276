"""Tiles, augmentation and batches."""
