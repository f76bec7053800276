"""``python -m sweep.patches describe``."""

from __future__ import annotations

from sweep.dataset.options import Describe
from sweep.engine.output import Output


def describe(options: Describe, output: Output) -> None:
    """Describe a dataset."""
