"""Searches that are replayed over recorded curves decide as real ones do, and the docs show what they came to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial

from benchmarks import curves, replaying
from benchmarks import replay as command
from benchmarks.curves import Recorded
from benchmarks.replaying import Search, Trial
from sweep.planning.plan import StudyPlan
from sweep.planning.policies import POLICIES, make_policy, read_policy
from sweep.planning.policy import Decision
from sweep.planning.starts import Start
from sweep.records.experiment import Experiment
from sweep.records.trials import TrialRecords, read_reports
from sweep.search.groups import Outcome
from sweep.search.journal import open_studies
from sweep.search.recipes_tried import key
from sweep.search.study_group import StudyGroup
from tests.conftest import ROOT
from tests.reports import plan_of
from tests.shared_sweeps import SharedSweep
from trainables.recipe import Recipe
from trainables.storage import Storage

EPOCHS = 9
SPACE = {
    "learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
    "augmentation": CategoricalDistribution(("LIGHT", "MEDIUM", "HEAVY")),
}


def _recorded(number: int, seed: int) -> list[Recorded]:
    dice = np.random.default_rng(seed)
    found = []
    for place in range(number):
        values = {"learning_rate": 1e-3, "augmentation": "MEDIUM"}
        if place:
            values = {
                "learning_rate": float(10 ** dice.uniform(-4, -2)),
                "augmentation": str(dice.choice(["LIGHT", "HEAVY"])),
            }
        quality = 0.6 - 0.1 * abs(np.log10(float(values["learning_rate"])) + 2.5)
        curve = quality * (1 - np.exp(-np.arange(1, EPOCHS + 1) / dice.uniform(1, 4))) + dice.normal(0, 0.03, EPOCHS)
        found.append(Recorded(values=values, curve=tuple(float(one) for one in curve.clip(0, 1))))
    return found


def _search(way: str, seed: int, *, trials: int = 12, grace: int = 1, **changes: Any) -> Search:
    policy = make_policy(way, {"max_epochs": EPOCHS, "grace_epochs": grace, "reduction_factor": 3})
    recorded = _recorded(20, seed)
    return Search(recorded=recorded, space=SPACE, policy=policy, trials=trials, epochs=EPOCHS, **changes)


class _Real(StudyGroup):
    """The product's search, whose proposals are exchanged for those of a replay and compared with them on the way."""

    search: Search
    recipes: Sequence[int]

    def _propose(self, number: int) -> dict[str, Any]:
        if self.search.sampler in ("tpe", "gp"):
            seen = [self._seen(trial) for trial in self._trials()]
            ours = replaying.proposal(self.search, seen, self._seed_of(number))
            assert key(ours) == key(super()._propose(number))
        return dict(self.search.recorded[self.recipes[number]].values)

    def _seen(self, trial: FrozenTrial) -> Trial:
        state = self._standing(trial)
        outcome = "paused" if state.paused else {"COMPLETE": "finished", "PRUNED": "stopped"}.get(trial.state.name, "")
        recipe = self.recipes[trial.number]
        return Trial(number=trial.number, recipe=recipe, until=0, curve=dict(state.curve), outcome=outcome)


OUTCOMES: Mapping[Decision, Outcome] = {Decision.PAUSE: "paused", Decision.STOP: "stopped"}


def _really(folder: Path, search: Search, recipes: Sequence[int]) -> dict[int, int]:
    """Drive the product's search, one trial at a time, over the same curves; returns number to epochs."""
    experiment = Experiment(Storage.open(str(folder)), "e")
    study = StudyPlan(
        template=plan_of(recipe=Recipe(max_epochs=EPOCHS, **search.recorded[0].values)),
        space=SPACE,
        trials=search.trials,
        starts=tuple(Start(values=search.recorded[one].values, origin="p/a", val_iou=0.5) for one in search.starts),
    )
    _Real.search, _Real.recipes = search, recipes
    group = _Real(study, search.policy, open_studies(experiment, None), "e", TrialRecords(experiment), 1, None, "tpe")
    done: dict[int, int] = {}
    while plan := group.next():
        number = int(plan.attempt.rsplit("-", 1)[1])
        curve = search.recorded[recipes[number]].curve
        for epoch in range(done.get(number, 0) + 1, EPOCHS + 1):
            done[number] = epoch
            decision = Decision.CONTINUE if epoch == EPOCHS else group.on_epoch(plan.attempt, epoch, curve[epoch - 1])
            outcome = "finished" if epoch == EPOCHS else OUTCOMES.get(decision)
            if outcome:
                best = max(curve[:epoch])
                report = {"epoch": epoch, "val_iou": curve[epoch - 1], "best_val_iou": best, "final_val_iou": best}
                group.on_end(plan.attempt, outcome, report)
                break
    assert group.done
    return done


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("way", POLICIES)
def test_a_replayed_search_gives_each_trial_the_epochs_of_a_real_one(tmp_path: Path, way: str, seed: int) -> None:
    search = _search(way, seed)
    found = replaying.replay(search, seed)
    assert _really(tmp_path, search, [trial.recipe for trial in found.trials]) == {
        trial.number: len(trial.curve) for trial in found.trials
    }


@pytest.mark.parametrize("way", ["pause", "stop"])
def test_what_a_replay_tells_a_sampler_is_what_a_search_tells_it(tmp_path: Path, way: str) -> None:
    search = _search(way, 3, sampler="tpe", startup=4)
    found = replaying.replay(search, 3)
    assert _really(tmp_path, search, [trial.recipe for trial in found.trials])[0] == EPOCHS


def test_a_real_sweep_s_curves_are_decided_again_as_they_were(searched: SharedSweep) -> None:
    plan = json.loads((searched.experiment / "sweep.json").read_text())["plan"]
    policy, experiment = read_policy(plan["halving"]), Experiment(Storage.open(str(searched.storage)), searched.name)
    assert policy.name == "pause"
    for name in ("unet", "smp_unet_resnet34"):
        attempts = sorted(one.name for one in searched.experiment.glob(f"{name}-[0-9][0-9][0-9]"))
        real = [[float(report["val_iou"]) for report in read_reports(experiment, one)] for one in attempts]
        epochs = max(map(len, real))
        unknown = (float("nan"),)  # what was never trained must not be asked for
        recorded = [Recorded(values={}, curve=(*curve, *unknown * (epochs - len(curve)))) for curve in real]
        search = Search(
            recorded=recorded, space={}, policy=policy, trials=len(real), epochs=epochs, sampler=replaying.IN_ORDER
        )
        found = replaying.replay(search, 0)
        assert [len(trial.curve) for trial in found.trials] == [len(curve) for curve in real]
        assert found.epochs == sum(map(len, real)) < epochs * len(real), "somebody was stopped early"
        assert found.best == max(max(curve) for curve in real if len(curve) == epochs)


@pytest.mark.parametrize("way", POLICIES)
def test_a_replay_begins_with_recipes_as_a_real_search_does(tmp_path: Path, way: str) -> None:
    search = _search(way, 4, starts=(7, 3))
    found = replaying.replay(search, 4)
    assert [trial.recipe for trial in found.trials][:3] == [0, 7, 3]
    assert len({trial.recipe for trial in found.trials}) == search.trials
    assert _really(tmp_path, search, [trial.recipe for trial in found.trials]) == {
        trial.number: len(trial.curve) for trial in found.trials
    }


def test_side_by_side_a_search_is_shorter_and_trains_as_many_trials() -> None:
    alone, together = (replaying.replay(_search("off", 0, slots=slots), 0) for slots in (1, 4))
    assert alone.epochs == together.epochs == 12 * EPOCHS
    assert (alone.length, together.length) == (12 * EPOCHS, 3 * EPOCHS)


def test_the_nearest_recorded_recipe_is_that_on_each_field_s_own_scale() -> None:
    wanted = replaying.place({"learning_rate": 1e-3, "augmentation": "LIGHT"}, SPACE)
    near = replaying.place({"learning_rate": 3e-4, "augmentation": "LIGHT"}, SPACE)
    other = replaying.place({"learning_rate": 1e-3, "augmentation": "HEAVY"}, SPACE)
    assert replaying.distance(wanted, near) == pytest.approx((np.log10(1e-3 / 3e-4) / 2) ** 2)
    assert replaying.distance(wanted, other) == 1


def test_a_search_s_gain_is_on_a_random_search_that_trains_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = _recorded(20, 0)
    monkeypatch.setattr(command, "recordings", lambda: {"unet": recorded})
    monkeypatch.setattr(curves, "space_of", lambda _: SPACE)
    (one,) = command.scores(command.Setting(way="stop", trials=12), 1)
    found = replaying.replay(command.Setting(way="stop", trials=12).search("unet"), 0)
    drawn = [max(recorded[trial.recipe].curve) for trial in found.trials]
    assert one.epochs == found.epochs / (12 * EPOCHS)
    assert one.best == found.best / max(drawn)
    assert one.gain == found.best - max(drawn[: -(-found.epochs // EPOCHS)])


def test_a_recording_that_was_stopped_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "ARCHITECTURES", ("unet",))
    monkeypatch.setattr(curves, "RECIPES", 2)
    monkeypatch.setattr(curves, "CHANGES", {"draws_per_epoch": 4, "max_epochs": 2, "patience": 2})
    curves.recipes_of.cache_clear()
    assert curves.record(tmp_path / "parts", most=1) == 1
    before = (tmp_path / "parts" / "00-unet.parquet").stat().st_mtime_ns
    assert curves.record(tmp_path / "parts") == 0
    assert (tmp_path / "parts" / "00-unet.parquet").stat().st_mtime_ns == before
    curves.gather(tmp_path / "parts", tmp_path / "curves.parquet")
    curves.recipes_of.cache_clear()
    assert pq.ParquetFile(tmp_path / "curves.parquet").num_row_groups == 2
    found = curves.read(tmp_path / "curves.parquet")["unet"]
    assert [len(one.curve) for one in found] == [2, 2]
    assert found[0].values["augmentation"] == "MEDIUM" and found[0].values != found[1].values


def test_the_committed_curves_are_of_every_recipe_to_its_end() -> None:
    assert curves.TABLE.stat().st_size < 2_000_000
    file = pq.ParquetFile(curves.TABLE)
    assert tuple(file.schema_arrow.names) == (*curves.COLUMNS, *curves.MEASURED)
    assert file.num_row_groups == len(curves.ARCHITECTURES) * curves.RECIPES
    found = curves.read()
    assert tuple(found) == curves.ARCHITECTURES
    for name, recorded in found.items():
        assert len(recorded) == curves.RECIPES
        assert len({key(one.values) for one in recorded}) == curves.RECIPES
        for one in recorded:
            assert len(one.curve) == curves.EPOCHS and all(0 <= value <= 1 for value in one.curve)
            for field, values in curves.space_of(name).items():
                assert values._contains(values.to_internal_repr(one.values[field])), f"{name}: {field}"
        shared = curves.base_recipe(name).to_dict()
        assert recorded[0].values == {field: shared[field] for field in recorded[0].values}
    said = curves.read_provenance()
    assert said["command"] == "python -m benchmarks.replay --record" and len(said["tiles_sha256"]) == 64
    assert said["date"] and said["versions"]["torch"]


def test_the_pages_show_what_the_replays_of_the_committed_curves_come_to() -> None:
    pages = [ROOT / "docs" / "phase2.md", ROOT / "docs" / "maintainers" / "performance.md"]
    users, maintainers = (page.read_text(encoding="utf-8") for page in pages)
    assert all(line in " ".join(users.split()) for line in command.user_lines(1000))
    assert command.curve_table() in maintainers
    settings = command.policies(*command.LONG, (1,), (3,))
    table = command.policy_table(list(command.rows(settings, 1000)))
    assert all(line in maintainers for line in table.splitlines())
    begun = [setting for setting in command.beginnings() if setting.trials == command.SHORT[0]]
    table = command.beginning_table(begun[:1], 1000)
    assert all(line in maintainers for line in table.splitlines())
