"""``--gpus-per-trial auto``: a sweep records how many trials share a GPU, and a resume keeps it."""

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
from sweep.session import driver, session
from tests.sweep.planning.fake_probe import FakeProbe, needing


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch, dataset: Path, tmp_path: Path) -> Iterator[Sweeps]:
    """Runs Phase 1's command as on a machine with one GPU of 80 GB, up to where trials would start."""
    yield Sweeps(monkeypatch, dataset, tmp_path / "results")


class Sweeps:
    """Phase 1's command on a fake GPU."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, dataset: Path, results: Path) -> None:
        self.results = results
        self.dataset = dataset
        self.probe = FakeProbe(needing(unet=23))
        self.ran: list[Resources] = []

        @contextmanager
        def cluster(request: ResourceRequest, plan: SweepPlan, *_: object) -> Iterator[Resources]:
            yield request.divide(trials=plan.total, total_cpus=16, total_gpus=1)

        def run_trials(run: Run, resources: Resources, *rest: Any) -> RunEnd:
            self.ran.append(resources)
            return RunEnd(complete=False, limit="--time")

        drive = driver.drive
        monkeypatch.setattr(driver, "cluster_for", cluster)
        monkeypatch.setattr(driver, "_run_trials", run_trials)
        monkeypatch.setattr(
            session, "here", lambda request, trials: request.divide(trials=trials, total_cpus=16, total_gpus=1)
        )
        monkeypatch.setattr(session, "drive", lambda *given: drive(*given, probe=self.probe))

    def __call__(self, **options: Any) -> Resources:
        common = {"profile": "smoke", "patches": self.dataset, "storage": str(self.results)}
        assert main(Phase1Options(**{**common, **options}), open_output()) == 0
        return self.ran[-1]

    def saved(self, name: str = "phase1-smoke") -> dict[str, Any]:
        saved: dict[str, Any] = json.loads((self.results / name / "sweep.json").read_text())
        return saved


def test_a_sweep_records_its_packing_and_a_resume_keeps_it(sweeps: Sweeps, capsys: pytest.CaptureFixture[str]) -> None:
    first = sweeps(gpus_per_trial="auto")
    assert (first.gpus_per_trial, first.concurrent) == (0.3333, 3)
    line = "packing        3 trials per GPU (80.0 GB): unet 23.0 GB at most"
    assert line in capsys.readouterr().out
    assert sweeps.saved()["options"]["gpus_per_trial"] == "auto"
    assert sweeps.saved()["packing"]["share"] == 0.3333

    sweeps.probe.needs = needing(unet=40)  # must not be asked again
    for again in ({"resume": "phase1-smoke"}, {"gpus_per_trial": "auto"}):
        assert sweeps(**again) == first
        assert line in capsys.readouterr().out
    assert sweeps.probe.calls == 1


def test_a_resume_can_override_the_packing(sweeps: Sweeps) -> None:
    sweeps(gpus_per_trial="auto")
    assert sweeps(resume="phase1-smoke", gpus_per_trial="0.5").gpus_per_trial == 0.5
    assert sweeps.saved()["packing"]["share"] == 0.3333
    sweeps.probe.needs = needing(40, unet=23)  # another GPU
    assert sweeps(resume="phase1-smoke", gpus_per_trial="auto").gpus_per_trial == 1.0
    assert sweeps.saved()["packing"]["share"] == 1.0
    assert sweeps.probe.calls == 2


def test_a_number_is_kept_by_a_resume_and_so_is_one_that_an_earlier_version_saved(sweeps: Sweeps) -> None:
    assert sweeps(gpus_per_trial="0.25").concurrent == 4
    assert sweeps(resume="phase1-smoke").gpus_per_trial == 0.25
    saved = sweeps.saved()
    saved["options"]["gpus_per_trial"] = 0.5
    (sweeps.results / "phase1-smoke" / "sweep.json").write_text(json.dumps(saved))
    assert sweeps(resume="phase1-smoke").gpus_per_trial == 0.5
    assert "packing" not in saved and sweeps.probe.calls == 0


def test_experiments_without_packing_are_described_as_ever(sweeps: Sweeps) -> None:
    assert sweeps().gpus_per_trial == 1.0
    assert "packing" not in sweeps.saved()
