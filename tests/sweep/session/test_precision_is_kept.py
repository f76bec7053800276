"""``precision = auto`` on a CPU: a sweep records what it came to, and a resume keeps it, whatever is measured then."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sweep.cli.console import open_output
from sweep.phase1.command import Phase1Options, main
from sweep.planning.plan import SweepPlan
from sweep.planning.resources import ResourceRequest, Resources
from sweep.planning.run import Run
from sweep.planning.speeds import StepSpeed
from sweep.ray_tune.runner import RunEnd
from sweep.records.trials import TrialPlan
from sweep.session import driver, session
from trainables.data.tiles import TuningData


class Sweeps:
    """Phase 1's command on a CPU that computes bf16, up to where trials would start."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, dataset: Path, folder: Path) -> None:
        self.results = folder / "results"
        self.dataset = dataset
        self.recipes = folder / "recipes.toml"
        self.recipes.write_text('[unet]\nmodel_size = "full"\nmax_epochs = 30\npatience = 30\n')
        self.measured = 0
        self.ratio = 1.5
        self.ran: list[str] = []

        @contextmanager
        def cluster(request: ResourceRequest, plan: SweepPlan, *_: object) -> Iterator[Resources]:
            yield request.divide(trials=plan.total, total_cpus=2, total_gpus=0)

        def run_trials(run: Run, resources: Resources, *rest: Any) -> RunEnd:
            self.ran += [trial.recipe.precision for trial in run.plan.trials]
            return RunEnd(complete=False, limit="--time")

        def speeds(trials: Sequence[TrialPlan], data: TuningData, threads: int) -> Mapping[str, StepSpeed | str]:
            self.measured += 1
            return {trial.recipe.architecture: StepSpeed(fp32=self.ratio, bf16=1.0) for trial in trials}

        drive = driver.drive
        monkeypatch.setattr(driver, "cluster_for", cluster)
        monkeypatch.setattr(driver, "_run_trials", run_trials)
        monkeypatch.setattr("trainables.precision.computes_bf16", lambda: True)
        monkeypatch.setenv("TILESWEEP_CACHE", str(folder / "cache"))
        monkeypatch.setattr(session, "drive", lambda *given: drive(*given, speed_probe=speeds))

    def __call__(self, **options: Any) -> str:
        common = {"profile": "smoke", "patches": self.dataset, "storage": str(self.results)}
        assert main(Phase1Options(**{**common, **options}), open_output()) == 0
        return self.ran[-1]

    def saved(self) -> dict[str, Any]:
        saved: dict[str, Any] = json.loads((self.results / "phase1-smoke" / "sweep.json").read_text())
        return saved


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch, dataset: Path, tmp_path: Path) -> Sweeps:
    return Sweeps(monkeypatch, dataset, tmp_path)


def test_a_sweep_records_its_precision_and_every_resume_keeps_it(
    sweeps: Sweeps, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert sweeps(recipes=sweeps.recipes) == "bf16"
    assert sweeps.saved()["precision"] == {"unet": {"chosen": "bf16", "fp32": 1.5, "bf16": 1.0}}
    assert sweeps.saved()["plan"]["trials"][0]["recipe"]["precision"] == "bf16"
    sweeps.ratio = 0.5  # of another machine
    monkeypatch.setenv("TILESWEEP_CACHE", str(tmp_path / "other"))
    assert sweeps(resume="phase1-smoke") == "bf16"
    assert sweeps(recipes=sweeps.recipes) == "bf16", "the same command again"
    monkeypatch.setattr("trainables.precision.computes_bf16", lambda: False)
    assert sweeps(resume="phase1-smoke") == "bf16"
    assert sweeps.measured == 1


def test_a_sweep_that_began_before_anything_was_measured_stays_as_it_was(sweeps: Sweeps) -> None:
    sweeps(recipes=sweeps.recipes)
    saved = sweeps.saved()
    del saved["precision"]
    saved["plan"]["trials"][0]["recipe"]["precision"] = "auto"
    (sweeps.results / "phase1-smoke" / "sweep.json").write_text(json.dumps(saved))
    assert sweeps(resume="phase1-smoke") == "auto"
    assert sweeps(recipes=sweeps.recipes) == "auto", "the same command again"
    assert "precision" not in sweeps.saved()


def test_stand_ins_and_cpus_without_bf16_are_not_measured(sweeps: Sweeps, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sweeps(architectures=("unet",), name="tiny") == "auto"
    monkeypatch.setattr("trainables.precision.computes_bf16", lambda: False)
    assert sweeps(recipes=sweeps.recipes) == "auto"
    assert sweeps.measured == 0
