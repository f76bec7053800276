"""Planted errors are found in labels, by predictions that are right up to noise; sound labels are left alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyogrio
import pytest
from numpy.typing import NDArray

from sweep.audit.masks.auditing import LabelAudit, audit_labels
from sweep.audit.masks.confident import NOBODY, Thresholds
from sweep.audit.masks.files import findings_csv, write_findings
from sweep.audit.masks.finding import CONFUSED, INVENTED, MISSING, SHIFTED
from sweep.audit.masks.predicting import KeptProbabilities, UnseenTiles
from sweep.rasters.shift import moved
from trainables.data.tiles import Tile
from trainables.task import Task

SIDE = 192
THREE = Task(kind="multiclass", classes=("ground", "roof", "tree"))


def squares(seed: int, count: int = 9) -> NDArray[np.uint8]:
    """Return a mask of squares on a grid, no two of which touch."""
    random = np.random.default_rng(seed)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for place in random.permutation(9)[:count].tolist():
        top, left = (64 * one + int(random.integers(12, 24)) for one in divmod(place, 3))
        mask[top : top + 24, left : left + 24] = 1
    return mask


def tile(name: str, truth: NDArray[np.uint8], mask: NDArray[np.uint8]) -> Tile:
    """Return a tile whose image shows the truth."""
    random = np.random.default_rng(len(name))
    image = (60 + 100 * truth + random.integers(0, 25, truth.shape)).astype(np.uint8)
    return Tile(name=name, image=np.stack([image] * 3, axis=-1), mask=mask)


def probabilities(truth: NDArray[np.uint8], classes: int = 2) -> NDArray[np.float32]:
    """Return what a good model says: the truth, unsure along edges."""
    found = [cv2.GaussianBlur((truth == one).astype(np.float32), (0, 0), 2) for one in range(classes)]
    return (np.stack(found) * 0.9 + 0.1 / classes).astype(np.float32)


class Told(UnseenTiles):
    """Tiles with predictions that are known."""

    def __init__(self, pairs: list[tuple[Tile, NDArray[np.float32]]]) -> None:
        object.__setattr__(self, "pairs", pairs)

    def predict(self) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
        yield from self.pairs  # type: ignore[attr-defined]


def audit(pairs: list[tuple[Tile, NDArray[np.float32]]], task: Task | None = None) -> LabelAudit:
    return audit_labels([Told(pairs)], task or Task(), len(pairs))


def sound(count: int) -> list[tuple[Tile, NDArray[np.float32]]]:
    truths = [squares(number) for number in range(count)]
    return [(tile(f"t{n}", truth, truth), probabilities(truth)) for n, truth in enumerate(truths)]


def test_sound_labels_are_left_alone() -> None:
    found = audit(sound(4))
    assert not found.findings and {one.share for one in found.tiles} == {0.0}


def test_a_removed_and_an_invented_object_come_first_with_their_kind_and_place() -> None:
    pairs = sound(4)
    truth = squares(10, count=6)
    mask = truth.copy()
    numbers = cv2.connectedComponents(truth)[1]
    mask[numbers == 1] = 0
    free = cv2.erode(np.pad(1 - truth, 1), np.ones((31, 31), np.uint8), borderValue=0)[1:-1, 1:-1]
    empty = next(place for place in np.argwhere(free) if place.min() >= 12 and place.max() < SIDE - 12)
    invented = (slice(empty[0] - 10, empty[0] + 10), slice(empty[1] - 10, empty[1] + 10))
    mask[invented] = 1
    found = audit([*pairs, (tile("wrong", truth, mask), probabilities(truth))])
    assert {one.kind for one in found.findings} == {MISSING, INVENTED}
    assert {one.tile for one in found.findings} == {"wrong"} and found.tiles[0].tile == "wrong"
    missing = next(one for one in found.findings if one.kind == MISSING)
    whole = np.zeros_like(truth)
    top, left, bottom, right = missing.box
    whole[top:bottom, left:right] = missing.region
    assert (whole[numbers == 1] > 0).mean() > 0.6 and (whole[numbers != 1] > 0).sum() == 0
    assert "labelled background, but a model that has not seen the tile is sure of foreground" in missing.reason


def test_a_shifted_mask_is_found_by_its_outlines_and_the_prediction_bears_witness() -> None:
    truth = squares(5)
    shifted = moved(truth, 8, 0)
    found = audit([*sound(3), (tile("moved", truth, shifted), probabilities(truth))])
    first = found.findings[0]
    assert (first.tile, first.kind) == ("moved", SHIFTED) and first.score > 0.9
    assert "8 px further left" in first.reason and "so it does the prediction" in first.reason
    assert len([one for one in found.findings if one.tile == "moved"]) == 1  # its objects are where they belong


def test_a_confused_class_is_named() -> None:
    pairs = []
    for number in range(4):
        truth = squares(number)
        numbers = cv2.connectedComponents(truth)[1]
        truth[numbers > 4] = 2
        mask = truth.copy()
        if number == 3:
            mask[numbers == 1] = 2
        pairs.append((tile(f"t{number}", truth, mask), probabilities(truth, 3)))
    (finding,) = audit(pairs, THREE).findings
    assert (finding.kind, finding.labelled, finding.predicted) == (CONFUSED, "tree", "roof")


def test_what_nobody_labelled_is_no_error() -> None:
    truth = squares(2)
    mask = truth.copy()
    mask[cv2.connectedComponents(truth)[1] == 1] = 255
    assert not audit([*sound(2), (tile("ignored", truth, mask), probabilities(truth))]).findings


def test_a_dataset_of_one_class_has_no_findings() -> None:
    empty = np.zeros((SIDE, SIDE), np.uint8)
    found = audit([(tile(f"t{n}", empty, empty), probabilities(empty)) for n in range(2)])
    assert not found.findings and set(found.thresholds) == {"background"}


def test_thresholds_are_the_mean_probability_of_a_class_among_its_labels() -> None:
    thresholds = Thresholds(classes=2)
    mask = np.array([[0, 0, 1, 255]], np.uint8)
    predicted = np.array([[[0.9, 0.7, 0.4, 0.0]], [[0.1, 0.3, 0.6, 1.0]]], np.float32)
    thresholds.add(mask, predicted)
    assert thresholds.values == pytest.approx([0.8, 0.6])
    assert thresholds.sure_of(predicted).tolist() == [[0, NOBODY, 1, 1]]


def test_probabilities_are_kept_to_half_a_percent(tmp_path: Path) -> None:
    kept, (one, predicted) = KeptProbabilities(tmp_path), sound(1)[0]
    kept.add(one, predicted)
    assert np.abs(kept.of(one) - predicted).max() <= 0.0025 + 1e-6


def test_findings_are_a_table_and_outlines_on_the_ground(tmp_path: Path) -> None:
    truth = squares(3)
    mask = np.where(cv2.connectedComponents(truth)[1] == 1, 0, truth).astype(np.uint8)
    found = audit([*sound(2), (tile("wrong", truth, mask), probabilities(truth))]).findings
    assert len(found) == 1 and "wrong,val,missing object" in findings_csv(found, {"wrong": "val"})
    place = {"transform": [0.5, 0.0, 1000.0, 0.0, -0.5, 2000.0], "crs": "EPSG:32633"}
    assert write_findings(found, {"wrong": place}, tmp_path / "f.gpkg")
    frame = pyogrio.read_dataframe(tmp_path / "f.gpkg")
    top, left, bottom, right = found[0].box
    assert frame.crs.to_epsg() == 32633 and frame.kind[0] == MISSING
    assert frame.total_bounds.tolist() == [
        1000 + left / 2, 2000 - bottom / 2, 1000 + right / 2, 2000 - top / 2
    ]  # fmt: skip
    assert frame.area[0] == pytest.approx(found[0].pixels / 4)


def test_outlines_are_in_pixels_where_a_tile_has_no_place(tmp_path: Path) -> None:
    truth = squares(3)
    mask = np.where(cv2.connectedComponents(truth)[1] == 1, 0, truth).astype(np.uint8)
    found = audit([*sound(2), (tile("wrong", truth, mask), probabilities(truth))]).findings
    other = replace(found[0], tile="other")
    place = {"transform": [0.5, 0.0, 1000.0, 0.0, -0.5, 2000.0], "crs": "EPSG:32633"}
    assert not write_findings([*found, other], {"wrong": place, "other": {}}, tmp_path / "f.gpkg")
    frame = pyogrio.read_dataframe(tmp_path / "f.gpkg")
    top, left, bottom, right = found[0].box
    assert frame.crs is None and frame.total_bounds.tolist() == [left, -bottom, right, -top]
