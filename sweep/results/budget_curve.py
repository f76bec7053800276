"""How IoU falls with fewer tiles: a table, a Parquet file and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from rich.console import Console

from sweep.charts.picture import picture
from sweep.cli.tables import Column, Sheet
from sweep.records.experiment import Experiment
from sweep.results.budget_chart import budget_chart, model_numbers
from sweep.results.leaderboard import Leaderboard
from sweep.results.rows import LeaderboardRow, ScoredTrial
from sweep.results.scaling import Scaling
from trainables.escaping import markdown_cell
from trainables.wording import counted

CURVE_FILE = "budget_curve.parquet"
SCHEMA = pa.schema(
    [
        ("architecture", pa.string()),
        ("title", pa.string()),
        ("weights", pa.string()),
        ("tiles", pa.int64()),
        ("draw", pa.int64()),
        ("attempt", pa.string()),
        ("status", pa.string()),
        ("val_iou", pa.float64()),
        ("val_f1", pa.float64()),
        ("test_iou", pa.float64()),  # null until the test split has been read
        ("test_f1", pa.float64()),
        ("tile_names", pa.list_(pa.string())),
        ("synthetic", pa.bool_()),
    ]
)


def write_curve(experiment: Experiment, board: Leaderboard) -> list[str]:
    """Write ``budget_curve.{parquet,md}`` and ``budget_curve_{val,test}.svg``.

    Args:
        experiment: Where to.
        board: Its leaderboard: a contender for each architecture and budget, a training for each draw.

    Returns:
        The plots' paths.
    """
    trainings = [training for contender in board.contenders for training in contender.trainings]
    trainings.sort(key=lambda row: (row.architecture, row.tiles, row.draw))
    experiment.write_table(CURVE_FILE, pa.Table.from_pylist([row.to_dict() for row in trainings], schema=SCHEMA))
    experiment.write("budget_curve.md", _markdown(trainings, board).encode())
    written = []
    for split in ("val", "test"):
        if any(row.on(split).iou for row in board.rows):
            name = f"budget_curve_{split}.svg"
            fits = board.scalings if split == "val" else []
            experiment.write(name, draw_curve(board.rows, trainings, fits, split, board.title))
            written.append(experiment.path(name))
    return written


def _markdown(trainings: Sequence[ScoredTrial], board: Leaderboard) -> str:
    """Return what it means, the scores of every training, and the tiles of every draw."""
    lines = [
        f"# {markdown_cell(board.title)}",
        "",
        *(f"- {markdown_cell(scaling.sentence)}" for scaling in board.scalings),
        "",
        "| model | weights | tiles | draw | val IoU | test IoU |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for row in trainings:
        scores = ["" if iou is None else f"{iou:.3f}" for iou in (row.val_iou, row.test_iou)]
        cells = [markdown_cell(str(cell)) for cell in (row.title, row.weights, row.tiles, row.draw)]
        lines.append(f"| {' | '.join([*cells, *scores])} |")
    lines += ["", "## Draws", ""]
    drawn = {(row.tiles, row.draw): row for row in trainings}
    for (tiles, draw), row in sorted(drawn.items()):
        each = f" in each of {row.folds} folds" if row.folds else ""
        lines.append(f"- {counted(tiles, 'tile')}{each}, draw {draw}: {markdown_cell(', '.join(row.tile_names))}")
    return "\n".join([*lines, ""])


@dataclass(frozen=True, kw_only=True)
class BudgetLine:
    """An architecture's contenders, one for each number of tiles.

    Attributes:
        label: The architecture's title.
        architecture: Its name.
        rows: Tiles to the leaderboard's row.
    """

    label: str
    architecture: str
    rows: Mapping[int, LeaderboardRow]


def budget_table(rows: Sequence[LeaderboardRow], split: str) -> tuple[str, list[Column], list[BudgetLine]]:
    """Return the title, columns and lines of mean IoU by architecture and budget, for a terminal and the page.

    Args:
        rows: The leaderboard's.
        split: ``val`` or ``test``.
    """
    found: dict[str, dict[int, LeaderboardRow]] = {}
    for row in rows:
        found.setdefault(row.title, {})[row.tiles] = row
    lines = [
        BudgetLine(label=label, architecture=next(iter(own.values())).architecture, rows=own)
        for label, own in found.items()
    ]
    columns = [Column(heading="model", value=lambda line: line.label, least=24)]
    columns += [_column(budget, split) for budget in sorted({row.tiles for row in rows})]
    return f"{split} IoU by train tiles: mean (95 % interval)", columns, lines


def print_curve(rows: Sequence[LeaderboardRow], console: Console) -> None:
    """Show mean IoU by architecture and budget, with its 95 % interval.

    Args:
        rows: The leaderboard's.
        console: Where to print.
    """
    split = "test" if rows and all(row.test.iou for row in rows) else "val"
    console.print(Sheet(*budget_table(rows, split)))


def _column(budget: int, split: str) -> Column:
    def value(line: BudgetLine) -> float | str | None:
        row = line.rows.get(budget)
        if row is None:
            return None
        return row.iou_on(split) if row.on(split).iou else _span(row, split)

    return Column(
        heading=counted(budget, "tile"),
        value=value,
        write=lambda line: _span(line.rows[budget], split),
        right=True,
        least=16,
    )


def _span(row: LeaderboardRow, split: str) -> str:
    iou = row.on(split).iou
    if iou is None:
        return row.unranked or "-"
    return iou.text() + (f" [{row.unranked}]" if row.unranked else "")


def draw_curve(
    rows: Sequence[LeaderboardRow], trainings: Sequence[ScoredTrial], fits: Sequence[Scaling], split: str, title: str
) -> bytes:
    """Return the chart of a split as an SVG file, see ``budget_chart``."""
    size = (720, 420)
    labels = {row.architecture: row.title for row in rows if row.on(split).iou}
    numbers = model_numbers(rows)
    legend = [(numbers[name], label) for name, label in labels.items()]
    return picture(title, [("", budget_chart(rows, trainings, fits, split, size))], legend, size=size)
