"""A contender that predicts a single class everywhere is marked, and no merit is made of its IoU."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution

from sweep.planning.plan import StudyPlan
from sweep.planning.policy import NoHalving
from sweep.records.experiment import Experiment
from sweep.records.trials import TrialRecords
from sweep.records.winners import winners
from sweep.report.answer import answer
from sweep.report.compare import comparison
from sweep.report.data import ReportData
from sweep.report.ranking import leaderboard
from sweep.results.leaderboard import Leaderboard
from sweep.search.journal import open_studies
from sweep.search.study_group import StudyGroup
from sweep.status.snapshot import SnapshotReader
from tests.reports import plan_of
from tests.rows import result_of
from tests.sweep.status.made import RECIPE, Made
from trainables.errors import ExperimentError
from trainables.storage import Storage

TILES = 4
MIXED = [[50, 10], [10, 30]]
ROOFS = [[0, 60], [0, 40]]
NOTHING = [[60, 0], [40, 0]]
Matrix = Sequence[Sequence[int]]


def end(iou: float, confusion: Matrix) -> dict[str, Any]:
    tiles = {f"v{number}": {"iou": iou + number / 100, "f1": iou, "confusion": confusion} for number in range(TILES)}
    return {
        "epoch": 4, "val_iou": iou, "best_val_iou": iou, "best_epoch": 4, "train_loss": 0.5, "learning_rate": 1e-3,
        "val_loss": 0.5, "val_f1": iou, "seconds": 10.0, "done": True, "finished": True,
        "final_val_iou": iou + 0.015, "final_val_f1": iou, "final_tiles": tiles,
    }  # fmt: skip


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Made]:
    """Return a function that writes an ended sweep: a trial for each IoU and confusion matrix a tile."""

    def write(*trials: tuple[float, Matrix], **data: Any) -> Made:
        made = Made(tmp_path / "results", len(trials))
        made.describe(ended=True, options={})
        if data:
            description = made.experiment.description
            made.describe(ended=True, options={}, data={**description["data"], **data})
        for number, trial in enumerate(trials, start=1):
            made.trial(number, "finished", end(*trial))
        return made

    return write


def test_it_is_marked_in_table_json_csv_and_on_the_page(made: Callable[..., Made]) -> None:
    experiment = made((0.6, MIXED), (0.3, ROOFS)).experiment
    board = Leaderboard(experiment)
    first, last = board.rows
    assert (first.collapsed, first.collapsed_trainings) == ("", 0)
    assert (last.collapsed, last.collapsed_trainings) == ("foreground", 1)
    assert "[collapsed]" in board.markdown() and board.markdown().count("[collapsed]") == 1
    assert [row["collapsed"] for row in csv.DictReader(io.StringIO(board.csv()))] == ["", "foreground"]
    assert any("it predicts foreground everywhere on val" in note for note in board.notes)
    (table,) = leaderboard(ReportData(experiment, board)).blocks
    assert [row.cells[0].text.endswith("[collapsed]") for row in table.rows] == [False, True]  # type: ignore[union-attr]
    shutil.copytree(experiment.path(), Path(experiment.path()).with_name("other"))
    other = Experiment(experiment.storage, "other")
    sources = [ReportData(one, Leaderboard(one)) for one in (experiment, other)]
    (compared, *_) = comparison(sources).blocks[1:]
    assert [row.cells[0].text.endswith("[collapsed]") for row in compared.rows] == [False, False, True, True]  # type: ignore[union-attr]


def test_it_ranks_after_the_others_and_nobody_is_best_where_it_has_the_highest_iou(made: Callable[..., Made]) -> None:
    source = ReportData.read(made((0.7, ROOFS), (0.6, MIXED)).experiment)
    assert [(row.contender, row.rank, row.tied) for row in source.rows] == [
        ("unet-2", 1, True),
        ("unet-1", 2, True),
    ]
    assert source.rows[1].difference.mean == pytest.approx(0.1)  # type: ignore[union-attr]
    told = answer(source)
    assert told.verdict == "No model has learned: none has a higher val IoU than a single class everywhere."
    assert "predicts foreground everywhere and has a val IoU of 0.715;" in told.reasons[0]
    assert "the best of the others, has 0.615" in told.reasons[0]
    assert not any("ahead" in line for line in source.board.answer)
    (table,) = leaderboard(source).blocks
    assert [(row.cells[1].text, row.strong) for row in table.rows] == [("1=", False), ("2=", False)]  # type: ignore[union-attr]


def test_of_several_that_all_collapsed_none_is_ahead(made: Callable[..., Made]) -> None:
    board = Leaderboard(made((0.4, ROOFS), (0.0, NOTHING)).experiment)
    assert all(row.tied and row.probability_best is None for row in board.rows)
    assert board.answer == [
        "No model has learned: all 2 predict a single class everywhere; the highest val IoU, 0.415, is that of "
        "foreground everywhere."
    ]


def test_one_alone_that_collapsed_has_not_learned(made: Callable[..., Made]) -> None:
    source = ReportData.read(made((0.4, ROOFS)).experiment)
    (line,) = source.board.answer
    assert "has not learned: it predicts foreground everywhere (val IoU 0.415)." in line
    assert answer(source).verdict.startswith("No model has learned:")
    assert not any("ranks after" in note for note in source.board.notes)


def test_it_is_not_recommended_for_its_short_training(made: Callable[..., Made]) -> None:
    source = ReportData.read(made((0.6, MIXED), (0.5, ROOFS)).experiment)
    board = source.board
    tied = tuple(replace(row, tied=True) for row in board.rows)
    board.standings = [replace(board.standings[0], rows=tied, inconclusive=None)]
    assert not any("shortest training" in reason for reason in answer(source).reasons)


def test_tiles_that_show_a_single_class_let_nobody_collapse(made: Callable[..., Made]) -> None:
    board = Leaderboard(made((1.0, [[100, 0], [0, 0]])).experiment)
    assert board.rows[0].collapsed == "" and not any("everywhere" in line for line in board.answer)


def test_of_many_classes_one_everywhere_is_one_everywhere(made: Callable[..., Made]) -> None:
    task = {"kind": "multiclass", "classes": ["land", "water", "road"]}
    water, two = [[0, 9, 0], [0, 5, 0], [0, 4, 0]], [[9, 0, 0], [0, 5, 0], [0, 4, 0]]
    board = Leaderboard(made((0.5, two), (0.3, water), task=task).experiment)
    assert [row.collapsed for row in board.rows] == ["", "water"]


def test_another_class_on_another_tile_is_no_collapse(made: Callable[..., Made]) -> None:
    made_up = made((0.6, MIXED), (0.5, ROOFS))
    reports = json.loads(made_up.experiment.read("unet-2/reports.jsonl"))
    reports["final_tiles"]["v0"]["confusion"] = NOTHING
    made_up.experiment.write("unet-2/reports.jsonl", f"{json.dumps(reports)}\n".encode())
    assert [row.collapsed for row in Leaderboard(made_up.experiment).rows] == ["", ""]


def test_it_wins_no_contest_against_one_that_did_not_collapse() -> None:
    trials = [
        result_of("a", 0.7, contest="unet", collapsed="roof"),
        result_of("b", 0.6, contest="unet"),
    ]
    assert [one.attempt for one in winners(trials)["unet"]] == ["b"]
    assert [one.attempt for one in winners(trials[:1])["unet"]] == ["a"]


def test_a_search_confirms_it_only_where_there_is_no_other(tmp_path: Path) -> None:
    experiment = Experiment(Storage.open(str(tmp_path)), "e")
    space: dict[str, BaseDistribution] = {"augmentation": CategoricalDistribution(("LIGHT", "MEDIUM", "HEAVY"))}
    plan = StudyPlan(template=plan_of(recipe=RECIPE), space=space, trials=3, confirm=2)
    group = StudyGroup(plan, NoHalving(), open_studies(experiment, None), "e", TrialRecords(experiment), 42)
    confirmed = []
    while trial := group.next():
        augmentation = trial.recipe.augmentation
        if "-seed" in trial.attempt:
            confirmed.append(augmentation)
        quality = {"LIGHT": 0.5, "MEDIUM": 0.6, "HEAVY": 0.7}[augmentation]
        group.on_end(trial.attempt, "finished", end(quality, ROOFS if augmentation == "HEAVY" else MIXED))
    assert list(dict.fromkeys(confirmed)) == ["MEDIUM", "LIGHT"]


def test_status_calls_it_best_only_where_there_is_no_other(made: Callable[..., Made]) -> None:
    (best,) = SnapshotReader(made((0.7, ROOFS), (0.6, MIXED)).experiment).look().best
    assert (best.attempt, best.collapsed) == ("unet-2", "")


def test_a_confusion_matrix_of_classes_that_there_are_not_is_damage(made: Callable[..., Made]) -> None:
    with pytest.raises(ExperimentError, match="its records are damaged"):
        Leaderboard(made((0.7, [[0, 0, 9], [0, 0, 9], [0, 0, 0]])).experiment)
