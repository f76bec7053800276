"""Commands as functions: their options by name, what they refuse as exceptions."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import tilesweep
from tests.commands import ROOT, environment
from tests.rasters import draw_photos

IMAGE = """
import numpy as np
image = np.zeros((96, 128, 3), np.uint8)
"""
MADE = 'tilesweep.make_dataset("photos", "my_tiles", size=64)\n'
AFTERWARDS = """
try:
    tilesweep.score(found.name)
except tilesweep.Error as error:
    print("refused:", error)
"""


def blocks() -> list[str]:
    """Return the code of the page."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text(), re.DOTALL)


def test_a_dataset_is_made_by_options_of_the_command(tmp_path: Path) -> None:
    draw_photos(tmp_path / "photos", 8)
    photos, shares = str(tmp_path / "photos"), [50, 25, 25]
    made = tilesweep.make_dataset(photos, tmp_path / "tiles", size=64, shares=shares, quiet=True)
    assert made == tmp_path / "tiles" and len(list(made.glob("*/images/*"))) == 6
    with pytest.raises(tilesweep.Error, match="exists already"):
        tilesweep.make_dataset(tmp_path / "photos", tmp_path / "tiles")
    with pytest.raises(TypeError, match="there is no option 'sise'; did you mean 'size'"):
        tilesweep.make_dataset(tmp_path / "photos", tmp_path / "other", sise=64)
    with pytest.raises(tilesweep.Error, match="--size"):
        tilesweep.make_dataset(tmp_path / "photos", tmp_path / "other", size=63)


def test_what_the_page_says_runs_and_test_is_read_once(tmp_path: Path) -> None:
    draw_photos(tmp_path / "photos", 8)
    smoke = "import tilesweep\n" + MADE + blocks()[1].replace('profile="demo"', 'profile="smoke"') + AFTERWARDS
    words = [sys.executable, "-c", smoke]
    done = subprocess.run(
        words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "refused: unet: test was read" in done.stdout
    found = tilesweep.open("phase1-smoke", storage=tmp_path / "ray_results")
    assert 0 <= found.best["val_iou"] <= 1 and 0 <= found.best["test_iou"] <= 1
    assert (tmp_path / "ray_results/phase1-smoke/report.html").exists()


def test_what_a_sweep_refuses_is_an_exception(tmp_path: Path) -> None:
    with pytest.raises(tilesweep.Error, match="nowhere"):
        tilesweep.sweep(tmp_path / "nowhere", profile="smoke", storage=tmp_path)
    with pytest.raises(TypeError, match="there is no option 'profil'; did you mean 'profile'"):
        tilesweep.sweep(tmp_path, profil="smoke")
    with pytest.raises(tilesweep.Error, match="nowhere"):
        tilesweep.study(tmp_path / "nowhere", profile="smoke", storage=tmp_path)
    with pytest.raises(TypeError, match="there is no option 'plan'"):
        tilesweep.study(tmp_path, profile="smoke", plan=True)
    assert not list(tmp_path.iterdir())


def test_the_package_is_loaded_without_what_it_needs_later() -> None:
    code = "import sys, tilesweep; print([name for name in ('torch', 'ray', 'optuna') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
