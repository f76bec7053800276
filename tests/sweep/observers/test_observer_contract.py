"""Every observer gets the same sweep through Tune's callback: a failure, a crash, a pause, a resume with replay."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient
from rich.console import Console

from sweep.cli.output import Events
from sweep.observers.event_stream import EventStream
from sweep.observers.mlflow import MlflowRuns
from sweep.observers.observer import Observer
from sweep.observers.progress import Progress
from sweep.observers.recorder import Recorder
from sweep.observers.tracking import Background
from sweep.ray_tune.callback import ObserverCallback
from sweep.records.trials import TrialPlan, TrialRecords
from tests.reports import begin_experiment, epoch_of, final_of, plan_of
from trainables.recipe import Recipe
from trainables.report import EpochReport, TrialReport

RECIPE = Recipe(max_epochs=3)
PLANS = [plan_of(name, study="unet", recipe=RECIPE) for name in ("ends", "fails", "crashes", "pauses", "cut")]
EPOCHS = {"ends": [1, 2, 3], "fails": [1], "crashes": [1], "pauses": [1, 2], "cut": [1, 2]}
"""Epochs that each trial trains over both runs."""


class FakeWandb(ModuleType):
    """What of W&B's client is used; it keeps what a server would have."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.steps: dict[str, dict[int, dict[str, float]]] = defaultdict(dict)
        self.open: set[str] = set()
        self.codes: dict[str, int] = {}
        self.down = False

    def Settings(self, **named: Any) -> dict[str, Any]:
        return named

    def init(self, *, id: str, **named: Any) -> Any:
        if self.down:
            raise ConnectionError("https://me:secret@wandb/ does not answer")
        assert id not in self.open, "a run is open once"
        self.open.add(id)
        steps = self.steps[id]

        def log(values: dict[str, float], step: int) -> None:
            assert values.keys().isdisjoint(steps.get(step, {})), "no number is logged twice"
            steps.setdefault(step, {}).update(values)

        def finish(exit_code: int = 0) -> None:
            self.open.remove(id)
            self.codes[id] = exit_code

        return SimpleNamespace(step=max(steps, default=-1) + 1, log=log, finish=finish)


class Made:
    """An experiment and the observers of one kind, anew for every run."""

    def __init__(self, folder: Path, kind: str, wandb: FakeWandb) -> None:
        self.folder = folder
        self.experiment = begin_experiment(folder, *PLANS)
        self.kind, self.wandb = kind, wandb
        self.text, self.events = io.StringIO(), io.StringIO()

    def observer(self, records: TrialRecords) -> Observer:
        if self.kind == "recorder":
            return Recorder(self.experiment, records)
        if self.kind == "progress":
            return Progress(len(PLANS), 2, records.all(), Console(file=self.text, width=200))
        if self.kind == "events":
            return EventStream(Events(self.events))
        if self.kind == "mlflow":
            return Background(MlflowRuns(self.mlflow, self.experiment))
        from sweep.observers.wandb import WandbRuns

        return Background(WandbRuns("roofs", self.experiment))

    @property
    def mlflow(self) -> str:
        return f"sqlite:///{self.folder}/mlflow.db"

    def told(self) -> dict[str, list[int]]:
        """Return the epochs of each trial that the observer has passed on."""
        found: dict[str, list[int]] = defaultdict(list)
        if self.kind == "progress":
            for line in self.text.getvalue().splitlines():
                if "  epoch " in line:
                    found[line.split()[0]].append(int(line.split()[2].partition("/")[0]))
        if self.kind == "events":
            for event in map(json.loads, self.events.getvalue().splitlines()):
                if event["event"] == "epoch":
                    found[event["attempt"]].append(event["epoch"])
        if self.kind == "mlflow":
            client = MlflowClient(tracking_uri=self.mlflow)
            experiment = client.get_experiment_by_name("e")
            for run in client.search_runs([experiment.experiment_id]):
                points = client.get_metric_history(run.info.run_id, "val_iou")
                found[run.info.run_name] += sorted(point.step for point in points)
        if self.kind == "wandb":
            for name, steps in self.wandb.steps.items():
                found[name.removeprefix("e-")] += list(steps)
        return found


KINDS = ("recorder", "progress", "events", "mlflow", "wandb")
TOLD = [kind for kind in KINDS if kind != "recorder"]


@contextmanager
def _wandb() -> Iterator[FakeWandb]:
    fake = FakeWandb()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "wandb", fake)
        patch.delitem(sys.modules, "sweep.observers.wandb", raising=False)
        yield fake
    sys.modules.pop("sweep.observers.wandb", None)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Made]]:
    """Give a function that returns what an observer of a kind made of the sweep."""
    folder = tmp_path_factory.mktemp("swept")
    done: dict[str, Made] = {}

    def get(kind: str) -> Made:
        if kind not in done:
            done[kind] = Made(folder / kind, kind, fake)
            _sweep(done[kind])
        return done[kind]

    with _wandb() as fake:
        yield get


class Tune:
    """Says to a callback what Ray Tune would."""

    def __init__(self, observers: list[Observer], records: TrialRecords) -> None:
        self._callback = ObserverCallback(observers, records.plan)
        self._callback.setup()

    def start(self, attempt: str) -> Any:
        trial = SimpleNamespace(config={"trial": {"attempt": attempt}}, last_result={}, error_file=None)
        self._callback.on_trial_start(0, [], trial)
        return trial

    def report(self, trial: Any, report: TrialReport | str, *, replayed: bool = False, paused: bool = False) -> None:
        values = {"halted": report} if isinstance(report, str) else report.to_dict()
        trial.last_result = {**values, "replayed": replayed, "paused": paused, "time_total_s": 9.0}
        self._callback.on_trial_result(0, [], trial, trial.last_result)
        self._callback.on_step_end(0, [])

    def complete(self, trial: Any) -> None:
        self._callback.on_trial_complete(0, [], trial)

    def crash(self, trial: Any, file: Path) -> None:
        file.write_text("Traceback\nRuntimeError: gone\n")
        trial.error_file = str(file)
        self._callback.on_trial_error(0, [], trial)

    def end(self) -> None:
        self._callback.on_experiment_end([])
        self._callback.close()


def _sweep(made: Made) -> None:
    """Run a sweep that is interrupted, and resume it."""

    def epoch(number: int) -> TrialReport:
        return TrialReport(epoch=epoch_of(number))

    records = TrialRecords(made.experiment)
    tune = Tune([made.observer(records)], records)
    failing = tune.start("fails")
    tune.report(failing, epoch(1))
    tune.report(failing, TrialReport(failure="loss is nan"))
    tune.complete(failing)
    crashing = tune.start("crashes")
    tune.report(crashing, epoch(1))
    tune.crash(crashing, made.folder / "error.txt")
    pausing = tune.start("pauses")
    tune.report(pausing, epoch(1), paused=True)
    tune.complete(pausing)
    pausing = tune.start("pauses")
    tune.report(pausing, epoch(1), replayed=True)
    tune.report(pausing, epoch(2))
    tune.complete(pausing)
    cut, ending = tune.start("cut"), tune.start("ends")
    tune.report(cut, epoch(1))
    tune.report(ending, epoch(1))
    tune.report(ending, "the storage is gone")
    tune.end()  # while two trials run; what "ends" trains meanwhile is in its folder alone
    records = TrialRecords(made.experiment)
    tune = Tune([made.observer(records)], records)
    cut, ending = tune.start("cut"), tune.start("ends")
    tune.report(cut, epoch(1), replayed=True)
    tune.report(cut, epoch(2))
    cut = tune.start("cut")  # its worker was lost
    for number in (1, 2):
        tune.report(cut, epoch(number), replayed=True)
    tune.complete(cut)
    tune.report(ending, epoch(1), replayed=True)
    tune.report(ending, epoch(2))
    tune.report(ending, TrialReport(epoch=epoch_of(3), final=final_of(0.55)))
    tune.complete(ending)
    tune.end()


@pytest.mark.parametrize("kind", TOLD)
def test_no_epoch_is_told_twice_and_none_is_lost(
    swept: Callable[[str], Made], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert swept(kind).told() == EPOCHS
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING], "nothing failed"


def test_the_record_says_how_each_trial_ended(swept: Callable[[str], Made]) -> None:
    made = swept("recorder")
    found = {record.plan.attempt: (record.state, record.reason) for record in TrialRecords(made.experiment).all()}
    assert found == {
        "ends": ("finished", ""),
        "fails": ("failed", "loss is nan"),
        "crashes": ("failed", "RuntimeError: gone"),
        "pauses": ("stopped", ""),
        "cut": ("stopped", ""),
    }
    assert made.experiment.read("crashes/error.txt").startswith(b"Traceback")


def test_people_and_programs_hear_of_every_end(swept: Callable[[str], Made]) -> None:
    made = swept("progress")
    text = made.text.getvalue()
    for line in ("fails  failed: loss is nan", "crashes  crashed; crashes/error.txt says why"):
        assert line in text
    assert "pauses  paused after epoch 1" in text and "pauses  stopped after epoch 2" in text
    made = swept("events")
    events = [json.loads(line) for line in made.events.getvalue().splitlines()]
    (end,) = [one for one in events if one["event"] == "trial_ended" and one["attempt"] == "ends"]
    assert (end["outcome"], end["epoch"], end["best_val_iou"], end["val_iou"]) == ("finished", 3, 0.3, 0.55)
    reasons = {one["attempt"]: one["reason"] for one in events if one["event"] == "trial_failed"}
    assert reasons == {"fails": "loss is nan", "crashes": "crashed; crashes/error.txt says why"}


def test_trackers_have_one_run_an_attempt_with_its_end(swept: Callable[[str], Made]) -> None:
    made = swept("mlflow")
    client = MlflowClient(tracking_uri=made.mlflow)
    runs = {run.info.run_name: run for run in client.search_runs([client.get_experiment_by_name("e").experiment_id])}
    ends = {name: (run.info.status, run.data.tags["tilesweep.outcome"]) for name, run in runs.items()}
    assert ends == {
        "ends": ("FINISHED", "finished"),
        "fails": ("FAILED", "loss is nan"),
        "crashes": ("FAILED", "crashed; crashes/error.txt says why"),
        "pauses": ("FINISHED", "stopped"),
        "cut": ("FINISHED", "stopped"),
    }
    assert runs["ends"].data.metrics["final_val_iou"] == 0.55 and runs["ends"].data.params["draw"] == "0"
    wandb = swept("wandb").wandb
    assert not wandb.open
    assert wandb.codes == {"e-ends": 0, "e-fails": 1, "e-crashes": 1, "e-pauses": 0, "e-cut": 0}
    assert wandb.steps["e-ends"][3]["final_val_iou"] == 0.55


def test_a_tracker_that_fails_is_said_once_without_its_secret_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with _wandb() as wandb, caplog.at_level(logging.WARNING):
        wandb.down = True
        _sweep(Made(tmp_path / "down", "wandb", wandb))
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2, "once in each of the two runs"
    assert (
        told[0]
        == "experiment tracking failed, the sweep continues: ConnectionError: https://me:***@wandb/ does not answer"
    )


def test_a_slow_tracker_holds_up_no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    class Slow(Observer):
        def epoch(self, plan: TrialPlan, report: EpochReport) -> None:
            answers.wait(60)

    monkeypatch.setattr("sweep.observers.tracking.CLOSE_SECONDS", 0.1)
    slow = Background(Slow())
    slow.open()
    slow.begin(PLANS[0])
    for number in range(1, 100):
        slow.epoch(PLANS[0], epoch_of(number))
    slow.close()  # would never come here
    answers.set()
