"""All findings of a dataset, from out-of-fold predictions."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.audit.masks.confident import Thresholds
from sweep.audit.masks.finding import LabelFinding, TileVerdict
from sweep.audit.masks.predicting import KeptProbabilities, Probabilities, UnseenTiles
from sweep.audit.masks.regions import RegionFinder, UsualSize, ranked, share_wrong
from sweep.audit.masks.shifts import back_in_place, find_shift
from sweep.cli.counting import Watch, unwatched
from trainables.data.tiles import Tile
from trainables.task import Task


@dataclass(frozen=True, kw_only=True)
class LabelAudit:
    """What was found.

    Attributes:
        findings: The surest first.
        tiles: A verdict for each tile that was looked at, the surest first.
        thresholds: Class to the mean probability of its labels, in [0, 1].
        predicted: Name of a tile with a finding to the (H, W) classes that are most probable.
    """

    findings: tuple[LabelFinding, ...]
    tiles: tuple[TileVerdict, ...]
    thresholds: dict[str, float]
    predicted: dict[str, NDArray[np.uint8]]


def audit_labels(held_out: Iterable[UnseenTiles], task: Task, tiles: int, watch: Watch = unwatched) -> LabelAudit:
    """Compare labels with out-of-fold predictions.

    Args:
        held_out: Tiles with models that have not seen them; each tile once.
        task: What masks mean.
        tiles: How many there are.
        watch: Shows how far it is.
    """
    thresholds, usual = Thresholds(classes=len(task.classes)), UsualSize()
    looked: list[Tile] = []
    with tempfile.TemporaryDirectory(prefix="tilesweep-") as folder:
        kept = KeptProbabilities(Path(folder))
        predicted = (pair for one in held_out for pair in one.predict())
        for tile, probabilities in watch("predicting out of fold", predicted, tiles):
            kept.add(tile, probabilities)
            thresholds.add(tile.mask, probabilities)
            usual.add(tile.mask, task)
            looked.append(tile)
        finder = RegionFinder(thresholds=thresholds, usual=usual.pixels, task=task)
        found: list[LabelFinding] = []
        verdicts = []
        classes: dict[str, NDArray[np.uint8]] = {}
        for tile in watch("comparing labels", looked, len(looked)):
            probabilities = kept.of(tile)
            own, verdict = _of_tile(tile, probabilities, finder)
            if own:
                classes[tile.name] = probabilities.argmax(axis=0).astype(np.uint8)
            found += own
            verdicts.append(verdict)
    names = zip(task.classes, thresholds.values.tolist(), strict=True)
    return LabelAudit(
        findings=tuple(ranked(found)),
        tiles=tuple(sorted(verdicts, key=lambda one: (-one.score, -one.share, one.tile))),
        thresholds={name: value for name, value in names if value <= 1},
        predicted=classes,
    )


def _of_tile(tile: Tile, probabilities: Probabilities, finder: RegionFinder) -> tuple[list[LabelFinding], TileVerdict]:
    shifted = find_shift(tile, probabilities)
    placed = back_in_place(tile, shifted[1]) if shifted else tile
    found = [*([shifted[0]] if shifted else []), *finder.find(placed, probabilities)]
    share = share_wrong(tile.mask, finder.thresholds.sure_of(probabilities))
    score = max((one.score for one in found), default=0.0)
    return found, TileVerdict(tile=tile.name, findings=len(found), score=score, share=share)
