"""``--refit``: planned when all folds have been trained, from what they found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from sweep.planning.plan import SweepPlan
from sweep.planning.policy import Decision
from sweep.records.experiment import Experiment
from sweep.records.store import gather
from sweep.records.trials import TrialPlan, TrialRecords
from sweep.search.groups import Outcome, TrialGroup
from sweep.search.refits import RefitTrials, refitted
from sweep.status.snapshot import planned_total
from tests.cases.experiments import trial_plan, write_experiment
from trainables.checkpoints import BestWeights, dump_best
from trainables.data.folds import Fold

FOLDS = (Fold(val=("t1", "t2")), Fold(val=("t3",)), Fold(val=("t4",)))


class _Others(TrialGroup):
    over = False

    def next(self) -> TrialPlan | None:
        return None

    @property
    def done(self) -> bool:
        return self.over

    def on_epoch(self, attempt: str, epoch: int, val_iou: float) -> Decision:
        return Decision.CONTINUE

    def on_end(self, attempt: str, outcome: Outcome, report: Mapping[str, Any]) -> None:
        return None


def _experiment(folder: Path, fold_epochs: tuple[int, ...] = (1, 1, 2)) -> Experiment:
    experiment = write_experiment(folder)
    for name in ("unet", "smp_unet_resnet34"):
        plan = trial_plan(name)
        best = BestWeights(
            recipe=plan.recipe,
            weights=plan.weights,
            epoch=2,
            val_iou=0.5,
            data_fingerprint="f",
            folds=tuple(fold.val for fold in FOLDS[: len(fold_epochs)]),
            fold_epochs=fold_epochs,
        )
        experiment.write(f"{name}/best.safetensors", dump_best({"x": torch.zeros(1)}, best))
        lines = experiment.read(f"{name}/reports.jsonl").decode().splitlines()
        reports = [{**json.loads(line), "learning_rate": 1e-3 / epoch} for epoch, line in enumerate(lines, start=1)]
        experiment.write(f"{name}/reports.jsonl", "".join(f"{json.dumps(one)}\n" for one in reports).encode())
    return experiment


def test_it_waits_for_the_others_and_trains_each_contender_for_the_lower_median_of_its_folds(tmp_path: Path) -> None:
    experiment = _experiment(tmp_path)
    records, others = TrialRecords(experiment), _Others()
    group = RefitTrials(experiment, records, [others])
    assert group.next() is None and not group.done
    others.over = True
    first, second = group.next(), group.next()
    assert first and second and group.next() is None and not group.done
    assert {first.attempt, second.attempt} == {"unet-refit", "smp_unet_resnet34-refit"}
    assert {(one.role, one.folds, one.rates, one.epochs) for one in (first, second)} == {("refit", (), (1e-3,), 1)}
    for one in (first, second):
        group.on_end(one.attempt, "finished", {})
    assert group.done


@pytest.mark.parametrize(("epochs", "trained"), [((2, 2, 1), 2), ((2, 1), 1)])
def test_of_an_even_number_of_folds_the_lower_median_counts(
    tmp_path: Path, epochs: tuple[int, ...], trained: int
) -> None:
    experiment, others = _experiment(tmp_path, epochs), _Others()
    others.over = True
    plan = RefitTrials(experiment, TrialRecords(experiment), [others]).next()
    assert plan and plan.rates == (1e-3, 5e-4)[:trained]


def test_one_that_has_finished_is_not_trained_again_and_is_no_candidate(tmp_path: Path) -> None:
    experiment, others = _experiment(tmp_path), _Others()
    others.over = True
    records = TrialRecords(experiment)
    plan = RefitTrials(experiment, records, [others]).next()
    assert plan
    reports = experiment.read("unet/reports.jsonl")
    experiment.write(f"{plan.attempt}/reports.jsonl", reports)
    records.set_state(plan.attempt, "finished")
    again = RefitTrials(experiment, TrialRecords(experiment), [others])
    left = again.next()
    assert left and left.attempt != plan.attempt and again.next() is None
    gathered = gather(experiment)
    assert {one.attempt for one in gathered.trials} == {"unet", "smp_unet_resnet34"}
    assert {one.attempt for one in gathered.refits} == {"unet-refit", "smp_unet_resnet34-refit"}
    assert "refit" in gathered.tables["trials.parquet"]["role"].to_pylist()


def test_only_the_most_tiles_and_a_contenders_best_seed_are_refitted(tmp_path: Path) -> None:
    unet, resnet = gather(_experiment(tmp_path)).trials
    better = replace(unet, attempt="unet-2", contest="unet-2", candidate="unet-2", val_iou=0.9)
    fewer = replace(resnet, tiles=1)
    assert [row.attempt for row in refitted([unet, better, fewer])] == ["unet-2"]


def test_a_plan_counts_one_for_each_contender_on_the_most_tiles() -> None:
    few = tuple(replace(fold, train=("t4",) if fold.val != ("t4",) else ("t1",)) for fold in FOLDS)
    trials = tuple(
        replace(trial_plan("unet"), attempt=name, contest=name, contender=contender, folds=folds)
        for name, contender, folds in (("a-1", "a", FOLDS), ("a-2", "a", FOLDS), ("b", "b", FOLDS), ("c", "c", few))
    )
    plan = SweepPlan(trials=trials, refit=True)
    assert [(one.contender, one.folds) for one in plan.refits] == [("a", ()), ("b", ())]
    assert plan.total == 6 == planned_total(plan.to_dict())
    assert SweepPlan.from_dict(plan.to_dict()) == plan
    assert replace(plan, refit=False).total == 4 == planned_total(replace(plan, refit=False).to_dict())
