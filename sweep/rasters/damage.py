"""What of a raster cannot be read: kept in mind where that is allowed, else an error that names it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sweep.rasters.addresses import unsigned, unsigned_in
from sweep.rasters.files import SHOWN, UnreadableError, nested_sources
from sweep.rasters.orientation import Span, Spans

SEQUENTIAL = ("JPEG", "PNG")
"""GDAL's names of formats that are decoded from the top: behind a fault, nothing is data."""


@dataclass(kw_only=True)
class Damage:
    """What is damaged of a raster.

    Attributes:
        path: Its path or address.
        skip_bad: What cannot be read counts as not valid, instead of an error.
        skip_flag: The flag that errors advise, which leaves out what cannot be read; empty for none.
        found: What could not be read, in words; a damaged block once.
        lost_from: The stored row from which on nothing is data; None where that is not so.
        missing: Stored pixels of files that are not there, which are not read.
    """

    path: str
    skip_bad: bool = False
    skip_flag: str = ""
    found: dict[str, None] = field(default_factory=dict)
    lost_from: int | None = None
    missing: tuple[Spans, ...] = ()

    def loses(self, rows: Span) -> bool:
        """Whether some of these stored rows are behind a fault."""
        return self.lost_from is not None and rows[1] > self.lost_from

    def misses(self, rows: Span, columns: Span) -> bool:
        """Whether some of these stored pixels are those of a file that is not there."""
        return any(_meet(rows, area[0]) and _meet(columns, area[1]) for area in self.missing)

    def note_block(self, dataset: Any, row: int, column: int, size: tuple[int, int], error: Exception) -> None:
        """Keep in mind that a block of the file is damaged, or raise.

        Args:
            dataset: An open rasterio dataset.
            row: Which one, in blocks.
            column: Which one, in blocks.
            size: Rows and columns of a block.
            error: What happened when it was read.

        Raises:
            UnreadableError: ``skip_bad`` is not set.
        """
        place, (height, width) = f"block in row {row}, column {column}", size
        if not self.skip_bad:
            raise UnreadableError(
                f"{unsigned(self.path)}: {place} (pixels from row {row * height}, column {column * width}, {height} x "
                f"{width}) cannot be read ({self._cause(error)}); restore the file{self._or_skip('it')}"
            ) from error
        if dataset.driver in SEQUENTIAL:
            self.lost_from = row * height
            place = f"everything from row {row * height} of the file on"
        self.found[place] = None

    def note_once(self, rows: Span, columns: Span, error: Exception) -> None:
        """Keep in mind that a window failed once and did not fail again, or raise.

        Raises:
            UnreadableError: ``skip_bad`` is not set.
        """
        place = f"pixels of rows {rows[0]} to {rows[1]}, columns {columns[0]} to {columns[1]}"
        if not self.skip_bad:
            raise UnreadableError(
                f"{unsigned(self.path)}: {place} could not be read ({self._cause(error)}), and a second time they "
                f"could, so nobody knows what they hold; check where the file is stored and run the same command "
                f"again{self._or_skip('them')}"
            ) from error
        self.found[place] = None

    def refuse_nested(self, dataset: Any, error: Exception) -> None:
        """Refuse a virtual raster of virtual rasters: GDAL keeps those open, so what failed cannot be retried.

        They then show filler where it failed, also to a dataset that is opened again (GDAL 3.10).

        Raises:
            UnreadableError: It is one.
        """
        if nested := nested_sources(dataset):
            shown = ", ".join(nested[:SHOWN])
            raise UnreadableError(
                f"{unsigned(self.path)}: some of it cannot be read ({self._cause(error)}), and nobody can tell which, "
                f"as it shows other virtual rasters ({shown}); restore their files, or take those instead"
            ) from error

    def _or_skip(self, what: str) -> str:
        return f", or {self.skip_flag} leaves {what} out" if self.skip_flag else ""

    def _cause(self, error: Exception) -> str:
        text = unsigned_in(" ".join(str(error.__cause__ or error).split()), self.path)
        return text.partition(" (this error can be turned")[0]


def _meet(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]
