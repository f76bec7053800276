"""The engine on real Ray: logical GPUs, a diverging trial among sound ones, rivals and strangers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
import ray
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from search_spaces.phase1 import shared_recipe
from search_spaces.phase2 import Space
from search_spaces.profiles import get_profile
from sweep.cli.console import open_output
from sweep.cli.terminal import Terminal
from sweep.planning.halving import AshaPause, AshaStop
from sweep.planning.plan import StudyPlan, SweepPlan
from sweep.planning.policy import NoHalving
from sweep.planning.resources import Resources
from sweep.planning.run import Run
from sweep.ray_tune.runner import RunEnd, run_trials
from sweep.records.experiment import Experiment
from sweep.records.store import collect
from sweep.records.trials import TrialRecords, read_reports
from sweep.results.leaderboard import Leaderboard
from sweep.search.journal import open_studies
from tests.conftest import WriteDataset
from tests.reports import begin_experiment, plan_of
from trainables.data.tiles import TuningData
from trainables.recipe import Recipe


@pytest.fixture(scope="module")
def four_gpus() -> Iterator[None]:
    """A node that says it has four GPUs."""
    ray.init("local", num_cpus=4, num_gpus=4, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def _experiment(folder: Path, data: TuningData) -> Experiment:
    names = {"train": [tile.name for tile in data.train], "val": [tile.name for tile in data.val]}
    return begin_experiment(folder, data={"fingerprint": data.fingerprint, **names}, phase="phase2")


def _resources(concurrent: int, gpus: float = 0.0) -> Resources:
    return Resources(
        device="cpu", cpus_per_trial=1, gpus_per_trial=gpus, concurrent=concurrent, total_cpus=4, total_gpus=4.0
    )


def _run(experiment: Experiment, plan: SweepPlan, data: TuningData, resources: Resources) -> RunEnd:
    run = Run(experiment=experiment, phase="phase2", profile=get_profile("smoke"), plan=plan, data=data)
    return run_trials(run, resources, open_output())


def _recipe(**changes: str | float) -> Recipe:
    return shared_recipe("unet", get_profile("smoke")).replace(**changes)


def test_a_diverging_trial_fails_alone_and_the_others_go_on(four_gpus: None, dataset: Path, tmp_path: Path) -> None:
    data = TuningData.read(dataset)
    trials = [
        plan_of("sound", recipe=_recipe()),
        plan_of(
            "diverging",
            recipe=_recipe(learning_rate=1.0, precision="fp16", batch_size=2, draws_per_epoch=32, max_epochs=6),
        ),
    ]
    experiment = _experiment(tmp_path, data)
    # One GPU each on a node of four: both run at once, each in its own slot.
    assert _run(experiment, SweepPlan(trials=tuple(trials)), data, _resources(4, gpus=1.0)).complete
    rows = {row.attempt: row for row in collect(experiment)}
    assert rows["sound"].status == "finished"
    assert rows["diverging"].status == "failed"
    assert re.search(r"loss is (nan|inf) in epoch \d at learning rate 1$", rows["diverging"].failure)
    assert "failed" in (tmp_path / "e" / "diverging" / "trial.log").read_text()
    board = Leaderboard(experiment)
    assert "[failed]" in board.markdown()
    with (console := Terminal()).capture() as shown:
        console.print(board.sheet())
    assert "[failed]" in shown.get()


def _search(data: TuningData, folder: Path, plan: SweepPlan, concurrent: int) -> tuple[Experiment, RunEnd]:
    experiment = _experiment(folder, data)
    return experiment, _run(experiment, plan, data, _resources(concurrent))


def _study_plan(name: str, space: Space, trials: int, **changes: str | float) -> StudyPlan:
    return StudyPlan(template=plan_of(name, recipe=_recipe(**changes)), space=space, trials=trials)


def _studies(experiment: Experiment) -> dict[str, list[FrozenTrial]]:
    storage = open_studies(experiment, None)
    return {
        name.partition("/")[2]: optuna.load_study(study_name=name, storage=storage).trials
        for name in optuna.get_all_study_names(storage)
    }


RATES = CategoricalDistribution((0.02, 1e-7))
ASHA = AshaStop(max_epochs=8, grace_epochs=1, reduction_factor=2)


def test_optuna_hears_the_truth_about_every_end(four_gpus: None, dataset: Path, tmp_path: Path) -> None:
    data = TuningData.read(dataset)
    # Learns; stands still and runs out of patience unless a rival's rung stops it first; diverges.
    changes = {"max_epochs": 8, "patience": 3, "draws_per_epoch": 32, "batch_size": 2, "learning_rate": 0.02}
    precision = CategoricalDistribution(("auto", "fp16"))
    impatient = {"max_epochs": 8, "learning_rate": 1e-7}  # its patience is two epochs
    plan = SweepPlan(
        studies=(
            _study_plan("rivals", {"learning_rate": RATES}, 5, **changes),
            _study_plan("diverging", {"precision": precision}, 6, **{**changes, "learning_rate": 1.0}),
            _study_plan("impatient", {"decoder_dropout": FloatDistribution(0, 0.5)}, 1, **impatient),
        ),
        policy=ASHA,
    )
    experiment, end = _search(data, tmp_path, plan, concurrent=1)  # so that the seed decides who is stopped
    assert end.complete
    rows = {row.attempt: row for row in collect(experiment)}
    studies = _studies(experiment)
    assert {name: len(trials) for name, trials in studies.items()} == {"rivals": 5, "diverging": 6, "impatient": 1}
    order = [record.plan.attempt for record in TrialRecords(experiment).all()]
    turns = [f"{name}-{number:03d}" for number in range(5) for name in ("rivals", "diverging")]
    assert order == [*turns[:2], "impatient-000", *turns[2:], "diverging-005"], "all architectures take turns"
    told = {"finished": TrialState.COMPLETE, "stopped": TrialState.PRUNED, "failed": TrialState.FAIL}
    seen = set()
    for trials in studies.values():
        for trial in trials:
            row = rows[trial.user_attrs["attempt"]]
            curve = _curve(experiment, row.attempt)
            assert trial.state is told[row.status]
            assert trial.intermediate_values == curve, "each epoch, the last one included"
            if trial.state is TrialState.COMPLETE:
                assert trial.value == max(curve.values()), "the best epoch's weights are what is used"
            seen.add(row.status)
    assert studies["rivals"][0].params == {"learning_rate": 0.02}, "the shared recipe comes first"
    assert studies["rivals"][0].state is TrialState.COMPLETE
    stopped = [trial for trial in studies["rivals"] if trial.state is TrialState.PRUNED]
    assert stopped and all(len(trial.intermediate_values) < 8 for trial in stopped)
    assert seen == {"finished", "stopped", "failed"}
    (trial,) = studies["impatient"]
    assert trial.state is TrialState.COMPLETE and max(trial.intermediate_values) < 8, "its patience ran out"


def _curve(experiment: Experiment, attempt: str) -> dict[int, float]:
    return {report["epoch"]: report["val_iou"] for report in read_reports(experiment, attempt) if "epoch" in report}


def test_a_slow_starter_beside_a_fast_one_survives(four_gpus: None, dataset: Path, tmp_path: Path) -> None:
    data = TuningData.read(dataset)
    space = {"decoder_dropout": FloatDistribution(0.0, 0.1)}
    fast = _study_plan("fast", space, 3, max_epochs=4, patience=4, draws_per_epoch=32, learning_rate=0.02)
    slow = _study_plan("slow", space, 1, max_epochs=4, patience=4, learning_rate=1e-7)
    experiment, _ = _search(data, tmp_path, SweepPlan(studies=(fast, slow), policy=ASHA), concurrent=2)
    rows = {row.attempt: row for row in collect(experiment)}
    assert rows["slow-000"].status == "finished" and rows["slow-000"].epochs == 4
    fastest = max(row.best_epoch_val_iou or 0.0 for name, row in rows.items() if name.startswith("fast"))
    assert rows["slow-000"].best_epoch_val_iou < fastest


def test_paused_trials_are_promoted_by_rank_and_the_rest_given_up(
    four_gpus: None, dataset: Path, tmp_path: Path
) -> None:
    data = TuningData.read(dataset)
    space = {"learning_rate": FloatDistribution(1e-6, 0.05, log=True)}
    changes = {"max_epochs": 4, "patience": 4, "draws_per_epoch": 16}
    policy = AshaPause(max_epochs=4, grace_epochs=1, reduction_factor=2)
    plan = SweepPlan(studies=(_study_plan("unet", space, 7, **changes),), policy=policy)
    experiment, end = _search(data, tmp_path, plan, concurrent=1)
    assert end.complete
    trials = _studies(experiment)["unet"]
    assert len(trials) == 7 and trials[0].state is TrialState.COMPLETE
    rest = trials[1:]
    assert {trial.state for trial in rest} <= {TrialState.COMPLETE, TrialState.PRUNED}
    reached = [trial for trial in rest if 2 in trial.intermediate_values]
    best = sorted(rest, key=lambda trial: -trial.intermediate_values[1])
    assert best[0] in reached, "the best of the first rung went on"
    assert len(reached) < 6 and any(trial.state is TrialState.COMPLETE for trial in rest)
    assert {row.status for row in collect(experiment)} == {"finished", "stopped"}


@pytest.mark.slow
def test_halving_saves_epochs_and_finds_what_the_full_search_finds(
    four_gpus: None, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    data = TuningData.read(write_dataset(tmp_path / "patches", train=4, val=4, test=1, size=128))
    space = {"learning_rate": FloatDistribution(1e-5, 0.1, log=True), "decoder_dropout": FloatDistribution(0.0, 0.6)}
    changes = {"max_epochs": 9, "patience": 9, "draws_per_epoch": 32, "ema_decay": 0.8}
    halving = AshaPause(max_epochs=9, grace_epochs=1, reduction_factor=3)
    best, epochs = {}, {}
    for name, policy in (("full", NoHalving()), ("halved", halving)):
        plan = SweepPlan(studies=(_study_plan("unet", space, 12, **changes),), policy=policy)
        experiment, _ = _search(data, tmp_path / name, plan, concurrent=1)
        rows = collect(experiment)
        best[name] = max(row.best_epoch_val_iou or 0.0 for row in rows if row.finished)
        epochs[name] = sum(row.epochs for row in rows)
    assert epochs["full"] == 12 * 9 and epochs["halved"] < 0.5 * epochs["full"]
    assert best["halved"] >= best["full"] - 0.01
