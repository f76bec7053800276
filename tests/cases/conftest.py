"""Fixtures: the real commands."""

from __future__ import annotations

from tests.e2e.conftest import run

__all__ = ["run"]
