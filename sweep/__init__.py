"""Orchestration: each module directly in this package with a ``COMMAND`` is a command."""

__version__ = "0.1.0"
"""The one place of the version: the build reads it here, and so do results of a copy that is not installed."""
