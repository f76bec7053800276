"""CONTRIBUTING's table of what to touch to add something: each line is carried out on a copy of the project."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT, WriteDataset
from tests.toys import TOYS, Toy

PACKAGES = ("trainables", "search_spaces", "sweep")
MOST = 2
"""Source files that an addition may touch."""
MOST_OF = {"a metric": 3}
TABLE = re.compile(r"^\| (an? [^|]+?) \|([^|]*)\|([^|]*)\|$", re.MULTILINE)
ROWS = {
    name: (
        set(re.findall(r"`([\w/]+\.py)`", new)),
        {
            one: file
            for ones, file in re.findall(r"((?:`[A-Z]\w*` and )*`[A-Z]\w*`) in `([\w/]+\.py)`", lists)
            for one in re.findall(r"\w+", ones)
            if one != "and"
        },
    )
    for name, new, lists in TABLE.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
}
"""What is added -> (new files, with ``NAME`` in their paths; name of a list -> the file that holds it)."""


SPACE = """
from optuna.distributions import CategoricalDistribution, FloatDistribution


def space(architecture):
    return {
        "loss": CategoricalDistribution(("toy",)),
        "augmentation": CategoricalDistribution(("TOY",)),
        "decoder_dropout": FloatDistribution(0.0, 0.6),
    }
"""


def insert(text: str, name: str, toy: Toy) -> str:
    """Return a file's text with the toy in the list of a name."""
    start = re.search(rf"^(?:{name}\b.* = |class {name}\b)", text, re.MULTILINE)
    assert start, f"the file has no {name}"
    before, after = text[: start.start()] + toy.above.get(name, ""), text[start.start() :]
    for found, entry in toy.entries[name]:
        place = after.index(found)
        before, after = before + after[:place] + entry, after[place:]
    return before + after


def sources(root: Path) -> set[tuple[str, str]]:
    """Return every source file: its path below a folder, and what it holds."""
    paths = [path for package in PACKAGES for path in (root / package).rglob("*.py")]
    return {(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")) for path in paths}


@dataclass(frozen=True)
class Copy:
    """A copy of the project to which every toy was added.

    Attributes:
        root: Its folder.
        touched: What was added -> the files that this touched.
    """

    root: Path
    touched: dict[str, set[str]]

    def run(self, *words: object, **variables: str) -> str:
        """Run ``python -m ...`` of the copy, and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", *map(str, words)],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(self.root), "COLUMNS": "200", **variables},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    root = tmp_path_factory.mktemp("copy")
    for package in (*PACKAGES, "docs"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    touched: dict[str, set[str]] = {}
    for name, toy in TOYS.items():
        before = sources(root)
        for path, text in toy.files.items():
            (root / path).write_text(text, encoding="utf-8")
        for listed in toy.entries:
            file = root / ROWS[name][1][listed]
            file.write_text(insert(file.read_text(encoding="utf-8"), listed, toy), encoding="utf-8")
        touched[name] = {path for path, _ in sources(root) ^ before}
    return Copy(root, touched)


def test_every_line_of_the_table_is_carried_out() -> None:
    assert set(ROWS) == set(TOYS)


@pytest.mark.parametrize("name", TOYS)
def test_an_addition_touches_what_the_table_says_and_no_more(name: str, copy: Copy) -> None:
    new, lists = ROWS[name]
    assert copy.touched[name] == {path.replace("NAME", "toy") for path in new} | set(lists.values())
    assert len(copy.touched[name]) <= MOST_OF.get(name, MOST)


def test_a_new_command_is_listed_and_runs(copy: Copy) -> None:
    assert "  toy         count toys" in copy.run("sweep")
    assert copy.run("sweep", "toy", "--toys", "5") == copy.run("sweep.toy", "--toys", "5") == "5 toys\n"


def test_labels_of_a_new_format_are_read(copy: Copy, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in "abc":
        Image.fromarray(np.full((64, 64, 3), 90, dtype=np.uint8)).save(tmp_path / "images" / f"{name}.png")
    (tmp_path / "split.toml").write_text('train = ["a"]\nval = ["b"]\ntest = ["c"]\n')
    (tmp_path / "half.toy").write_text("0.5")
    words = ("--src", tmp_path, "--dst", tmp_path / "out", "--split", tmp_path / "split.toml", "--size", 64)
    copy.run("sweep.patches", "make", *words, "--labels", tmp_path / "half.toy")
    with Image.open(tmp_path / "out" / "train" / "masks" / "a.png") as mask:
        assert (np.asarray(mask) > 0).mean(axis=1).tolist() == [1.0] * 32 + [0.0] * 32


@dataclass(frozen=True)
class Swept:
    """A sweep on the copy."""

    folder: Path
    printed: str

    def trial(self, number: int) -> tuple[dict[str, Any], list[dict[str, str]]]:
        """Return the recipe of a trial, by its number in the search, and its epochs."""
        (folder,) = self.folder.glob(f"toy*{number}")
        with (folder / "history.csv").open(newline="") as file:
            return json.loads((folder / "recipe.json").read_text()), list(csv.DictReader(file))


@pytest.fixture(scope="module")
def swept(copy: Copy, tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Swept:
    folder = tmp_path_factory.mktemp("swept")
    patches = write_dataset(folder / "patches")
    (folder / "space.py").write_text(SPACE)
    words = ("--profile", "smoke", "--patches", patches, "--storage", folder, "--name", "toys", "--trials", "2")
    words += ("--max-epochs", "2", "--grace-period", "1")
    words += ("--architectures", "toy", "--space", folder / "space.py", "--halving", "toy", "--sampler", "toy")
    words += ("--toy", folder / "told.txt")
    (copy.root / "toy.py").write_text('"""Stands for the package of the service that the toy tracker writes to."""\n')
    printed = copy.run("sweep.phase2", *words)
    printed += copy.run("sweep.report", "toys", "--storage", folder)
    return Swept(folder / "toys", printed)


def test_a_new_architecture_loss_and_preset_are_trained(swept: Swept) -> None:
    recipe, epochs = swept.trial(1)
    assert (recipe["architecture"], recipe["loss"], recipe["augmentation"]) == ("toy", "toy", "TOY")
    assert all(1000 <= float(epoch["train_loss"]) < 1100 for epoch in epochs)
    assert "Toy net" in swept.printed


def test_a_new_sampler_proposes_and_a_new_policy_stops(swept: Swept) -> None:
    (shared, all_epochs), (recipe, epochs) = swept.trial(0), swept.trial(1)
    assert recipe["decoder_dropout"] == 0.125 != shared["decoder_dropout"]
    assert len(epochs) == 1 < len(all_epochs)


def test_a_new_metric_is_in_the_history_and_on_the_leaderboard(swept: Swept) -> None:
    _, epochs = swept.trial(0)
    assert [float(one["toyness"]) for one in epochs] == pytest.approx([2 * float(one["val_iou"]) for one in epochs])
    with (swept.folder / "leaderboard.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert float(line["toyness"]) == pytest.approx(float(epochs[-1]["toyness"]), abs=1e-4)


def test_a_new_tracker_is_told_of_trials(swept: Swept) -> None:
    told = (swept.folder.parent / "told.txt").read_text().splitlines()
    assert "begin toy-000" in told and "end toy-000 finished" in told
    assert [line for line in told if "toy-001" in line] == ["begin toy-001", "epoch toy-001 1", "end toy-001 stopped"]


def test_a_new_column_is_on_the_leaderboard(swept: Swept) -> None:
    with (swept.folder / "leaderboard.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert line["toys"] == "toy of toy"
    assert "toys" in swept.printed and "toy of toy" in swept.printed


def test_a_new_section_is_on_the_page(swept: Swept) -> None:
    page = (swept.folder / "report.html").read_text(encoding="utf-8")
    assert "Toy section</h2>" in page and "A toy about 1 rows." in page and "toy of toy" in page
