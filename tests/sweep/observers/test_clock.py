"""One clock and one score per word: the live table, status, leaderboard and report say the same of a trial."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.observers.progress import Progress
from sweep.observers.trial_table import TrialRow, TrialTable
from sweep.planning.estimate import Estimator
from sweep.planning.shares import scoring_in_epochs
from sweep.records.store import collect
from sweep.results.leaderboard import Leaderboard
from sweep.status.snapshot import SnapshotReader
from tests.cases.experiments import write_experiment
from tests.reports import epoch_of, final_of, plan_of
from trainables.data.tiles import TuningData
from trainables.recipe import Recipe


def _row(number: int, state: str = "running", **more: object) -> TrialRow:
    row = TrialRow(f"t{number}", "g", "unet", 4, state, scoring=2.0)  # type: ignore[arg-type]
    for name, value in more.items():
        setattr(row, name, value)
    return row


def test_the_time_left_includes_scoring_the_val_tiles() -> None:
    """Two epochs of ten seconds are left, and scoring takes as long as two."""
    row = _row(1, epoch=2, epochs_timed=2, seconds=20.0)
    assert TrialTable(1, 1, [row]).remaining_seconds() == pytest.approx(40.0)
    row.epoch = 4
    assert TrialTable(1, 1, [row]).remaining_seconds() == pytest.approx(20.0), "the last epoch is not the end"
    row.since = 100.0
    assert TrialTable(1, 1, [row]).remaining_seconds(105.0) == pytest.approx(15.0)
    assert TrialTable(1, 1, [row]).remaining_seconds(500.0) == 0.0


def test_what_scoring_took_replaces_what_was_estimated() -> None:
    done = _row(1, "finished", epoch=4, epochs_timed=4, seconds=40.0)
    done.finish(0.5, 50.0)
    waiting = _row(2, "waiting")
    assert done.time == 90.0 and TrialTable(2, 1, [done, waiting]).remaining_seconds() == pytest.approx(90.0)


def test_the_share_of_scoring_is_that_of_the_estimate(dataset: Path) -> None:
    data = TuningData.read(dataset)
    pixels = sum(tile.mask.size for tile in data.val)
    for name in ("unet", "sam_vit_b_conv"):
        recipe = shared_recipe(name, get_profile("demo"))
        estimator = Estimator(data=data, device="cpu")
        one, two = (estimator.trial(recipe.replace(max_epochs=epochs)) for epochs in (10, 20))
        epoch = (two - one) / 10
        assert scoring_in_epochs(recipe, len(data.val), pixels) == pytest.approx((one - 10 * epoch) / epoch)
        assert estimator.scoring([recipe]) == pytest.approx(one - 10 * epoch)


def test_every_place_has_the_same_seconds(tmp_path: Path) -> None:
    experiment = write_experiment(tmp_path, ended=False)
    for name in ("unet/reports.jsonl", "smp_unet_resnet34/reports.jsonl"):
        *others, last = experiment.read(name).decode().splitlines()
        lines = [*others, json.dumps({**json.loads(last), "final_seconds": 7.0})]
        experiment.write(name, "".join(f"{line}\n" for line in lines).encode())
    shown = {row.attempt: row for row in SnapshotReader(experiment).look().trials.rows.values()}
    board = {row.attempt: row for row in Leaderboard(experiment).rows}
    for trial in collect(experiment):
        assert trial.seconds == 27.0
        assert shown[trial.attempt].time == pytest.approx(trial.seconds or 0.0) == board[trial.attempt].seconds
        assert shown[trial.attempt].final == trial.val_iou == board[trial.attempt].val_iou


def test_before_the_first_epoch_the_estimate_counts_down_and_a_study_counts_on(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), width=200)
    progress = Progress(1, 1, [], console, expected=600.0, afterwards=3000.0)
    progress.open()
    monkeypatch.setattr(progress, "_started", progress._started - 120)
    assert progress._clock() == "(2 min  ETA 8 min, of the study 58 min)"


def test_an_epochs_score_and_that_of_whole_tiles_never_have_the_same_word() -> None:
    console = Console(file=io.StringIO(), width=200)
    progress, plan = Progress(1, 1, [], console), plan_of()
    progress.open()
    progress.begin(plan)
    progress.epoch(plan, epoch_of(1))
    progress.end(plan, "finished", epoch_of(1), final_of(0.25))
    assert isinstance(console.file, io.StringIO)
    first, last = console.file.getvalue().splitlines()
    assert "epoch IoU 0.100" in first and "val IoU" not in first
    assert last == "unet  finished  val IoU 0.250 of whole val tiles  3 s in all"


def test_a_machine_that_is_slower_than_estimated_is_so_for_the_rest_of_the_study() -> None:
    progress, plan = Progress(1, 1, [], Console(file=io.StringIO())), plan_of(recipe=Recipe(max_epochs=4))
    slow = Progress(1, 1, [], Console(file=io.StringIO()), expected=4.0, afterwards=60.0)
    for one in (progress, slow):
        one.open()
        one.begin(plan)
        one.epoch(plan, epoch_of(1))  # two seconds; three more epochs are left
    assert progress._clock() == "(0 s  ETA 6 s)"
    assert slow._clock() == "(0 s  ETA 6 s, of the study 2 min)", "6 s where 4 were expected: 90 s for 60"


def test_the_coming_trials_of_a_search_are_expected_to_be_stopped_as_usual() -> None:
    """Three more trials of four epochs and scoring, half of which are usually run, beside two epochs and scoring."""
    rows = [_row(1, epoch=2, epochs_timed=2, seconds=20.0)]
    assert TrialTable(4, 1, rows).remaining_seconds() == pytest.approx(40.0 + 3 * 60.0)
    assert TrialTable(4, 1, rows, share=0.5).remaining_seconds() == pytest.approx(40.0 + 3 * 30.0)


def test_what_has_not_begun_takes_as_much_longer_than_the_others_as_it_was_estimated_to() -> None:
    """A probe took 6 s where 4 were estimated: another one of 8 will take 12; a training, what was estimated."""
    probe = TrialRow("p", "g", "probe:unet", 1, "finished", epoch=1, epochs_timed=1, seconds=4.0)
    probe.finish(0.4, 2.0)
    training = _row(1, "waiting")
    costs = {"probe:unet": 4.0, "unet": 40.0}
    assert TrialTable(2, 1, [probe, training], costs=costs).remaining_seconds() == pytest.approx(40.0)
    other = TrialRow("q", "g", "probe:other", 1, "waiting")
    assert TrialTable(2, 1, [probe, other], costs={**costs, "probe:other": 8.0}).remaining_seconds() == pytest.approx(
        12.0
    )
    training.state, training.epoch, training.epochs_timed, training.seconds = "running", 1, 1, 5.0
    assert TrialTable(2, 1, [probe, training], costs=costs).remaining_seconds() == pytest.approx(3 * 5 + 2 * 5)


def test_an_architecture_that_was_timed_speaks_for_its_own_and_not_for_others() -> None:
    slow = _row(1, "finished", epoch=4, epochs_timed=4, seconds=400.0)
    fast = TrialRow("f", "g", "quick", 4, "finished", epoch=4, epochs_timed=4, seconds=4.0)
    waiting = TrialRow("w", "g", "quick", 4, "waiting")
    costs = {"unet": 10.0, "quick": 10.0}
    assert TrialTable(3, 1, [slow, fast, waiting], costs=costs).remaining_seconds() == pytest.approx(4.0)


def test_a_search_learns_from_an_early_stopped_training_what_a_full_one_takes() -> None:
    """Two of four epochs took 20 s: one that is planned is taken to run four, and to score as long as two."""
    stopped = _row(1, "stopped", epoch=2, epochs_timed=2, seconds=20.0)
    waiting = _row(2, "waiting")
    assert TrialTable(2, 1, [stopped, waiting], costs={"unet": 7.0}).remaining_seconds() == pytest.approx(60.0)
