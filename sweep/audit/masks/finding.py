"""What is probably wrong: a region of a tile's mask, or where the whole mask is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MISSING, INVENTED, CONFUSED, SHIFTED = "missing object", "invented object", "other class", "shifted mask"


@dataclass(frozen=True, kw_only=True)
class LabelFinding:
    """A label that is probably wrong.

    Attributes:
        tile: Its name.
        kind: ``missing object``, ``invented object``, ``other class`` or ``shifted mask``.
        reason: In words.
        score: How sure, in [0, 1]: findings are ranked by it, and it is no probability.
        box: First row, first column, and the ones after the last, in pixels of the tile.
        pixels: How many are wrong.
        labelled: What the label says; empty for a shifted mask.
        predicted: What the model is sure of; likewise.
        region: (H, W) bool inside the box: the pixels.
    """

    tile: str
    kind: str
    reason: str
    score: float
    box: tuple[int, int, int, int]
    pixels: int
    labelled: str = ""
    predicted: str = ""
    region: NDArray[np.bool_] = field(repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class TileVerdict:
    """How much of a tile's mask is probably wrong.

    Attributes:
        tile: Its name.
        findings: How many.
        score: Of the surest one, 0 for none.
        share: Of its labelled pixels, those that are surely of another class, in [0, 1].
    """

    tile: str
    findings: int
    score: float
    share: float
