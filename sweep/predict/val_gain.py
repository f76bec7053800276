"""What an ensemble, symmetries or another threshold bring on unseen tiles: shown before they are used."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from sweep.records.experiment import Experiment
from sweep.results.ensemble import Ensemble
from sweep.results.statistics import Interval, mean_interval
from trainables.calibration import logit
from trainables.data.tiles import TuningData
from trainables.documents import DamagedError, parse_json
from trainables.errors import StorageError
from trainables.held_out import unseen_tiles
from trainables.losses.base import loss_of
from trainables.scoring import score_split
from trainables.wording import counted

GAINS_FILE = "prediction_gains.json"
"""In the experiment's folder: what was measured once."""


@dataclass(frozen=True, kw_only=True)
class ValGain:
    """Two ways of predicting, on the same tiles.

    Attributes:
        plain: IoU per tile of the leader alone at 0.5.
        chosen: IoU per tile as the user would predict.
        out_of_fold: Whether each tile was predicted by the models of the fold that left it out; else they are val's.
    """

    plain: tuple[float, ...]
    chosen: tuple[float, ...]
    out_of_fold: bool

    @property
    def difference(self) -> Interval:
        """The mean difference, paired by tile, with its 95 % interval."""
        return mean_interval(np.array([self.chosen]) - np.array([self.plain]), bounds=(-1.0, 1.0))

    def __str__(self) -> str:
        gain = self.difference
        ends = "" if gain.low is None else f", 95 % interval {gain.low:+.3f} to {gain.high:+.3f}"
        which = "out-of-fold" if self.out_of_fold else "val"
        return (
            f"{which} IoU {np.mean(self.plain):.3f} -> {np.mean(self.chosen):.3f} "
            f"({gain.mean:+.3f}{ends}, {counted(len(self.plain), 'tile')})"
        )


def measure_gain(ensemble: Ensemble, threshold: float, data: TuningData) -> ValGain:
    """Score the leader alone, and the ensemble as it is to predict; what was measured once is remembered.

    Tiles are those of val. Of a cross-validation they are those of the folds, each predicted by the models of the fold
    that left it out: the others have been trained on it.

    Args:
        ensemble: The models.
        threshold: Probability from which on a pixel is foreground, in (0, 1).
        data: The dataset that they were trained on.
    """
    text = json.dumps([ensemble.hashes, ensemble.fold, ensemble.tta, threshold])
    key = hashlib.sha256(text.encode()).hexdigest()[:24]
    known = _read(ensemble.experiment)
    if key not in known:
        scores = [_score(one, threshold, data) for one in ensemble.by_fold()]
        known[key] = [[iou for one in scores for iou in one[way]] for way in (0, 1)]
        if ensemble.experiment is not None:
            with suppress(StorageError):  # a shared folder that is only read can do without
                ensemble.experiment.write(GAINS_FILE, json.dumps(known).encode())
    plain, chosen = known[key]
    return ValGain(plain=tuple(plain), chosen=tuple(chosen), out_of_fold=bool(ensemble.best.folds))


def _score(ensemble: Ensemble, threshold: float, data: TuningData) -> tuple[list[float], list[float]]:
    """Return the IoU of each unseen tile in both ways."""
    shift = logit(threshold)  # 0 for classes, which have no threshold

    def shifted(images: Tensor) -> Tensor:
        return ensemble.forward(images) - shift

    tiles, recipe = unseen_tiles(ensemble.best, data), ensemble.best.recipe
    loss = loss_of(recipe.replace(class_weights="none"), data.task, ())  # they are for training
    plain, chosen = (
        score_split(ensemble.leader, forward, tiles, recipe, loss, batch_size=ensemble.batch_size)
        for forward in (ensemble.plain, shifted)
    )
    return [tile.iou for tile in plain.tiles], [tile.iou for tile in chosen.tiles]


def _read(experiment: Experiment | None) -> dict[str, list[list[float]]]:
    data = experiment.find_file(GAINS_FILE) if experiment else None
    try:
        known = parse_json(data or b"{}", dict[str, tuple[list[float], list[float]]])
    except DamagedError:  # it is measured again
        return {}
    return {
        key: list(both)
        for key, both in known.items()
        if len(both[0]) == len(both[1]) > 0 and all(0 <= iou <= 1 for one in both for iou in one)
    }
