"""An actor that serves one trial after another, without Ray."""

from __future__ import annotations

import gc
import gzip
import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from trainables.data.tiles import TuningData
from trainables.recipe import Recipe
from trainables.segmentation import TRACE_FILE, SegmentationTrainable


def _config(folder: Path, architecture: str = "unet", *, trace: bool = False, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"crop_size": 64, "draws_per_epoch": 4, "batch_size": 2, "max_epochs": 2}
    recipe = Recipe(architecture=architecture, model_size="tiny", **{**values, **changes})
    return {
        "trial": {
            "attempt": architecture,
            "recipe": recipe.to_dict(),
            "weights": {"kind": "random"},
            "tiles": [],
            "device": "cpu",
            "compiled": False,
            "trace": trace,
            "folder": str(folder),
        }
    }


@pytest.fixture
def data(dataset: Path) -> TuningData:
    return TuningData.read(dataset)


def _actor(data: TuningData, config: dict[str, Any]) -> SegmentationTrainable:
    """Hand the tiles over as ``tune.with_parameters`` does."""

    class Trial(SegmentationTrainable):
        def setup(self, config: dict[str, Any], data: TuningData | None = data) -> None:
            super().setup(config, data)

    return Trial(config)


def _run(actor: SegmentationTrainable) -> dict[str, Any]:
    while not (report := actor.step())["done"]:
        pass
    return report


def test_fifty_trials_leave_no_memory_behind(data: TuningData, tmp_path: Path) -> None:
    process = psutil.Process()
    actor = _actor(data, _config(_folder(tmp_path, 0)))
    held = []
    for number in range(1, 51):
        architecture = "sam_vit_b_conv" if number % 10 == 0 else ("unet", "smp_unet_resnet34")[number % 2]
        actor.reset_config(_config(_folder(tmp_path, number), architecture, max_epochs=1))
        assert _run(actor)["finished"]
        gc.collect()
        held.append(process.memory_info().rss)
    # Allocators keep what they once took, so the first trials grow; a leaked tiny model with its optimizer is 2 MB.
    assert held[-1] - held[19] < 30 * 2**20, [one // 2**20 for one in held]


def _folder(parent: Path, number: int) -> Path:
    folder = parent / str(number)
    folder.mkdir()
    return folder


def test_the_next_trial_finds_the_frozen_encoder_built(data: TuningData, tmp_path: Path) -> None:
    actor = _actor(data, _config(_folder(tmp_path, 0), "sam_vit_b_conv"))
    encoders = []
    for number, architecture in enumerate(("sam_vit_b_conv", "sam_vit_b_unet", "unet", "sam_vit_b_conv"), start=1):
        actor.reset_config(_config(_folder(tmp_path, number), architecture))
        actor.step()
        encoders.append(actor._trainer.model.encoder if actor._trainer else None)
    assert encoders[0] is encoders[1]
    assert encoders[2] is None and encoders[3] is not encoders[0], "a trial without use for it does not hold it"


def test_an_epoch_is_recorded_for_a_trace_viewer(data: TuningData, tmp_path: Path) -> None:
    folder = _folder(tmp_path, 0)
    actor = _actor(data, _config(folder, trace=True))
    actor.step()
    assert not (folder / TRACE_FILE).exists(), "the first epoch allocates and is no example"
    actor.step()
    trace = json.loads(gzip.decompress((folder / TRACE_FILE).read_bytes()))
    names = {event.get("name", "") for event in trace["traceEvents"]}
    assert any("convolution" in name for name in names)
    assert "recording the first steps of epoch 2" in (folder / "trial.log").read_text()
