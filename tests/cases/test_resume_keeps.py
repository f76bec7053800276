"""A resume takes every option of the first start, and refuses what would make it another sweep."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from sweep.cli.console import open_output
from sweep.cli.marks import Bounds, OnResume, flag, marked
from sweep.cli.options import SweepOptions
from sweep.cli.usage import parse
from sweep.phase1.command import COMMAND as PHASE1
from sweep.phase2.command import COMMAND as PHASE2
from sweep.phase3.command import COMMAND as PHASE3
from sweep.planning.resources import ResourceRequest
from sweep.planning.run import Run
from sweep.records.experiment import DESCRIPTION_FILE, Experiment
from sweep.records.trials import TrialPlan
from sweep.session import session
from sweep.session.search_options import SearchOptions
from sweep.session.stored_options import to_store
from tests.conftest import WriteDataset
from tests.reports import begin_experiment, plan_of
from trainables.data.folds import Fold
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError
from trainables.recipe import Recipe

PHASES = {one.name: one.options for one in (PHASE1, PHASE2, PHASE3)}
GIVEN: dict[str, Any] = {
    "device": "cpu",
    "offline": True,
    "allow_leak": True,
    "max_concurrent": 3,
    "gpus_per_trial": "0.5",
    "max_failures": 0,
    "compile": True,
    "profile_trace": True,
    "tensorboard": True,
    "overlays_every": 7,
    "mlflow": "http://host:5000",
    "wandb": "roofs",
}
"""Another value than the default for every option that may change, but for those that need other tiles or folds."""
Begin = Callable[..., Experiment]


@pytest.fixture
def patches(write_dataset: WriteDataset, tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "patches")


@pytest.fixture
def begin(patches: Path, tmp_path: Path) -> Begin:
    """Give a function that writes an experiment as a first start leaves it."""

    def write(*plans: TrialPlan, **given: Any) -> Experiment:
        options = SweepOptions(patches=patches, storage=str(tmp_path / "runs"), profile="smoke", **given)
        data = {"path": str(patches), "fingerprint": TuningData.read(patches).fingerprint}
        return begin_experiment(tmp_path / "runs", *plans, data=data, options=to_store(options), optuna_storage=None)

    return write


@pytest.fixture
def driven(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """What is driven, instead of driving it."""
    runs: list[Run] = []
    monkeypatch.setattr(session, "drive", lambda run, *_, **__: runs.append(run) or 0)
    monkeypatch.setattr("sweep.observers.tracking.require", lambda trackers: None)
    return runs


def _resume(experiment: Experiment, *words: str, phase: str = "phase1") -> None:
    typed = ["--resume", experiment.name, "--storage", experiment.storage.address, *words]
    options = parse(PHASES[phase], typed, program=phase, examples={})
    session.resume_sweep(options, experiment.name, open_output(options))


@pytest.mark.parametrize("phase", PHASES)
def test_every_option_says_what_a_resume_does_with_it(phase: str) -> None:
    assert set(marked(PHASES[phase], OnResume)) == {one.name for one in fields(PHASES[phase])}


def test_every_option_that_may_change_is_tried_here() -> None:
    marks = marked(SweepOptions, OnResume)
    places = {"patches", "refit", "unlabelled"}  # these have tests of their own
    assert {name for name, mark in marks.items() if mark is OnResume.MAY_CHANGE} - places == set(GIVEN)
    assert all(getattr(SweepOptions(), name) != value for name, value in GIVEN.items())


def test_what_the_first_start_was_given_is_used_again(begin: Begin, driven: list[Run], patches: Path) -> None:
    _resume(begin(**GIVEN, seed=7))
    (run,) = driven
    assert run.request == ResourceRequest(device="cpu", max_concurrent=3, gpus_per_trial=0.5)
    assert (run.max_failures, run.trace, run.compiled, run.overlays_every) == (0, True, True, 7)
    assert (run.tracking, run.seed) == ({"mlflow": "http://host:5000", "wandb": "roofs"}, 7)
    assert run.patches == patches


def test_a_refit_may_be_asked_for_later_and_is_then_kept(begin: Begin, driven: list[Run]) -> None:
    with pytest.raises(ExperimentError, match=r"^--refit: e has no folds"):
        _resume(begin(), "--refit")
    names = ("t1", "t2")
    folds = tuple(Fold(train=tuple(other for other in names if other != name), val=(name,)) for name in names)
    experiment = begin(plan_of("unet", recipe=Recipe(crop_size=64, validation_crop=64), folds=folds))
    _resume(experiment, "--refit")
    _resume(experiment)
    assert [run.plan.refit for run in driven] == [True, True]


def test_what_is_typed_wins_even_if_it_is_the_default(begin: Begin, driven: list[Run]) -> None:
    _resume(begin(**GIVEN), "--max-failures", "2", "--device", "auto", "--overlays-every=5", "--max-concurrent", "1")
    run = driven[0]
    assert (run.max_failures, run.overlays_every) == (2, 5)
    assert run.request == ResourceRequest(device="auto", max_concurrent=1, gpus_per_trial=0.5)
    assert run.tracking["mlflow"] == GIVEN["mlflow"] and run.trace


def test_limits_and_the_cluster_are_of_one_run(begin: Begin, driven: list[Run]) -> None:
    """The cluster may be gone when the sweep is resumed; the command that a sweep prints names it."""
    _resume(begin(time="1h", budget="1cpu-hours", quiet=True, address="10.0.0.1:6379"))
    assert driven[0].request.address is None
    assert driven[0].limits.seconds is None and driven[0].limits.device_hours is None
    _resume(begin(), "--time", "2h")
    assert driven[1].limits.seconds == 7200


@pytest.mark.parametrize(
    ("words", "phase"),
    [
        (("--seed", "1"), "phase1"),
        (("--profile", "demo"), "phase1"),
        (("--architectures", "unet"), "phase1"),
        (("--repeats", "2"), "phase1"),
        (("--recipes", "r.toml"), "phase1"),
        (("--name", "other"), "phase1"),
        (("--weights", "random"), "phase1"),
        (("--sam-checkpoint", "sam.pth"), "phase1"),
        (("--trials", "9"), "phase2"),
        (("--confirm", "2"), "phase2"),
        (("--space", "space.py"), "phase2"),
        (("--halving", "off"), "phase2"),
        (("--optuna-storage", "sqlite:///other.db"), "phase2"),
        (("--tiles", "5,12"), "phase3"),
        (("--plan",), "phase1"),
    ],
)
def test_what_would_change_the_experiment_is_refused_by_name(
    begin: Begin, driven: list[Run], words: tuple[str, ...], phase: str
) -> None:
    with pytest.raises(ExperimentError, match=f"^{words[0]}.*(leave it out|status)") as caught:
        _resume(begin(), *words, phase=phase)
    assert len(caught.value.faults) == 1 and not driven


def test_the_same_again_beside_resume_is_no_change(begin: Begin, driven: list[Run]) -> None:
    _resume(begin(seed=7), "--seed", "7", "--profile", "smoke", "--name", "e")
    assert len(driven) == 1


def test_a_secret_is_asked_for_again(begin: Begin, driven: list[Run]) -> None:
    experiment = begin(mlflow="http://me:pass/word@host:5000")
    assert b"pass/word" not in experiment.read(DESCRIPTION_FILE)
    with pytest.raises(ExperimentError, match=r"^--mlflow: passwords are not stored; give the whole URI"):
        _resume(experiment)
    _resume(experiment, "--mlflow", "http://me:pass/word@host:5000")
    assert driven[0].tracking["mlflow"] == "http://me:pass/word@host:5000"


@pytest.mark.parametrize("value", ["x", [], {}, -1.5])
def test_a_damaged_kept_option_is_one_line(begin: Begin, driven: list[Run], value: Any) -> None:
    experiment = begin()
    text = json.loads(experiment.read(DESCRIPTION_FILE))
    text["options"]["max_failures"] = value
    experiment.write(DESCRIPTION_FILE, json.dumps(text).encode())
    with pytest.raises(ExperimentError, match=r"options\.max_failures is damaged .*; give --max-failures again"):
        _resume(experiment)
    _resume(experiment, "--max-failures", "1")
    assert driven[0].max_failures == 1


def test_help_says_what_may_change_and_how_large_numbers_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        PHASE2.run(["--help-all"])
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    marks = marked(PHASE2.options, OnResume)
    assert text.count("may change with --resume") == sum(mark is OnResume.MAY_CHANGE for mark in marks.values())
    for name, bounds in marked(PHASE2.options, Bounds).items():
        assert str(bounds) in text, flag(name)


def test_options_made_in_code_count_as_typed_where_they_differ_from_the_default(
    begin: Begin, driven: list[Run], tmp_path: Path
) -> None:
    experiment = begin(max_failures=0)
    options = SearchOptions(storage=experiment.storage.address)
    session.resume_sweep(options, "e", open_output())
    session.resume_sweep(replace(options, max_failures=5), "e", open_output())
    assert [one.max_failures for one in driven] == [0, 5]
