"""Weights files that are damaged, or do not fit what they say of themselves: one line, which names the file."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from safetensors import safe_open

from sweep.export.command import COMMAND as EXPORT
from sweep.predict.command import COMMAND as PREDICT
from sweep.records.weights_file import read_best_weights
from sweep.results.trained_models import find_models
from sweep.score.command import COMMAND as SCORE
from tests.cases.finished import ATTEMPT, finished_experiment, run_here
from tests.conftest import WriteDataset
from tests.models import write_best
from trainables.checkpoints import load_best, load_best_bytes
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError
from trainables.models.registry import ARCHITECTURES, build_model
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.storage import Storage
from trainables.task import Task

Metadata = dict[str, Any]
Tensors = dict[str, torch.Tensor]


def _change(path: Path, change: Callable[[Metadata, Tensors], object]) -> None:
    """Change what a weights file says and holds."""
    with safe_open(path, framework="pt") as file:
        metadata = json.loads(file.metadata()["tilesweep"])
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    change(metadata, tensors)
    safetensors.torch.save_file(tensors, path, {"tilesweep": json.dumps(metadata)})


def _rename(metadata: Metadata, tensors: Tensors) -> None:
    name = sorted(tensors)[0]
    tensors[f"{name}_of_another"] = tensors.pop(name)


def _classes(metadata: Metadata, tensors: Tensors) -> None:
    metadata["task"] = Task(kind="multiclass", classes=tuple(f"c{number}" for number in range(64))).to_dict()


def _nan(metadata: Metadata, tensors: Tensors) -> None:
    for tensor in tensors.values():
        if tensor.is_floating_point():
            tensor.fill_(torch.nan)


def _infinite(metadata: Metadata, tensors: Tensors) -> None:
    next(tensor for name, tensor in tensors.items() if name.endswith("weight")).view(-1)[0] = torch.inf


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Path:
    """A dataset that no test changes."""
    return write_dataset(tmp_path_factory.mktemp("data") / "patches")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, tiles: Path) -> Path:
    """A sound weights file that no test changes."""
    return write_best(tmp_path_factory.mktemp("weights") / "best.safetensors", tiles, "unet")


FAULTS: dict[str, tuple[Callable[[Metadata, Tensors], object], str]] = {
    "a renamed tensor": (_rename, "its tensors do not fit what it says of itself.*missing tensors"),
    "another size": (lambda said, _: said["recipe"].update(model_size="full"), "do not fit what it says of itself"),
    "64 classes": (_classes, "do not fit what it says of itself"),
    "NaN": (_nan, "holds numbers that are not finite, so it predicts nothing"),
    "one infinite weight": (_infinite, "holds numbers that are not finite"),
    "unknown weights": (lambda said, _: said["weights"].update(needs="nonsense"), "weights.needs is 'nonsense'"),
    "an unknown kind": (lambda said, _: said["weights"].update(kind="nonsense"), "weights.kind: Input should be"),
    "an absurd crop": (
        lambda said, _: said["recipe"].update(crop_size=32_000_000),
        "crop_size is 32000000; it must be",
    ),
    "a number as fingerprint": (lambda said, _: said.update(data_fingerprint=5), "data_fingerprint: Input should be"),
    "no epoch": (lambda said, _: said.pop("epoch"), "epoch: Field required"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_weights_that_do_not_fit_are_refused_in_a_line(fault: str, tmp_path: Path, sound: Path) -> None:
    change, said = FAULTS[fault]
    path = Path(shutil.copy(sound, tmp_path))
    _change(path, change)
    with pytest.raises(ExperimentError, match=said) as error:
        load_best(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
    with pytest.raises(ExperimentError, match=r"^city\.safetensors: "):  # as the user calls it
        load_best_bytes(path.read_bytes(), "city.safetensors")


def test_deeply_nested_metadata_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    safetensors.torch.save_file({"a": torch.zeros(1)}, path, {"tilesweep": "[" * 200_000})
    with pytest.raises(ExperimentError, match="not a tilesweep weights file"):
        load_best(path)


@pytest.mark.parametrize("name", ["unet", "sam_vit_b_conv"])
def test_sound_weights_whole_or_without_a_fixed_encoder_are_taken(name: str, tmp_path: Path, tiles: Path) -> None:
    model, _ = load_best(write_best(tmp_path / "best.safetensors", tiles, name))
    weights = Weights(kind="random", needs=ARCHITECTURES[name].needs)
    built = build_model(Recipe(architecture=name, model_size="tiny"), weights)
    assert model.state_dict().keys() == built.state_dict().keys()


def test_flipped_bits_are_found_by_every_command_that_uses_an_experiment(
    tmp_path: Path, tiles: Path, sound: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = tmp_path / "r"
    experiment = finished_experiment(storage, tiles, sound)
    file = storage / "mine" / ATTEMPT / "best.safetensors"
    (chosen,) = find_models(experiment.storage, "mine")
    assert chosen.weights_file == read_best_weights(experiment, ATTEMPT) == file.read_bytes()
    data = bytearray(file.read_bytes())
    data[-5] ^= 1  # the last tensor's mantissa: still a sound file, of slightly other weights
    file.write_bytes(bytes(data))
    load_best(file)
    image = next((tiles / "val/images").iterdir())
    for command, arguments in (
        (PREDICT, (image, "--model", "mine", "--out", tmp_path / "out")),
        (EXPORT, ("--model", "mine", "--out", tmp_path / "x.onnx")),
        (SCORE, ("mine",)),
    ):
        assert run_here(command, *arguments, "--storage", storage) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{file}: was changed or damaged after its training" in line
    assert not (storage / "test_ledger.jsonl").exists()


def test_experiments_of_earlier_versions_recorded_no_checksum(tmp_path: Path, tiles: Path, sound: Path) -> None:
    experiment = finished_experiment(tmp_path / "r", tiles, sound)
    (report,) = [json.loads(line) for line in experiment.read(f"{ATTEMPT}/reports.jsonl").splitlines()]
    del report["best_sha256"]
    experiment.write(f"{ATTEMPT}/reports.jsonl", f"{json.dumps(report)}\n".encode())
    assert read_best_weights(experiment, ATTEMPT)


@pytest.mark.parametrize("name", ["folder.safetensors", "missing.safetensors", "empty.safetensors", "text.safetensors"])
def test_what_is_no_weights_file_is_refused(
    name: str, tmp_path: Path, tiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "empty.safetensors").touch()
    (tmp_path / "text.safetensors").write_text("weights")
    image = next((tiles / "val/images").iterdir())
    assert run_here(PREDICT, image, "--model", tmp_path / name, "--out", tmp_path / "out") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / name) in line


def test_a_trial_records_the_checksum_of_the_weights_that_it_leaves(tmp_path: Path, tiles: Path) -> None:
    from trainables.segmentation import SegmentationTrainable

    recipe = Recipe(model_size="tiny", crop_size=64, draws_per_epoch=2, batch_size=2, max_epochs=1, seed=1)
    folder = Storage.open(str(tmp_path / "trial"))
    folder.create()
    trial = SegmentationTrainable.__new__(SegmentationTrainable)
    trial._trial_info = None
    settings: dict[str, Any] = {
        "attempt": "one",
        "recipe": recipe.to_dict(),
        "weights": {"kind": "none"},
        "tiles": [],
        "until": 10,
        "device": "cpu",
        "compiled": False,
        "trace": False,
        "folder": folder.address,
    }
    trial.setup({"trial": settings}, data=TuningData.read(tiles))
    report = trial.step()
    assert report["finished"]
    assert report["best_sha256"] == hashlib.sha256(folder.read("best.safetensors")).hexdigest()
