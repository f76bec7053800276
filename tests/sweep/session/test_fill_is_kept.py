"""``--fill``: a sweep records which trainings it added, says so, and a resume keeps them whatever GPUs there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sweep.cli.console import open_output
from sweep.phase1.command import Phase1Options, main
from sweep.planning.plan import SweepPlan
from sweep.planning.resources import ResourceRequest, Resources
from sweep.planning.run import Run
from sweep.ray_tune.runner import RunEnd
from sweep.session import driver, preview, session

ADDED = ["sam_vit_b_conv-2", "sam_vit_b_unet-2"]


def test_what_was_added_is_said_recorded_and_kept(
    monkeypatch: pytest.MonkeyPatch, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gpus, ran = 7, []

    def divide(request: ResourceRequest, trials: int) -> Resources:
        return request.divide(trials=trials, total_cpus=28, total_gpus=gpus)

    @contextmanager
    def cluster(request: ResourceRequest, plan: SweepPlan, *_: object) -> Iterator[Resources]:
        yield divide(request, plan.total)

    def run_trials(run: Run, resources: Resources, *rest: Any) -> RunEnd:
        ran.append(([trial.attempt for trial in run.plan.trials], resources.concurrent))
        return RunEnd(complete=False, limit="--time")

    monkeypatch.setattr(driver, "cluster_for", cluster)
    monkeypatch.setattr(driver, "_run_trials", run_trials)
    for module in (session, preview):
        monkeypatch.setattr(module, "here", divide)

    def phase1(**options: Any) -> str:
        common = {"profile": "smoke", "patches": dataset, "storage": str(tmp_path / "results")}
        assert main(Phase1Options(**{**common, **options}), open_output()) == 0
        return " ".join(capsys.readouterr().out.split())

    said = phase1(plan=True)
    assert "--fill trains the longest again on them" in said and "GPUs have nothing to do for" in said
    said = phase1(plan=True, fill=True)
    assert f"filled: {', '.join(ADDED)} train again with other seeds" in said and "idle, as" not in said

    said = phase1(fill=True)
    assert f"filled {', '.join(ADDED)} train again" in said
    ((names, concurrent),) = ran
    assert names[5:] == ADDED and concurrent == 7
    folder = tmp_path / "results" / "phase1-smoke"
    assert json.loads((folder / "sweep.json").read_text())["filled"] == ADDED
    assert f"rows differ in trainings: {', '.join(ADDED)}." in (folder / "leaderboard.md").read_text()

    gpus = 2
    phase1(resume="phase1-smoke")
    phase1(fill=True)  # the same command again
    assert [names for names, _ in ran[1:]] == [names, names]
