"""How IoU falls with fewer tiles: a table, a Parquet file and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from rich.console import Console

from sweep.charts.picture import picture
from sweep.cli.tables import Column, Sheet
from sweep.records.experiment import Experiment
from sweep.records.winners import Row
from sweep.results.budget_chart import budget_chart, model_numbers
from sweep.results.contenders import label_of
from sweep.results.leaderboard import Leaderboard
from sweep.results.scaling import Scaling
from trainables.escaping import markdown_cell

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
    trainings.sort(key=lambda row: (row["architecture"], row["tiles"], row["draw"]))
    table = pa.Table.from_pylist([{name: row[name] for name in SCHEMA.names} for row in trainings], schema=SCHEMA)
    experiment.write_table(CURVE_FILE, table)
    experiment.write("budget_curve.md", _markdown(trainings, board).encode())
    written = []
    for split in ("val", "test"):
        if any(row[f"{split}_iou"] is not None for row in board.rows):
            name = f"budget_curve_{split}.svg"
            fits = board.scalings if split == "val" else []
            experiment.write(name, draw_curve(board.rows, trainings, fits, split, board.title))
            written.append(experiment.path(name))
    return written


def _markdown(trainings: Sequence[Row], board: Leaderboard) -> str:
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
        scores = ["" if row[name] is None else f"{row[name]:.3f}" for name in ("val_iou", "test_iou")]
        cells = [markdown_cell(str(row[name])) for name in ("title", "weights", "tiles", "draw")]
        lines.append(f"| {' | '.join([*cells, *scores])} |")
    lines += ["", "## Draws", ""]
    drawn = {(row["tiles"], row["draw"]): row["tile_names"] for row in trainings}
    lines += [
        f"- {tiles} tiles, draw {draw}: {markdown_cell(', '.join(names))}"
        for (tiles, draw), names in sorted(drawn.items())
    ]
    return "\n".join([*lines, ""])


@dataclass(frozen=True, kw_only=True)
class BudgetLine:
    """An architecture's contenders, one for each number of tiles.

    Attributes:
        label: The architecture's title, with the weights that it started from.
        architecture: Its name.
        rows: Tiles to the leaderboard's row.
    """

    label: str
    architecture: str
    rows: Mapping[int, Row]


def budget_table(rows: Sequence[Row], split: str) -> tuple[str, list[Column], list[BudgetLine]]:
    """Return the title, columns and lines of mean IoU by architecture and budget, for a terminal and the page.

    Args:
        rows: The leaderboard's.
        split: ``val`` or ``test``.
    """
    found: dict[str, dict[int, Row]] = {}
    for row in rows:
        found.setdefault(label_of(row), {})[row["tiles"]] = row
    lines = [
        BudgetLine(label=label, architecture=next(iter(own.values()))["architecture"], rows=own)
        for label, own in found.items()
    ]
    columns = [Column(heading="model", value=lambda line: line.label, least=24)]
    columns += [_column(budget, f"{split}_iou") for budget in sorted({row["tiles"] for row in rows})]
    return f"{split} IoU by train tiles: mean (95 % interval)", columns, lines


def print_curve(rows: Sequence[Row], console: Console) -> None:
    """Show mean IoU by architecture and budget, with its 95 % interval.

    Args:
        rows: The leaderboard's.
        console: Where to print.
    """
    split = "test" if rows and all(row["test_iou"] is not None for row in rows) else "val"
    console.print(Sheet(*budget_table(rows, split)))


def _column(budget: int, name: str) -> Column:
    def value(line: BudgetLine) -> float | str | None:
        row = line.rows.get(budget)
        if row is None:
            return None
        return row["unranked"] or "-" if row[name] is None else row[name]

    return Column(
        heading=f"{budget} tiles",
        value=value,
        write=lambda line: _span(line.rows[budget], name),
        right=True,
        least=16,
    )


def _span(row: Row, name: str) -> str:
    if row[name] is None:
        return row["unranked"] or "-"
    mean = f"{row[name]:.3f}"
    ends = "" if row[f"{name}_low"] is None else f" ({row[f'{name}_low']:.3f} to {row[f'{name}_high']:.3f})"
    return mean + ends + (f" [{row['unranked']}]" if row["unranked"] else "")


def draw_curve(rows: Sequence[Row], trainings: Sequence[Row], fits: Sequence[Scaling], split: str, title: str) -> bytes:
    """Return the chart of a split as an SVG file, see ``budget_chart``."""
    size = (720, 420)
    labels = {row["architecture"]: label_of(row) for row in rows if row[f"{split}_iou"] is not None}
    numbers = model_numbers(rows)
    legend = [(numbers[name], label) for name, label in labels.items()]
    return picture(title, [("", budget_chart(rows, trainings, fits, split, size))], legend, size=size)
