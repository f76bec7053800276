"""What an ensemble, symmetries or another threshold bring on val: shown before they are used."""

from __future__ import annotations

import hashlib
import json
import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from sweep.predict.ensemble import Ensemble
from sweep.records.experiment import Experiment
from sweep.results.statistics import Interval, mean_interval
from trainables.data.tiles import TuningData
from trainables.documents import DamagedError, parse_json
from trainables.errors import DataError, StorageError
from trainables.losses.base import loss_of
from trainables.scoring import score_split

GAINS_FILE = "prediction_gains.json"
"""In the experiment's folder: what was measured once."""


@dataclass(frozen=True, kw_only=True)
class ValGain:
    """Two ways of predicting, on the same val tiles.

    Attributes:
        plain: IoU a tile of the leader alone at 0.5.
        chosen: IoU a tile as the user wants to predict.
    """

    plain: tuple[float, ...]
    chosen: tuple[float, ...]

    @property
    def difference(self) -> Interval:
        """The mean difference, paired by tile, with its 95 % interval."""
        return mean_interval(np.array([self.chosen]) - np.array([self.plain]), bounds=(-1.0, 1.0))

    def __str__(self) -> str:
        gain = self.difference
        ends = "" if gain.low is None else f", 95 % interval {gain.low:+.3f} to {gain.high:+.3f}"
        return (
            f"val IoU {np.mean(self.plain):.3f} -> {np.mean(self.chosen):.3f} "
            f"({gain.mean:+.3f}{ends}, {len(self.plain)} tiles)"
        )


def measure_gain(ensemble: Ensemble, threshold: float, data: TuningData) -> ValGain:
    """Score the leader alone, and the ensemble as it is to predict, on val; what was measured once is remembered.

    Args:
        ensemble: The models.
        threshold: Probability from which on a pixel is foreground, in (0, 1).
        data: The dataset that they were trained on.
    """
    text = json.dumps([ensemble.hashes, ensemble.tta, threshold])
    key = hashlib.sha256(text.encode()).hexdigest()[:24]
    known = _read(ensemble.experiment)
    if key not in known:
        shift = math.log(threshold / (1 - threshold))  # 0 for classes, which have no threshold

        def shifted(images: Tensor) -> Tensor:
            return ensemble.forward(images) - shift

        loss = loss_of(ensemble.best.recipe, data.task, data.train, ensemble.device)
        for forward in (ensemble.plain, shifted):
            score = score_split(
                ensemble.leader, forward, data.val, ensemble.best.recipe, loss, batch_size=ensemble.batch_size
            )
            known.setdefault(key, []).append([tile.iou for tile in score.tiles])
        if ensemble.experiment is not None:
            with suppress(StorageError):  # a shared folder that is only read can do without
                ensemble.experiment.write(GAINS_FILE, json.dumps(known).encode())
    plain, chosen = known[key]
    return ValGain(plain=tuple(plain), chosen=tuple(chosen))


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


def val_data(ensemble: Ensemble, patches: Path | None) -> TuningData | str:
    """Read the tiles that an ensemble was trained on, where they lay then or the user says, or say why not.

    Raises:
        DataError: The dataset that the user named is not the one, or is damaged.
    """
    folder = patches or (Path(ensemble.experiment.description["data"]["path"]) if ensemble.experiment else None)
    if folder is None:
        return "name the dataset with --patches"
    try:
        data = TuningData.read(folder)
    except DataError as error:
        if patches is not None:
            raise
        return f"{error.faults[0]}; name the dataset with --patches"
    if data.fingerprint != ensemble.best.data_fingerprint:
        if patches is not None:
            raise DataError(f"--patches {patches}: not the dataset that the model was trained on; name the right one")
        return f"{folder}: has changed since the sweep; name the dataset with --patches"
    return data
