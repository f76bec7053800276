"""The picture that compares predictions: image and truth beside them, and what of a tile is scored where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sweep.records.experiment import Experiment
from sweep.records.store import ScoreRow
from sweep.results.figures import CELL, GAP, HEADER, LABEL, KeptPictures, comparison
from sweep.results.statistics import Interval
from tests.reports import begin_experiment
from tests.rows import row_of
from trainables.data.tiles import Tile
from trainables.metrics import ScoredTile, score_mask
from trainables.overlays import encode_prediction
from trainables.task import Task

SIDE = 600


def _tile(folder: Path) -> tuple[Experiment, float]:
    """Keep a tile that was predicted well in its middle alone; returns where, and its IoU."""
    experiment = begin_experiment(folder)
    mask = np.ones((SIDE, SIDE), np.uint8)
    predicted = np.zeros_like(mask)
    inside = slice((SIDE - CELL) // 2, (SIDE + CELL) // 2)
    predicted[inside, inside] = 1
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    image[..., 2] = 200
    tile = Tile(name="v1", image=image, mask=mask)
    scored = ScoredTile(tile=tile, predicted=predicted, score=score_mask("v1", predicted, mask))
    for name, content in encode_prediction(scored).items():
        experiment.write(f"unet/predictions/val/{name}", content)
    return experiment, scored.score.iou


def test_the_crop_that_is_shown_has_a_score_of_its_own(tmp_path: Path) -> None:
    experiment, iou = _tile(tmp_path)
    assert iou == pytest.approx((CELL / SIDE) ** 2)
    assert KeptPictures(experiment, "unet", "val").crop_iou("v1", Task()) == 1.0
    assert KeptPictures(experiment, "fpn", "val").crop_iou("v1", Task()) is None


def test_image_and_truth_stand_beside_the_predictions(tmp_path: Path) -> None:
    experiment, iou = _tile(tmp_path)
    rows = [row_of("unet", Interval(mean=iou)), row_of("fpn", Interval(mean=0.1))]
    scores = [ScoreRow(attempt=name, tile="v1", iou=iou, f1=iou) for name in ("unet", "fpn")]
    page = comparison(experiment, rows, scores, "val", "title")
    assert page is not None and page.size == (GAP + 4 * (CELL + GAP), HEADER + LABEL + CELL + LABEL + GAP)
    pixels = np.asarray(page).astype(int)
    middles = [pixels[HEADER + LABEL + CELL // 2, GAP + column * (CELL + GAP) + CELL // 2] for column in range(4)]
    assert middles[0][2] > 150 > 60 > middles[0][0], "the image, as blue as it is"
    assert (middles[1] == 255).all(), "the truth"
    assert middles[2][1] > middles[2][0], "a hit is green"
    assert (middles[3] == 255).all(), "nothing was kept of the other one"
