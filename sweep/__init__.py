"""Orchestration: each module directly in this package with a ``main`` is a command."""
