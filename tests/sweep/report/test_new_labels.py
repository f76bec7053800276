"""Two sweeps, before and after more tiles were labelled: what the new labels brought, on the tiles that stayed."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from sweep.records.experiment import Experiment
from sweep.report.compare import across, comparison
from sweep.report.data import ReportData
from sweep.report.new_labels import new_labels
from sweep.report.next_steps import next_steps
from tests.cases.experiments import write_experiment
from tests.commands import Run

BEFORE = {"unet": (0.30, 0.34, 0.32), "smp_unet_resnet34": (0.70, 0.74, 0.72)}
AFTER = {"unet": (0.40, 0.44, 0.42), "smp_unet_resnet34": (0.70, 0.76, 0.70)}


def _version(storage: Path, name: str, ious: dict[str, Any], train: list[str], **data: Any) -> Experiment:
    experiment = write_experiment(storage, name, val=ious)
    description = experiment.description
    experiment.describe({**description, "data": {**description["data"], "train": train, "fingerprint": name, **data}})
    return experiment


def _read(*experiments: Experiment) -> list[ReportData]:
    return [ReportData.read(one) for one in experiments]


def test_each_model_of_both_has_its_paired_gain(tmp_path: Path) -> None:
    sources = _read(
        _version(tmp_path, "old", BEFORE, ["a", "b"]), _version(tmp_path, "new", AFTER, ["a", "b", "c", "d"])
    )
    for order in (sources, sources[::-1]):
        (found,) = new_labels(order)
        assert (found.tiles, found.earlier.experiment.name, found.later.experiment.name) == (2, "old", "new")
        gains = {one.title: one for one in found.found}
        unet = gains["U-Net from scratch"]
        assert unet.gain.mean == pytest.approx(0.1) and unet.before == pytest.approx(0.32)
        assert unet.gain.low == pytest.approx(0.1), "each tile gained the same"
        other = next(one for title, one in gains.items() if title != "U-Net from scratch")
        assert other.gain.mean == pytest.approx(0.0) and other.gain.low and other.gain.low < 0
        lines = found.lines
        assert lines[0] == "What 2 new train tiles brought (new over old, paired on the same val tiles):"
        assert any("0.320 before, 0.420 after (+0.100" in line and "not certain" not in line for line in lines)
        assert any("0.720 before, 0.720 after" in line and line.endswith("not certain)") for line in lines)
        assert across(order) == f"{lines[0]} {lines[1]}; of 1 other, 1 gained for certain."
        assert not any("old" in step for _, step in next_steps(order))  # what follows, follows on the later version
        assert "->" not in "".join(lines)
        assert any("0.320 before, 0.420 after" in line for line in comparison(order).blocks[0].lines)  # type: ignore[union-attr]


def test_the_command_says_it_of_every_model(tmp_path: Path, here: Run) -> None:
    for name, ious, train in (("old", BEFORE, ["a", "b"]), ("new", AFTER, ["a", "b", "c", "d"])):
        _version(tmp_path, name, ious, train)
    done = here("report", "old", "new", "--storage", tmp_path, COLUMNS="200")
    assert done.returncode == 0, done.stderr
    assert "What 2 new train tiles brought" in done.stdout
    assert "0.320 before, 0.420 after" in done.stdout and "0.720 before, 0.720 after" in done.stdout
    lines = here("report", "old", "new", "--storage", tmp_path, "--json").stdout.splitlines()
    (event,) = [one for one in map(json.loads, lines) if one["event"] == "new_labels"]
    assert (event["earlier"], event["later"], event["tiles"]) == ("old", "new", 2)
    best, other = event["models"]
    assert (best["before"], other["after"]) == (pytest.approx(0.72), pytest.approx(0.42))
    assert other["gain"]["mean"] == pytest.approx(0.1) and best["gain"]["low"] < 0 < best["gain"]["high"]


def test_of_three_versions_the_headline_is_about_the_first_and_the_last(tmp_path: Path) -> None:
    versions = {"v1": ["a"], "v2": ["a", "b"], "v3": ["a", "b", "c"]}
    sources = _read(*(_version(tmp_path, name, BEFORE, train) for name, train in versions.items()))
    for order in permutations(sources):
        assert across(list(order)).startswith("What 2 new train tiles brought (v3 over v1,")


@pytest.mark.parametrize(
    "changes",
    [{"train": ["a", "x", "y"]}, {"train": ["a", "b"]}, {"val": ["v0", "v1", "w"]}, {"metric": "mean IoU"}],
    ids=["other train tiles", "none added", "other val tiles", "another metric"],
)
def test_other_differences_say_nothing_about_labels(tmp_path: Path, changes: dict[str, Any]) -> None:
    train = changes.pop("train", ["a", "b", "c"])
    sources = _read(_version(tmp_path, "old", BEFORE, ["a", "b"]), _version(tmp_path, "new", AFTER, train, **changes))
    assert not new_labels(sources)
