"""The rooms of the house: which may import which, and what is done in one of them alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sweep.commands import ALL
from tests import house

ROOT = Path(__file__).resolve().parents[1]
MODULES = house.read(ROOT)
GRAPH = house.imports(MODULES)


def test_packages_import_one_way() -> None:
    assert not house.wrong_package(GRAPH)


def test_rooms_import_lower_ones_alone() -> None:
    assert not house.upward(GRAPH)


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert not house.circle(GRAPH)


def test_ray_is_imported_in_its_room_alone() -> None:
    assert not house.ray_users(GRAPH)


@pytest.mark.parametrize("command", ["audit", "export", "patches", "predict", "report", "status"])
def test_what_reads_results_never_needs_ray(command: str) -> None:
    start = f"sweep.{command}.command"
    assert start in GRAPH and "ray" not in house.reached(GRAPH, start)


def test_test_tiles_are_opened_in_the_sealed_room_alone() -> None:
    assert not house.openers_of_test(MODULES)


def test_a_public_class_name_means_one_thing() -> None:
    assert not house.ambiguous_classes(MODULES)


def test_a_class_name_that_means_two_things_is_found(tmp_path: Path) -> None:
    for room in ("records", "report"):
        (tmp_path / "sweep" / room).mkdir(parents=True)
        (tmp_path / "sweep" / room / "a.py").write_text("class Line: ...\n\nclass _Own: ...")
    assert house.ambiguous_classes(house.read(tmp_path)) == {"Line"}


BREACHES = {
    "a trial that knows a search space": ("trainables/a.py", "import search_spaces.phase1", "wrong_package"),
    "a search space that knows torch": ("search_spaces/a.py", "from torch import nn", "wrong_package"),
    "an upward import": ("sweep/records/a.py", "from sweep.results import b", "upward"),
    "an upward import in a function": ("sweep/cli/a.py", "def f():\n    import sweep.records.b", "upward"),
    "a command's part in another command": ("sweep/report/a.py", "from sweep.status.b import c", "upward"),
    "a command in a room": ("sweep/session/a.py", "from sweep.phase1.command import COMMAND", "upward"),
    "Ray in a command": ("sweep/status/a.py", "def f():\n    from ray import tune", "ray_users"),
    "Ray in the training": ("trainables/training.py", "import ray", "ray_users"),
    "test tiles in a report": ("sweep/report/a.py", "from sweep.sealed.test_tiles import TestTiles", "openers_of_test"),
    "test tiles in a trial": ("trainables/a.py", "tiles.scan_split(root, name, task)", "openers_of_test"),
}


@pytest.mark.parametrize(("file", "text", "rule"), BREACHES.values(), ids=BREACHES)
def test_a_breach_is_found(file: str, text: str, rule: str, tmp_path: Path) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(text)
    modules = house.read(tmp_path)
    assert getattr(house, rule)(modules if rule == "openers_of_test" else house.imports(modules))


def test_a_circle_through_a_function_is_found(tmp_path: Path) -> None:
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "a.py").write_text("import sweep.b")
    (tmp_path / "sweep" / "b.py").write_text("def f():\n    from sweep.a import c")
    assert set(house.circle(house.imports(house.read(tmp_path)))) == {"sweep.a", "sweep.b"}


HEAVY = {
    "torch",
    "torchvision",
    "rasterio",
    "geopandas",
    "pycocotools",
    "scipy",
    "onnx",
    "ray",
    "optuna",
    "cv2",
    "albumentations",
    "segmentation_models_pytorch",
    "timm",
}


def _loaded(*words: str, flag: str = "-m") -> set[str]:
    """Run a command and return the top-level packages that it loaded."""
    command = [sys.executable, "-X", "importtime", flag, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().split(".")[0] for line in lines}


@pytest.mark.parametrize(
    "command",
    ALL.names(),
)
def test_help_loads_nothing_heavy(command: str) -> None:
    loaded = _loaded(f"sweep.{command}", "--help")
    assert "tyro" in loaded and not loaded & HEAVY


@pytest.mark.parametrize("subcommand", ["make", "import-pets", "synthesize", "check", "overview", "sheet", "describe"])
def test_help_of_a_patches_subcommand_loads_nothing_heavy(subcommand: str) -> None:
    assert not _loaded("sweep.patches", subcommand, "--help") & HEAVY


@pytest.mark.parametrize("subcommand", ["labels", "map"])
def test_help_of_an_audit_loads_nothing_heavy(subcommand: str) -> None:
    assert not _loaded("sweep.audit", subcommand, "--help") & HEAVY


def test_listing_architectures_loads_nothing_heavy() -> None:
    listing = "from trainables.models.registry import ARCHITECTURES, get_architecture; get_architecture('unet')"
    loaded = _loaded(listing, flag="-c")
    assert "trainables" in loaded and not loaded & {*HEAVY, "numpy", "peft", "huggingface_hub"}


def test_a_plan_builds_no_model(dataset: Path) -> None:
    loaded = _loaded("sweep.phase1", "--profile", "demo", "--plan", "--patches", str(dataset))
    assert not loaded & {"ray", "segmentation_models_pytorch", "timm", "albumentations", "segment_anything"}
