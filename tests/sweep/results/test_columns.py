"""The leaderboard's columns: one list, which terminal, Markdown, CSV, page and events all show."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sweep.cli.output import Events, Output
from sweep.cli.tables import Column, Sheet
from sweep.cli.terminal import Terminal
from sweep.records.experiment import Experiment
from sweep.records.trials import State, TrialPlan, TrialRecords
from sweep.report.compare import comparison
from sweep.report.data import ReportData
from sweep.report.ranking import leaderboard
from sweep.results.columns import COLUMNS, EVENT_FIELDS, FOR_PEOPLE, LeaderboardColumn, filled
from sweep.results.conclusion import conclude
from sweep.results.leaderboard import Leaderboard
from tests.cases.screens import printed, widest, words
from tests.reports import begin_experiment, plan_of
from tests.sweep.status.made import RECIPE

MIXED = [[50, 10], [10, 30]]


def _plan(attempt: str, **more: Any) -> TrialPlan:
    return plan_of(attempt, recipe=RECIPE, **more)


def _end(iou: float) -> dict[str, Any]:
    tiles = {f"v{number}": {"iou": iou + number / 100, "f1": iou, "confusion": MIXED} for number in range(4)}
    return {
        "epoch": 4, "val_iou": iou, "best_val_iou": iou, "best_epoch": 4, "train_loss": 0.5, "learning_rate": 1e-3,
        "val_loss": 0.5, "val_f1": iou, "seconds": 10.0, "done": True, "finished": True,
        "final_val_iou": iou + 0.015, "final_val_f1": iou, "final_tiles": tiles,
    }  # fmt: skip


Trials = Sequence[tuple[TrialPlan, State, float]]
PHASES: dict[str, Trials] = {
    "phase1": (
        (_plan("unet"), "finished", 0.6),
        (_plan("fpn"), "failed", 0.0),
        (_plan("psp"), "waiting", 0.0),
    ),
    "phase2": tuple(
        (_plan(f"{name}-1-seed{seed}", contest=name, candidate=f"{name}-1"), "finished", iou + seed / 50)
        for name, iou in (("unet", 0.5), ("fpn", 0.7))
        for seed in (1, 2)
    ),
    "phase3": tuple(
        (
            _plan(f"unet-{tiles}-{draw}", contender=f"unet-{tiles}tiles", tiles=("a",) * tiles, draw=draw),
            "finished",
            iou,
        )
        for tiles, iou in ((5, 0.4), (12, 0.5))
        for draw in (1, 2)
    ),
}


def _experiment(folder: Path, phase: str) -> Experiment:
    plans = [plan for plan, _, _ in PHASES[phase]]
    said = {"phase": phase, "profile": "demo", "ended": True, "provenance": {"command": "x"}, "options": {}}
    experiment = begin_experiment(folder, *plans, name=f"{phase}-demo", **said)
    records = TrialRecords(experiment)
    for plan, state, iou in PHASES[phase]:
        records.set_state(plan.attempt, state)
        if state == "finished":
            experiment.write(f"{plan.attempt}/reports.jsonl", f"{json.dumps(_end(iou))}\n".encode())
    return experiment


@pytest.fixture(params=PHASES)
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Leaderboard:
    return Leaderboard(_experiment(tmp_path, request.param))


def test_every_column_writes_every_row_of_every_phase(board: Leaderboard) -> None:
    assert board.rows
    for row in board.rows:
        for column in COLUMNS:
            assert isinstance(column.plain(row), str) and column.text(row).startswith(column.plain(row))
            assert set(column.fields) <= row.to_dict().keys()
            assert column.plain(row) or column.value(row) in (None, "")
    best = board.rows[0]
    assert {"rank", "model", "weights", "val IoU", "time"} <= {column.heading for column in filled(COLUMNS, [best])}


def test_headings_names_and_fields_are_one_columns_own() -> None:
    headings, names = [column.heading for column in COLUMNS], [column.name for column in COLUMNS]
    assert len(set(headings)) == len(headings) and len(set(names)) == len(names)
    fields = [name for column in COLUMNS for name in column.fields]
    assert len(set(fields)) == len(fields)


def test_the_csv_has_every_column_under_its_name_and_the_ends_of_every_interval(board: Leaderboard) -> None:
    rows = list(csv.DictReader(io.StringIO(board.csv())))
    ends = [f"{column.name} {end}" for column in COLUMNS if column.interval for end in ("low", "high")]
    assert list(rows[0]) == [*(column.name for column in COLUMNS), *ends]
    for written, row in zip(rows, board.rows, strict=True):
        assert written["rank"] == ("" if row.rank is None else str(row.rank)), "a tie has a column of its own"
        assert written["tied"] == ("yes" if row.tied else "no")
        low = row.val.iou.low if row.val.iou else None
        assert written["val IoU low"] == ("" if low is None else f"{low:.3f}")


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_a_terminal_shows_rank_model_and_score_at_any_width_and_says_what_it_left_out(
    board: Leaderboard, width: int
) -> None:
    text = printed(board.sheet(), width=width)
    assert widest(text) <= width
    for column in filled(FOR_PEOPLE, board.rows):
        assert column.heading in words(text) or column.short in words(text)
    assert all(row.val_iou is None or f"{row.val_iou:.3f}" in text for row in board.rows)


def test_markdown_page_and_comparison_have_the_same_headings(board: Leaderboard) -> None:
    shown = {column.heading for column in filled(FOR_PEOPLE, board.rows)}
    (head,) = [line for line in board.markdown().splitlines() if line.startswith("| rank |")]
    assert set(head.strip("| ").split(" | ")) == shown
    source = ReportData(board.experiment, board)
    (ranking,) = leaderboard(source).blocks
    assert set(ranking.columns) == shown  # type: ignore[union-attr]
    shutil.copytree(board.experiment.path(), Path(board.experiment.path()).with_name("other"))
    other = Experiment(board.experiment.storage, "other")
    sources = [source, ReportData(other, Leaderboard(other))]
    compared = [block for block in comparison(sources).blocks if block.kind == "table"]
    known = {"experiment", *(column.heading for column in FOR_PEOPLE)}
    assert compared and all({"experiment", "rank", "model"} <= set(one.columns) <= known for one in compared)  # type: ignore[union-attr]


def test_a_column_that_is_added_to_the_list_is_everywhere(board: Leaderboard, monkeypatch: pytest.MonkeyPatch) -> None:
    added = LeaderboardColumn(heading="GPU energy", short="energy", fields=("gpu_joules",), value=lambda row: "7 kJ")
    places = ("sweep.results.leaderboard", "sweep.report.ranking", "sweep.report.compare")
    for place in places:
        monkeypatch.setattr(f"{place}.FOR_PEOPLE", (*FOR_PEOPLE, added))
    monkeypatch.setattr("sweep.results.leaderboard.COLUMNS", (*COLUMNS, added))
    source = ReportData(board.experiment, board)
    (ranking,) = leaderboard(source).blocks
    assert "GPU energy" in ranking.columns  # type: ignore[union-attr]
    assert "GPU energy" in board.markdown() and "7 kJ" in printed(board.sheet(), width=140)
    assert all(row["energy"] == "7 kJ" for row in csv.DictReader(io.StringIO(board.csv())))


def test_events_have_the_fields_of_all_columns(board: Leaderboard) -> None:
    stream = io.StringIO()
    conclude(board.experiment, board, Output(Terminal(quiet=True), Terminal(quiet=True), Events(stream)))
    told = {
        "rank", "entry", "architecture", "title", "status", "unranked", "weights", "tiles", "attempts", "repeats",
        "repeats_failed", "learning_rate", "augmentation", "decoder_dropout", "bce_weight", "best_epoch", "epochs",
        "val_iou", "val_iou_low", "val_iou_high", "val_f1", "tied", "collapsed", "collapsed_trainings",
        "probability_best", "test_iou", "test_iou_low", "test_iou_high", "test_f1", "test_readings", "seconds",
    }  # fmt: skip
    events = [one for one in map(json.loads, stream.getvalue().splitlines()) if one["event"] == "leaderboard"]
    assert len(events) == len(board.rows) and told <= set(events[0]) == {"event", "time", *EVENT_FIELDS}


def test_a_heading_is_short_where_the_whole_one_would_widen_its_column() -> None:
    column = Column(heading="augmentation", short="aug", value=lambda row: row)
    assert "augmentation" in printed(Sheet("", [column], ["LIGHT"]), width=40)
    assert words(printed(Sheet("", [column, column], ["LIGHT"]), width=14)).startswith("aug aug")
