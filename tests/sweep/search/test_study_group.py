"""A search's decisions: the same after a kill at any moment, and nothing learnt from unfinished business."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from sweep.planning.plan import StudyPlan
from sweep.planning.policies import POLICIES, make_policy
from sweep.planning.policy import Decision, NoHalving, Policy
from sweep.planning.starts import Start
from sweep.records.experiment import Experiment
from sweep.records.trials import TrialPlan, TrialRecords
from sweep.search.groups import Outcome
from sweep.search.journal import JOURNAL_FILE, RemoteJournal, drop_torn_line, open_studies
from sweep.search.study_group import StudyGroup
from tests.reports import plan_of
from trainables.recipe import Recipe
from trainables.storage import Storage

EPOCHS = 9
SPACE = {
    "learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
    "augmentation": CategoricalDistribution(("LIGHT", "MEDIUM", "HEAVY")),
}


class _Killed(Exception):
    """The driver died here."""


class _Trials:
    """What survives a driver: each trial's own epochs."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}


def _val_iou(recipe: Recipe, epoch: int) -> float:
    quality = 1 - abs(recipe.learning_rate - 0.01) * 5 - 0.1 * (recipe.augmentation == "LIGHT")
    return quality * epoch / (epoch + 2) * 0.8


def _study(trials: int, **recipe: Any) -> StudyPlan:
    shared = Recipe(max_epochs=EPOCHS, learning_rate=1e-3, **recipe)
    return StudyPlan(template=plan_of(recipe=shared), space=SPACE, trials=trials)


def _policy(name: str) -> Policy:
    return make_policy(name, {"max_epochs": EPOCHS, "grace_epochs": 1, "reduction_factor": 3, "warm_from": ""})


def _drive(
    folder: Path,
    policy: Policy,
    trials: _Trials,
    countdown: Iterator[int],
    seed: int = 1,
    plan: StudyPlan | None = None,
) -> StudyGroup:
    """Run the search as the driver does, one trial at a time; ``countdown`` runs out where the driver is killed."""

    def moment() -> None:
        if next(countdown, None) is None:
            raise _Killed

    experiment = Experiment(Storage.open(str(folder)), "e")
    group = StudyGroup(plan or _study(12), policy, open_studies(experiment, None), "e", TrialRecords(experiment), seed)
    while trial := group.next():
        moment()
        _train(group, trial, trials, moment)
        moment()
    assert group.done
    return group


OUTCOMES: dict[Decision, Outcome] = {Decision.PAUSE: "paused", Decision.STOP: "stopped"}


def _train(group: StudyGroup, trial: TrialPlan, trials: _Trials, moment: Any) -> None:
    name, best = trial.attempt, 0.0
    for epoch in range(1, EPOCHS + 1):
        known = epoch <= trials.done.get(name, 0)  # then it is reported again, at once
        if not known:
            moment()
            trials.done[name] = epoch
        val_iou = _val_iou(trial.recipe, epoch)
        best = max(best, val_iou)
        report = {"epoch": epoch, "val_iou": val_iou, "best_val_iou": best, "final_val_iou": best}
        outcome = "finished" if epoch == EPOCHS else OUTCOMES.get(group.on_epoch(name, epoch, val_iou))
        if not known:
            moment()
        if outcome:
            group.on_end(name, outcome, report)
            return


def _outcome(folder: Path) -> list[tuple[Any, ...]]:
    storage = open_studies(Experiment(Storage.open(str(folder)), "e"), None)
    study = optuna.load_study(study_name="e/unet", storage=storage)
    return [(t.number, t.state, t.value, t.params, t.intermediate_values) for t in study.trials]


def _forever() -> Iterator[int]:
    return iter(range(10**9))


@pytest.mark.parametrize("how", POLICIES)
def test_a_search_that_is_killed_again_and_again_takes_the_same_decisions(tmp_path: Path, how: str) -> None:
    _drive(tmp_path / "unbroken", _policy(how), _Trials(), _forever())
    expected = _outcome(tmp_path / "unbroken")
    dice = random.Random(7)
    kills = 0
    trials = _Trials()
    while True:
        try:
            _drive(tmp_path / "broken", _policy(how), trials, iter(range(dice.randrange(1, 25))))
            break
        except _Killed:
            kills += 1
    assert kills >= 5
    assert _outcome(tmp_path / "broken") == expected


STARTS = tuple(
    Start(values={"learning_rate": rate, "augmentation": "HEAVY"}, origin=f"p/{name}", val_iou=0.5)
    for name, rate in (("a", 0.02), ("b", 0.03))
)


@pytest.mark.parametrize("how", POLICIES)
def test_recipes_to_begin_with_come_right_after_the_shared_one_and_once_however_often_the_driver_dies(
    tmp_path: Path, how: str
) -> None:
    plan = replace(_study(8), starts=STARTS)
    _drive(tmp_path / "unbroken", _policy(how), _Trials(), _forever(), plan=plan)
    expected = _outcome(tmp_path / "unbroken")
    assert [params for _, _, _, params, _ in expected[1:3]] == [dict(one.values) for one in STARTS]
    assert expected[0][3] == plan.shared_values() and len(expected) == 8, "they are among the trials, not beside them"
    lines = (tmp_path / "unbroken" / "e" / JOURNAL_FILE).read_bytes().splitlines(keepends=True)
    for cut in range(0, len(lines), max(1, len(lines) // 20)):
        folder = tmp_path / str(cut)
        (folder / "e").mkdir(parents=True)
        (folder / "e" / JOURNAL_FILE).write_bytes(b"".join(lines[:cut]))
        _drive(folder, _policy(how), _Trials(), _forever(), plan=plan)
        assert _outcome(folder) == expected, f"cut after line {cut} of {len(lines)}"
        storage = open_studies(Experiment(Storage.open(str(folder)), "e"), None)
        trials = optuna.load_study(study_name="e/unet", storage=storage).trials
        assert [trial.user_attrs.get("origin") for trial in trials] == [None, "p/a", "p/b", *[None] * 5]


@pytest.mark.parametrize("how", ["pause", "stop"])
def test_a_journal_that_ends_after_any_line_leads_to_the_same_decisions(tmp_path: Path, how: str) -> None:
    """The driver dies between any two entries of the studies' journal; trials keep what they have trained."""
    trials = _Trials()
    _drive(tmp_path / "unbroken", _policy(how), trials, _forever())
    expected = _outcome(tmp_path / "unbroken")
    lines = (tmp_path / "unbroken" / "e" / JOURNAL_FILE).read_bytes().splitlines(keepends=True)
    dice = random.Random(3)
    for cut in sorted(dice.sample(range(len(lines)), 25)):
        folder = tmp_path / str(cut) / "e"
        folder.mkdir(parents=True)
        (folder / JOURNAL_FILE).write_bytes(b"".join(lines[:cut]))
        _drive(folder.parent, _policy(how), _Trials(), _forever())
        assert _outcome(folder.parent) == expected, f"cut after line {cut} of {len(lines)}"


def test_a_shared_recipe_outside_the_space_is_still_the_first_trial(tmp_path: Path) -> None:
    experiment = Experiment(Storage.open(str(tmp_path)), "e")
    plan = replace(_study(5), space={"decoder_dropout": FloatDistribution(0.0, 0.1)})
    group = StudyGroup(plan, NoHalving(), open_studies(experiment, None), "e", TrialRecords(experiment), 1)
    dropouts = []
    while trial := group.next():
        dropouts.append(trial.recipe.decoder_dropout)
        report = {"epoch": 1, "val_iou": 0.5, "best_val_iou": 0.5, "final_val_iou": 0.5}
        group.on_end(trial.attempt, "finished", report)
    assert dropouts[0] == 0.3 and len(dropouts) == 5
    assert all(0.0 <= dropout <= 0.1 for dropout in dropouts[1:])


def test_trials_side_by_side_are_proposed_apart(tmp_path: Path) -> None:
    experiment = Experiment(Storage.open(str(tmp_path)), "e")
    group = StudyGroup(_study(8), NoHalving(), open_studies(experiment, None), "e", TrialRecords(experiment), 1)
    trials = [group.next() for _ in range(8)]
    assert group.next() is None and not group.done, "all are running"
    rates = {trial.recipe.learning_rate for trial in trials if trial}
    assert len(rates) == 8


@pytest.mark.parametrize("how", POLICIES)
def test_the_shared_recipe_comes_first_and_runs_to_its_end(tmp_path: Path, how: str) -> None:
    _drive(tmp_path, _policy(how), _Trials(), _forever())
    number, state, value, params, curve = _outcome(tmp_path)[0]
    assert (number, state, params) == (0, TrialState.COMPLETE, {"learning_rate": 1e-3, "augmentation": "MEDIUM"})
    assert len(curve) == EPOCHS and value == max(curve.values())


def test_seeds_decide_what_is_proposed(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        _drive(tmp_path / name, NoHalving(), _Trials(), _forever(), seed=seed)
    assert _outcome(tmp_path / "a") == _outcome(tmp_path / "b") != _outcome(tmp_path / "c")


def test_halving_saves_epochs(tmp_path: Path) -> None:
    epochs = {}
    for how in POLICIES:
        trials = _Trials()
        _drive(tmp_path / how, _policy(how), trials, _forever())
        epochs[how] = sum(trials.done.values())
    assert epochs["off"] == 12 * EPOCHS
    assert epochs["pause"] < epochs["off"] / 2 and epochs["stop"] < epochs["off"]


def test_a_failed_trial_is_told_as_a_failure_and_never_as_a_score(tmp_path: Path) -> None:
    experiment = Experiment(Storage.open(str(tmp_path)), "e")
    group = StudyGroup(_study(2), NoHalving(), open_studies(experiment, None), "e", TrialRecords(experiment), 1)
    first = group.next()
    assert first
    group.on_epoch(first.attempt, 1, 0.5)
    group.on_end(first.attempt, "failed", {"failure": "loss is nan", "val_iou": float("nan")})
    second = group.next()
    assert second
    group.on_end(second.attempt, "failed", {})  # crashed before its first report
    trials: list[FrozenTrial] = optuna.load_study(study_name="e/unet", storage=open_studies(experiment, None)).trials
    assert [(trial.state, trial.value) for trial in trials] == [(TrialState.FAIL, None)] * 2
    assert trials[0].intermediate_values == {1: 0.5}
    assert group.next() is None and group.done


def test_a_line_that_was_being_written_is_cut_off(tmp_path: Path) -> None:
    _drive(tmp_path, NoHalving(), _Trials(), _forever())
    expected = _outcome(tmp_path)
    journal = tmp_path / "e" / JOURNAL_FILE
    with journal.open("a") as file:
        file.write('{"op_code": 4, "worker')
    assert _outcome(tmp_path) == expected
    drop_torn_line(tmp_path / "nothing there")


def test_a_journal_on_another_machine_holds_the_same_studies(tmp_path: Path) -> None:
    experiment = Experiment(Storage.open(str(tmp_path)), "e")
    studies = []
    for _ in range(2):
        storage = optuna.storages.JournalStorage(RemoteJournal(experiment))
        study = optuna.create_study(study_name="s", storage=storage, load_if_exists=True, direction="maximize")
        trial = study.ask(SPACE)
        trial.report(0.5, 1)
        study.tell(trial, 0.7)
        studies.append(study)
    trials = optuna.load_study(study_name="s", storage=optuna.storages.JournalStorage(RemoteJournal(experiment))).trials
    assert [(trial.value, trial.intermediate_values) for trial in trials] == [(0.7, {1: 0.5})] * 2


@pytest.mark.parametrize("how", ["stop", "pause"])
def test_trainings_that_confirm_a_recipe_are_never_given_up(tmp_path: Path, how: str) -> None:
    trials = _Trials()
    plan = replace(_study(9), confirm=3, repeats=2)
    _drive(tmp_path, _policy(how), trials, repeat(0), plan=plan)
    anew = {name: epochs for name, epochs in trials.done.items() if "-seed" in name}
    assert len(anew) == 6
    assert set(anew.values()) == {EPOCHS}
    assert any(epochs < EPOCHS for name, epochs in trials.done.items() if name not in anew)
