"""Parts of rasters: what a split holds, and how a split file names them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sweep.patches.rasters.area import Area
from trainables.data.tiles import SPLITS
from trainables.errors import DataError

SPLIT_FILE = "split.toml"
"""In a dataset that was made: who is in which split, to be edited and given back."""
PART = re.compile(r"(.*?)(?: x=(\d{1,9}):(\d{1,9}))?(?: y=(\d{1,9}):(\d{1,9}))?", re.DOTALL)
"""``NAME x=0:4096 y=0:2048``: columns from 0 to 4095 and rows from 0 to 2047 of a raster."""
Ends = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class RasterPart:
    """A source, or some of its rows and columns.

    Attributes:
        source: The source's name, or a pattern of such names.
        columns: The first column and the one after the last; None for all.
        rows: The same of rows.
    """

    source: str
    columns: Ends | None = None
    rows: Ends | None = None

    def __str__(self) -> str:
        ends = (("x", self.columns), ("y", self.rows))
        return self.source + "".join(f" {axis}={end[0]}:{end[1]}" for axis, end in ends if end)

    @classmethod
    def parse(cls, text: str) -> RasterPart:
        """Read what ``str`` wrote."""
        found = PART.fullmatch(text)
        assert found is not None  # any text is a name
        name, *ends = found.groups()
        return cls(source=name, columns=_ends(*ends[:2]), rows=_ends(*ends[2:]))

    @classmethod
    def of(cls, source: str, area: Area, shape: tuple[int, int]) -> RasterPart:
        """Name an area of a raster of so many rows and columns."""
        rows, columns = (area.top, area.top + area.height), (area.left, area.left + area.width)
        return cls(
            source=source,
            columns=None if columns == (0, shape[1]) else columns,
            rows=None if rows == (0, shape[0]) else rows,
        )

    def area(self, shape: tuple[int, int]) -> Area:
        """Return its place in a raster of so many rows and columns.

        Raises:
            DataError: It is empty, or beyond the raster.
        """
        (top, bottom), (left, right) = self.rows or (0, shape[0]), self.columns or (0, shape[1])
        if not (top < bottom <= shape[0] and left < right <= shape[1]):
            raise DataError(
                f"--split: {str(self)!r} is no part of {self.source}, which is {shape[1]}x{shape[0]}; give x=FIRST:END "
                f"and y=FIRST:END within that"
            )
        return Area(top=top, left=left, height=bottom - top, width=right - left)


def _ends(first: str | None, last: str | None) -> Ends | None:
    return (int(first), int(last)) if first is not None and last is not None else None


def require_apart(splits: Mapping[str, Sequence[tuple[RasterPart, Area]]]) -> None:
    """Refuse parts that share pixels.

    Raises:
        DataError: All pairs that do.
    """
    faults = []
    of_source: dict[str, list[tuple[str, RasterPart, Area]]] = {}
    for split, parts in splits.items():
        for part, area in parts:
            others = of_source.setdefault(part.source, [])
            for other_split, other, other_area in others:
                if _meet(area, other_area):
                    faults.append(
                        f"--split: {str(other)!r} in {other_split} and {str(part)!r} in {split} share pixels; "
                        f"correct their ends"
                    )
            others.append((split, part, area))
    if faults:
        raise DataError(faults)


def _meet(one: Area, other: Area) -> bool:
    top, left = max(one.top, other.top), max(one.left, other.left)
    return bool(top < min(one.rows.stop, other.rows.stop) and left < min(one.columns.stop, other.columns.stop))


def split_toml(splits: Mapping[str, Sequence[RasterPart]], comments: Iterable[str]) -> str:
    """Return a split file: what ``--split FILE`` reads."""
    lines = [f"# {comment}" for comment in comments]
    for split in SPLITS:
        names = "".join(f"    {json.dumps(str(part), ensure_ascii=False)},\n" for part in splits.get(split, ()))
        lines.append(f"{split} = [\n{names}]" if names else f"{split} = []")
    return "\n".join(lines) + "\n"
