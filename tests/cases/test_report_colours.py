"""A model has one colour and shape throughout a report, whatever the order of tables and charts."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from sweep.report.budget import budget_section
from sweep.report.curves import learning_curves
from sweep.report.data import CurvePoint, ReportData
from sweep.results.budget_curve import draw_curve
from sweep.results.rows import LeaderboardRow, Means
from sweep.results.statistics import Interval
from tests.rows import row_of


def _row(name: str, tiles: int, iou: float) -> LeaderboardRow:
    return row_of(
        f"{name}-{tiles}tiles-draw1",
        Interval(mean=iou),
        contender=f"{name}-{tiles}tiles",
        architecture=name,
        title=name.title(),
        weights="from scratch",
        tiles=tiles,
        draw=1,
        epochs=2,
    )


ROWS = [_row("fpn", 12, 0.7), _row("unet", 12, 0.6), _row("unet", 24, 0.9), _row("fpn", 24, 0.8)]
"""As a leaderboard has them: each number of tiles with its own order."""


class FakeSource(ReportData):
    """A Phase 3 whose rows are given."""

    phase = "phase3"

    def epochs(self, attempts: set[str]) -> dict[str, list[CurvePoint]]:
        """Return two epochs of each."""
        return {
            attempt: [CurvePoint(epoch=epoch, train_loss=0.5, val_loss=0.4, val_iou=0.6) for epoch in (1, 2)]
            for attempt in attempts
        }


def _source() -> FakeSource:
    planned = sorted(ROWS, key=lambda row: row.architecture, reverse=True)
    contenders = [SimpleNamespace(row=row, trainings=(row,)) for row in planned]
    board: Any = SimpleNamespace(rows=ROWS, trials=ROWS, contenders=contenders, scalings=[])
    return FakeSource(SimpleNamespace(), board)  # type: ignore[arg-type]


def test_rows_of_one_model_share_its_colour_at_every_number_of_tiles() -> None:
    assert _source().numbers == {"fpn-12tiles": 0, "fpn-24tiles": 0, "unet-12tiles": 1, "unet-24tiles": 1}


def test_the_budget_curve_its_legend_and_its_table_agree_with_the_leaderboard() -> None:
    source = _source()
    section = budget_section(source)
    assert section is not None
    charts, table = section.blocks
    assert {key.architecture: key.number for key in charts.legend} == source.model_numbers  # type: ignore[union-attr]
    assert {row.architecture: row.number for row in table.rows} == source.model_numbers  # type: ignore[union-attr]
    drawn = set(re.findall(r'<g class="s(\d)" data-architecture="(\w+)"', charts.charts[0].svg))  # type: ignore[union-attr]
    assert {name: int(number) for number, name in drawn} == source.model_numbers


def test_learning_curves_of_one_model_do_not_meet_in_one_chart() -> None:
    section = learning_curves(_source())
    assert section is not None
    charts = section.blocks[0]
    assert [key.label for key in charts.legend] == ["Fpn", "Unet"]  # type: ignore[union-attr]
    assert [chart.title for chart in charts.charts][:4] == [  # type: ignore[union-attr]
        "train loss, 12 tiles",
        "val loss, 12 tiles",
        "val IoU of crops, 12 tiles",
        "train loss, 24 tiles",
    ]
    for chart in charts.charts:  # type: ignore[union-attr]
        assert len(re.findall(r'<g class="s0"', chart.svg)) == 1 == len(re.findall(r'<g class="s1"', chart.svg))


def test_a_model_keeps_its_colour_where_test_was_read_of_others_only() -> None:
    read = Means(iou=Interval(mean=0.5))
    rows = [replace(row, test=read, test_iou=0.5) if row.architecture == "unet" else row for row in ROWS]
    drawn = draw_curve(rows, rows, [], "test", "x").decode()
    found = set(re.findall(r'<g class="s(\d)" data-architecture="(\w+)"', drawn))
    assert found == {("1", "unet")}, "the second of the leaderboard, also alone"
    assert re.findall(r'<svg class="key s(\d)"', drawn) == ["1"] and ">Unet<" in drawn
