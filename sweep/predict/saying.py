"""Lines about what was made of a raster, and about what is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweep.cli.durations import duration
from sweep.cli.output import Output, say
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


def say_removed(names: Iterable[str], output: Output) -> None:
    """Say which files of the folder are gone, since they were made in another way."""
    for name in names:
        say(output.console, "removed", f"{visible(name)}, made in another way")
        output.events.emit("removed", file=name)
