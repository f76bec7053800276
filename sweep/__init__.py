"""Orchestration: each module directly in this package with a ``main`` is a command."""

__version__ = "0.1.0"
