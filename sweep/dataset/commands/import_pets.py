"""``python -m sweep.patches import-pets``."""

from __future__ import annotations

from sweep.dataset.options import ImportPets
from sweep.engine.output import Output


def import_pets(options: ImportPets, output: Output) -> None:
    """Import."""
