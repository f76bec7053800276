"""The direction of imports, and what may import Ray."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from sweep.commands import ALL

ROOT = Path(__file__).resolve().parents[1]
FORBIDDEN = {"trainables": {"search_spaces", "sweep"}, "search_spaces": {"sweep", "ray", "torch"}}
MODULES = sorted(
    path for package in ("trainables", "search_spaces", "sweep") for path in (ROOT / package).rglob("*.py")
)


def _imported(path: Path) -> set[str]:
    """Return the top-level packages that a module imports anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    assert not _imported(path) & FORBIDDEN.get(package, set())


def test_only_the_tune_trainable_imports_ray_in_trainables() -> None:
    users = {path.name for path in (ROOT / "trainables").rglob("*.py") if "ray" in _imported(path)}
    assert users == {"segmentation.py"}


def test_nothing_but_scoring_and_the_patches_command_names_the_test_split() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) == "scan_split"
        and any(isinstance(argument, ast.Constant) and argument.value == "test" for argument in node.args)
    }
    assert readers == {"sweep/score/command.py"}


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
    "matplotlib",
    "segmentation_models_pytorch",
    "timm",
}


def _loaded(*words: str) -> set[str]:
    """Run a command and return the top-level packages that it loaded."""
    command = [sys.executable, "-X", "importtime", "-m", *words]
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


@pytest.mark.parametrize("subcommand", ["make", "import-pets", "synthesize", "check", "overview", "describe"])
def test_help_of_a_patches_subcommand_loads_nothing_heavy(subcommand: str) -> None:
    assert not _loaded("sweep.patches", subcommand, "--help") & HEAVY


def test_a_plan_builds_no_model(dataset: Path) -> None:
    loaded = _loaded("sweep.phase1", "--profile", "demo", "--plan", "--patches", str(dataset))
    assert not loaded & {"ray", "segmentation_models_pytorch", "timm", "albumentations", "segment_anything"}
