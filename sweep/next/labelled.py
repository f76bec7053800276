"""The dataset that a model was trained on: what is labelled so far, and what no window may show."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.cli.output import Output, say
from sweep.next.known import TEST, KnownTiles
from sweep.next.looking import Looker
from sweep.rasters.held_out import pixels_sha256
from sweep.results.ensemble import Ensemble
from sweep.sealed.known_test import scored_tiles
from trainables.class_balance import count_classes
from trainables.data.manifest import Manifest
from trainables.data.remote import local_copy
from trainables.data.tiles import SIDE_MULTIPLE, Tile, TuningData
from trainables.errors import DataError
from trainables.storage import Storage
from trainables.task import Task

MOST_LOOKED_AT = 400
"""Labelled tiles that are compared with the windows; of more, evenly spread ones."""


@dataclass(frozen=True, kw_only=True)
class LabelledSet:
    """What is known of the dataset.

    Attributes:
        place: Where it is; None where nobody knows.
        data: Its train and val tiles; None where it cannot be read.
        known: What no window may show.
    """

    place: Path | None
    data: TuningData | None
    known: KnownTiles = field(default_factory=lambda: KnownTiles(None))

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The train tiles; at most so many that they can be compared with windows."""
        tiles = self.data.train if self.data else ()
        step = -(-len(tiles) // MOST_LOOKED_AT) or 1
        return tiles[::step]

    def side(self, default: int) -> int:
        """Return the commonest longer side of a train tile in pixels; ``default`` where nothing is known."""
        sides = Counter(max(tile.shape) // SIDE_MULTIPLE * SIDE_MULTIPLE for tile in self.tiles)
        return sides.most_common(1)[0][0] if sides else default


def open_labelled(ensemble: Ensemble, patches: Path | None, storage: Storage, output: Output) -> LabelledSet:
    """Read the dataset that a model was trained on, where it was then or the user says.

    Raises:
        DataError: The dataset that the user named is damaged, or its images have other bands than the model's.
    """
    recorded = ensemble.experiment.description["data"]["path"] if ensemble.experiment else None
    place = patches or (Path(recorded) if recorded else None)
    files, scored = scored_tiles(storage, output)
    pixels = dict.fromkeys(scored, TEST)
    if place is None:
        say(output.results, "warning", "no dataset is known, so what is labelled is not known: name it by --patches")
        return LabelledSet(place=None, data=None, known=KnownTiles(None, files, pixels))
    try:
        root = local_copy(place, ("train", "val"))
        data, manifest = TuningData.read(root), Manifest.read(root)
    except DataError as error:
        if patches is not None:
            raise
        why = f"{error.faults[0]}; what is labelled is not known: name the dataset by --patches"
        say(output.results, "warning", why)
        return LabelledSet(place=None, data=None, known=KnownTiles(None, files, pixels))
    _require_same(ensemble, data, place)
    for split, tiles in (("val", data.val), ("train", data.train)):
        pixels |= {pixels_sha256(tile.image): split for tile in tiles}
    if manifest is None:
        say(
            output.results,
            "warning",
            f"{place} has no manifest, so its test tiles are not known; patches check writes it",
        )
    return LabelledSet(place=place, data=data, known=KnownTiles(manifest, files, pixels))


def _require_same(ensemble: Ensemble, data: TuningData, place: Path) -> None:
    """Refuse a dataset of other bands or classes than the model's."""
    best = ensemble.best
    if data.imagery != best.imagery:
        raise DataError(
            f"--patches {place}: holds {data.imagery.summary}, and the model sees {best.imagery.summary}; name the "
            f"dataset that it was trained on"
        )
    if data.task.classes != best.task.classes:
        raise DataError(
            f"--patches {place}: has the classes {', '.join(data.task.classes)}, and the model "
            f"{', '.join(best.task.classes)}; name the dataset that it was trained on"
        )


def look_at_labelled(
    labelled: LabelledSet, looker: Looker, task: Task, dimensions: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the (L, D) features of the labelled tiles, and the (L, C) shares of the classes in their masks."""
    tiles, classes = labelled.tiles, len(task.classes)
    if not tiles:
        return np.zeros((0, dimensions), np.float32), np.zeros((0, classes), np.float32)
    shown = ((tile, np.ascontiguousarray(np.moveaxis(tile.image, 2, 0)), np.ones(tile.shape, bool)) for tile in tiles)
    features = np.stack([look.features for _, look in looker.look(shown)])
    counts = np.stack([count_classes(tile, classes) for tile in tiles]).astype(np.float64)
    return features, (counts / counts.sum(axis=1, keepdims=True).clip(min=1)).astype(np.float32)
