"""Trained models as files for other programs: one module a format, and the comparison that every file must pass."""
