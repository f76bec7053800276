"""What a suspicion is, and what finds one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from sweep.cli.counting import Watch
from sweep.patches.checks.checking import Report
from sweep.patches.checks.tiles import CheckedTile
from sweep.patches.look.notes import Notes


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """Why a mask looks wrong.

    Attributes:
        tile: The name of its tile.
        split: Which split that is in.
        mask: Path of the mask inside the dataset.
        kind: The name of what found it.
        why: A sentence's end, to be read after the tile's name.
        weight: How much it matters among those of its kind, in [0, 1].
    """

    tile: str
    split: str
    mask: str
    kind: str
    why: str
    weight: float

    def __str__(self) -> str:
        return f"{self.mask}: {self.why}"


class MaskCheck(Protocol):
    """Finds masks that look wrong in one way.

    Attributes:
        name: What ``Suspicion.kind`` says; a word or two.
        about: What it looks for, in a sentence.
    """

    name: str
    about: str

    def find(self, report: Report, notes: Notes, watch: Watch) -> Iterator[Suspicion]:
        """Look at all tiles.

        Args:
            report: A sound dataset; nothing in it is changed.
            notes: Of its tiles.
            watch: Shows how far it is.

        Yields:
            At most one suspicion for each mask, the same ones each time.
        """


def all_tiles(report: Report) -> list[tuple[str, CheckedTile]]:
    """Return every tile with its split, in the dataset's order."""
    return [(split, files) for split, found in report.splits.items() for files in found]


def suspicion(split: str, files: CheckedTile, kind: str, why: str, weight: float) -> Suspicion:
    """Return what looks wrong about a tile's mask; ``weight`` is cut to [0, 1]."""
    weight = min(1.0, max(0.0, float(weight)))
    return Suspicion(tile=files.name, split=split, mask=files.mask, kind=kind, why=why, weight=weight)
