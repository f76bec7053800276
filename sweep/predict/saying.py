"""A line about what was made of a raster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sweep.cli.durations import duration
from trainables.escaping import visible
from trainables.wording import counted


def made_in_words(name: str, files: Sequence[Path], facts: Mapping[str, Any]) -> str:
    """Name the files of a raster, and say what is in them and how long they took."""
    said = f"{counted(facts['windows'], 'window')} in " if "windows" in facts else ""
    said += duration(facts["seconds"])
    if "polygons" in facts:
        rectangles = f", {facts['rectangles']:,} of them rectangles" if facts.get("rectangles") else ""
        dropped = f", {counted(facts['dropped'], 'smaller one')} dropped" if facts["dropped"] else ""
        said += f"; {counted(facts['polygons'], 'polygon')}{rectangles}, {facts['area_m2']:,.0f} m2{dropped}"
    return visible(f"{name}: {', '.join(file.name for file in files)} ({said})")
