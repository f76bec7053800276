"""Event files: what TensorBoard reads back, and that looking changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.fs as pafs
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from trainables.data.tiles import Tile, TuningData
from trainables.metrics import ScoredTile, score_mask
from trainables.overlays import HIT, MISS, draw_row
from trainables.recipe import Recipe
from trainables.segmentation import SegmentationTrainable
from trainables.storage import Storage
from trainables.tensorboard import EventFiles
from trainables.training import Trainer

RECIPE = Recipe(
    model_size="tiny",
    crop_size=64,
    draws_per_epoch=4,
    batch_size=2,
    max_epochs=3,
    ema_decay=0.5,
    decoder_dropout=0.5,
)


@pytest.fixture
def data(dataset: Path) -> TuningData:
    return TuningData.read(dataset)


def _read(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0}).Reload()


def _run(data: TuningData, folder: Path, observers: tuple[EventFiles, ...], epochs: int) -> list[dict[str, Any]]:
    """Train as Tune would, up to an epoch."""

    class Trial(SegmentationTrainable):
        def setup(self, config: dict[str, Any], **parameters: Any) -> None:
            super().setup(config, data=data, observers=observers)

    folder.mkdir(exist_ok=True)
    trial = {
        "attempt": "unet",
        "recipe": RECIPE.to_dict(),
        "weights": {"kind": "none"},
        "tiles": [],
        "device": "cpu",
        "compiled": False,
        "trace": False,
        "folder": str(folder),
    }
    actor = Trial({"trial": trial})
    reports = []
    for _ in range(epochs):
        reports.append(actor.step())
    actor.cleanup()
    return reports


def test_an_epoch_that_was_lost_is_shown_once(data: TuningData, tmp_path: Path) -> None:
    folder = tmp_path / "unet"
    _run(data, folder, (EventFiles(0),), epochs=2)
    (newest,) = (folder / "state").glob("epoch-00002-*")
    newest.unlink()  # the process died between the event and the state
    reports = _run(data, folder, (EventFiles(0),), epochs=3)
    events = _read(folder / "tensorboard")
    curve = [(event.step, event.value) for event in events.Scalars("train/loss")]
    assert [step for step, _ in curve] == [1, 2, 3]
    assert [value for _, value in curve] == pytest.approx([report["train_loss"] for report in reports], rel=1e-6)
    assert events.Tags()["images"] == [], "none were asked for"


def test_pictures_change_no_training(data: TuningData, tmp_path: Path) -> None:
    plain = _run(data, tmp_path / "plain", (), epochs=3)
    drawn = _run(data, tmp_path / "drawn", (EventFiles(1),), epochs=3)
    for one, other in zip(plain, drawn, strict=True):
        assert (one["train_loss"], one["val_iou"]) == (other["train_loss"], other["val_iou"])
    events = _read(tmp_path / "drawn" / "tensorboard")
    assert [event.step for event in events.Images("val/t4")] == [1, 2, 3]


def test_a_remote_storage_gets_the_file_whole(data: TuningData, tmp_path: Path) -> None:
    bucket = pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem())  # not a local one, as an object store
    folder = Storage(bucket, "unet", "s3://bucket/unet")
    trainer = Trainer(RECIPE, data, torch.device("cpu"))
    files = EventFiles(2)
    files.begin("unet", RECIPE, folder)
    report = trainer.train_epoch()
    for epoch in (1, 2):
        files.epoch(replace(report, epoch=epoch), trainer)
    files.end()
    events = _read(tmp_path / "unet" / "tensorboard")
    assert [(event.step, event.value) for event in events.Scalars("val/iou")] == [
        (epoch, pytest.approx(report.val_iou, rel=1e-6)) for epoch in (1, 2)
    ]
    assert events.Scalars("memory/peak_bytes")[0].value == pytest.approx(report.peak_memory_bytes, rel=1e-6)
    assert [event.step for event in events.Images("val/t5")] == [1, 2]


def test_a_row_shows_image_truth_and_prediction() -> None:
    image = np.full((8, 8, 3), 100, dtype=np.uint8)
    mask = np.zeros((8, 8), dtype=np.uint8)
    mask[:, :4] = 1
    nothing = np.zeros((8, 8), dtype=np.uint8)
    scored = ScoredTile(
        tile=Tile(name="t", image=image, mask=mask), predicted=nothing, score=score_mask("t", nothing, mask)
    )
    row = draw_row(scored, side=8)
    assert row.shape == (8, 24, 3)
    assert (row[:, :8] == 100).all()
    assert row[4, 8 + 1].tolist() == [(100 + colour) // 2 for colour in HIT], "the truth, as if all of it were found"
    assert row[4, 16 + 1].tolist() == [(100 + colour) // 2 for colour in MISS]
    assert row[4, 16 + 6].tolist() == [100, 100, 100]
    assert draw_row(scored, side=4).shape == (4, 12, 3)
