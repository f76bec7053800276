"""Fits the temperature and the threshold of models to the tiles that they have not seen, and measures what it brings.

What is fitted to all tiles is used, unless the way it is fitted makes probabilities worse: that is measured on tiles
that a temperature was not fitted to: those of each fold by the temperature of the others; without folds, those of each
scene. Neither the expected calibration error nor the log loss of all of them may grow.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sweep.records.calibrations import (
    CalibrationShape,
    ErrorShape,
    keep_calibration,
    read_calibrations,
)
from sweep.results.ensemble import Ensemble
from sweep.results.exported import exported_calibration
from sweep.results.layout import Layout
from sweep.results.trained_models import TrainedModel
from sweep.results.unseen_data import unseen_data, unseen_layout
from trainables.calibration import THRESHOLDS, error_of_bins
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError
from trainables.held_out import unseen_tiles
from trainables.temperature import (
    TileSample,
    best_temperature,
    best_threshold,
    calibrated_threshold,
    mean_ious,
    pixels_of_a_tile,
)
from trainables.windows import predict_by_windows

OUT_OF_FOLD = "out of fold"
ON_VAL = "on val, which chose the epoch, too"
RESAMPLES = 999
"""Of the bootstrap, over scenes."""
Bins = NDArray[np.float64]
"""(tiles, 3, 15): of each tile, see ``count_bins``."""
Groups = NDArray[np.int64]
"""(tiles,) the same number for tiles that belong together."""


def fit_calibration(
    names: Sequence[str], samples: Sequence[TileSample], layout: Layout, *, out_of_fold: bool
) -> CalibrationShape:
    """Fit to all tiles, and measure what that brings.

    Args:
        names: Of the tiles.
        samples: Of each, as a model that has not seen it predicts it.
        layout: Which of them belong together.
        out_of_fold: Whether they are tiles of folds, not those of val.
    """
    scenes = layout.units[0].averaging.argmax(axis=1)
    groups = scenes if layout.folds is None else layout.units[1].averaging.argmax(axis=1)
    fitted = best_temperature(samples)
    before = np.stack([one.bins(1.0) for one in samples])
    pixels = int(before[:, 0].sum())
    found = CalibrationShape(
        temperature=fitted,
        threshold=None,
        measured=OUT_OF_FOLD if out_of_fold else ON_VAL,
        tiles=list(names),
        pixels=pixels,
        before=scene_interval(before, scenes),
    )
    several = len(np.unique(groups)) > 1
    if several:
        temperatures = _of_the_others(best_temperature, samples, groups)
        after = np.stack([one.bins(value) for one, value in zip(samples, temperatures, strict=True)])
        found["after"] = scene_interval(after, scenes)
        found["change"] = scene_interval(np.concatenate([after, before], axis=1), scenes, _change)
        losses = [
            [one.entropy_at(1.0), one.entropy_at(value)] for one, value in zip(samples, temperatures, strict=True)
        ]
        loss_before, loss_after = (np.sum(losses, axis=0) / max(1, pixels)).tolist()
        found |= {"loss_before": loss_before, "loss_after": loss_after}
        if found["change"]["value"] > 0 or loss_after > loss_before:
            found |= {"temperature": 1.0, "not_applied": fitted}
    if samples[0].ious is not None:
        half = float(mean_ious(samples)[THRESHOLDS // 2])
        found |= {"threshold": 0.5, "iou_at_half": half}
        if several:
            places = [round(one * THRESHOLDS) for one in _of_the_others(best_threshold, samples, groups)]
            iou = float(np.mean([mean_ious([one])[place] for one, place in zip(samples, places, strict=True)]))
            found["iou"] = iou
            if iou > half:  # one that is no better on tiles that it was not fitted to is worth nothing
                found["threshold"] = calibrated_threshold(best_threshold(samples), found["temperature"])
    return found


def _of_the_others(
    fit: Callable[[Sequence[TileSample]], float], samples: Sequence[TileSample], groups: Groups
) -> list[float]:
    """Return of each tile what is fitted to the tiles of the other groups."""
    fitted = {
        group: fit([one for one, other in zip(samples, groups, strict=True) if other != group])
        for group in np.unique(groups)
    }
    return [fitted[group] for group in groups]


def _change(bins: Bins) -> float:
    """Return the error of the first three rows less that of the others."""
    return error_of_bins(bins[:3]) - error_of_bins(bins[3:])


def scene_interval(bins: Bins, scenes: Groups, statistic: Callable[[Bins], float] = error_of_bins) -> ErrorShape:
    """Return an error and its 95 % interval, by the bias-corrected bootstrap over scenes (Efron 1987, BCa)."""
    from scipy.stats import bootstrap

    sums = np.stack([bins[scenes == scene].sum(axis=0) for scene in np.unique(scenes)])
    value = statistic(sums.sum(axis=0))
    if len(sums) < 2:
        return {"value": value, "low": None, "high": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # all scenes alike: it is not a number
        found = bootstrap(
            (np.arange(len(sums)),),
            lambda drawn: statistic(sums[drawn].sum(axis=0)),
            n_resamples=RESAMPLES,
            vectorized=False,
            method="BCa",
            rng=np.random.default_rng(0),
        ).confidence_interval
    ends = [float(end) if np.isfinite(end) else None for end in (found.low, found.high)]
    return {"value": value, "low": ends[0], "high": ends[1]}


def find_calibration(chosen: Sequence[TrainedModel], ensemble: Ensemble, patches: Path | None) -> CalibrationShape:
    """Return the calibration of models: remembered, or in an exported file, or fitted now.

    Args:
        chosen: The models. Those that were trained on all tiles have the calibration of the folds that they follow.
        ensemble: The same, loaded.
        patches: Where the dataset is; None for where it was.

    Raises:
        ExperimentError: It is not known, and cannot be fitted.
        DataError: The dataset that the user named is not the one, or is damaged.
    """
    alone = len(chosen) == 1 and not ensemble.tta and ensemble.fold is None
    if alone and ensemble.experiment is None and (found := exported_calibration(chosen[0].weights_file)) is not None:
        return found
    if ensemble.best.refit:
        folds = [one.folds() for one in chosen]
        ensemble = Ensemble.load(folds, device=ensemble.device.type, batch_size=ensemble.batch_size, tta=ensemble.tta)
    key = _key(ensemble)
    if (known := read_calibrations(ensemble.experiment).get(key)) is not None:
        return known
    data = unseen_data(ensemble, patches)
    if isinstance(data, str):
        raise ExperimentError(f"--calibrated: cannot be fitted: {data}")
    found = calibrate(ensemble, data)
    keep_calibration(ensemble.experiment, key, found)
    return found


def _key(ensemble: Ensemble) -> str:
    text = json.dumps([ensemble.hashes, ensemble.fold, ensemble.tta])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def calibrate(ensemble: Ensemble, data: TuningData) -> CalibrationShape:
    """Fit the calibration of models as they predict together.

    Args:
        ensemble: Those that have tiles which they have not seen: not of a training on all tiles.
        data: The dataset that they were trained on.
    """
    members = [(one, unseen_tiles(one.best, data)) for one in ensemble.by_fold()]
    most = pixels_of_a_tile(sum(len(tiles) for _, tiles in members), ensemble.best.task.channels)
    names, samples = [], []
    for one, tiles in members:
        images = [torch.tensor(tile.image).permute(2, 0, 1) for tile in tiles]
        predicted = predict_by_windows(one.forward, images, window=one.window, batch_size=one.batch_size)
        for tile, logits in zip(tiles, predicted, strict=True):
            names.append(tile.name)
            samples.append(TileSample.of(logits, tile.mask, most))
    return fit_calibration(
        names, samples, unseen_layout(ensemble.experiment, ensemble.best, names), out_of_fold=bool(ensemble.best.folds)
    )
