"""The export command as users type it: what it prints, and every mistake in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import Run, assert_refused
from tests.conftest import WriteDataset
from tests.models import write_best
from tests.shared_sweeps import SharedSweep


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Path:
    """A folder with a dataset of 64 pixels and a model of it."""
    folder = tmp_path_factory.mktemp("export")
    write_best(folder / "best.safetensors", write_dataset(folder / "patches"), "unet")
    return folder


def test_a_file_is_written_and_its_use_told(here: Run, folder: Path, tmp_path: Path) -> None:
    done = here("export", "--model", folder / "best.safetensors", "--patches", folder / "patches", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.onnx", "best.onnx.md", "best.onnx.stac.json"]
    for part in ("best.onnx (", "opset 18", "any multiples of 32", "0.5: val IoU", "calibration error", "0 of 8192"):
        assert part in done.stdout
    assert "without us     python -m tilesweep.examples.use_exported best.onnx image.png mask.png" in done.stdout
    again = here("export", "--model", folder / "best.safetensors", "--patches", folder / "patches", cwd=tmp_path)
    assert_refused(again, "--out best.onnx: exists already; choose another name, or say --overwrite")


def test_programs_get_an_event(here: Run, folder: Path, tmp_path: Path) -> None:
    arguments = ("--model", folder / "best.safetensors", "--patches", folder / "patches")
    done = here("export", *arguments, "--format", "safetensors", "--out", tmp_path / "m.safetensors", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["exported", "end"]
    assert events[0]["path"] == str(tmp_path / "m.safetensors")
    assert events[0]["bytes"] == (tmp_path / "m.safetensors").stat().st_size
    assert events[0]["metadata"]["architecture"] == "unet"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--opset", "5"], "--opset 5: 18 to 23 work"),
        (["--opset", "99"], "--opset 99: 18 to 23 work"),
        (["--opset", "18", "--format", "torch"], "--opset 18: belongs to --format onnx"),
        (["--size", "100"], "--size 100: give a multiple of 32"),
        (["--size", "-32"], "--size -32: give a multiple of 32"),
        (["--out", "model.pt2"], "--out model.pt2: must end in .onnx"),
        (["--out", "/proc/model.onnx"], "--out /proc/model.onnx: cannot be written"),
        (["--patches", "nowhere"], "nowhere/train: split folder is missing"),
        (["--model", "nowhere.safetensors"], "--model nowhere.safetensors: cannot be read"),
        (["--model", "phase1"], "--model phase1: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_export_refuses(here: Run, folder: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    given = {"--model": folder / "best.safetensors", "--patches": folder / "patches", "--storage": tmp_path / "none"}
    given |= dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert_refused(here("export", *(word for pair in given.items() for word in pair), cwd=tmp_path), said)
    assert not list(tmp_path.iterdir())


def test_a_weights_file_needs_its_tiles_named(here: Run, folder: Path) -> None:
    assert_refused(here("export", "--model", folder / "best.safetensors"), "name them with --patches DIR")


def test_the_tiles_of_an_experiment_must_be_there(here: Run, scored: SharedSweep, tmp_path: Path) -> None:
    done = here("export", "--model", "phase1-smoke/unet", "--storage", scored.storage, cwd=tmp_path)
    assert_refused(done, f"{scored.patches}/train: split folder is missing")
    assert not list(tmp_path.iterdir())
