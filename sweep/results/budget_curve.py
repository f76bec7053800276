"""How IoU falls with fewer tiles: a table, a Parquet file and a plot."""

from __future__ import annotations

import io
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import pyarrow as pa
from rich.console import Console

from sweep.cli.tables import Column, Sheet
from sweep.records.experiment import Experiment
from sweep.results.entries import label_of
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
Rows = Sequence[dict[str, Any]]


def write_curve(experiment: Experiment, board: Leaderboard) -> list[str]:
    """Write ``budget_curve.{parquet,md}`` and ``budget_curve_{val,test}.png``.

    Args:
        experiment: Where to.
        board: Its leaderboard: a contender for each architecture and budget, a training for each draw.

    Returns:
        The plots' paths.
    """
    trainings = [training for entry in board.entries for training in entry.trainings]
    trainings.sort(key=lambda row: (row["architecture"], row["tiles"], row["draw"]))
    table = pa.Table.from_pylist([{name: row[name] for name in SCHEMA.names} for row in trainings], schema=SCHEMA)
    experiment.write_table(CURVE_FILE, table)
    experiment.write("budget_curve.md", _markdown(trainings, board).encode())
    written = []
    for split in ("val", "test"):
        if any(row[f"{split}_iou"] is not None for row in board.rows):
            name = f"budget_curve_{split}.png"
            fits = board.scalings if split == "val" else []
            experiment.write(name, draw_curve(board.rows, trainings, fits, split, board.title))
            written.append(experiment.path(name))
    return written


def _markdown(trainings: Rows, board: Leaderboard) -> str:
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


def print_curve(rows: Rows, console: Console) -> None:
    """Show mean IoU by architecture and budget, with its 95 % interval.

    Args:
        rows: The leaderboard's.
        console: Where to print.
    """
    split = "test" if rows and all(row["test_iou"] is not None for row in rows) else "val"
    budgets = sorted({row["tiles"] for row in rows})
    columns = [Column(heading="model", value=itemgetter(0), least=24)]
    columns += [
        Column(heading=f"{budget} tiles", value=itemgetter(index), right=True, least=16)
        for index, budget in enumerate(budgets, 1)
    ]
    cells = {(label_of(row), row["tiles"]): _span(row, f"{split}_iou") for row in rows}
    lines = [
        (label, *(cells.get((label, budget), "") for budget in budgets)) for label in dict.fromkeys(map(label_of, rows))
    ]
    console.print(Sheet(f"{split} IoU by train tiles: mean (95 % interval)", columns, lines))


def _span(row: dict[str, Any], name: str) -> str:
    if row[name] is None:
        return row["unranked"] or "-"
    mean = f"{row[name]:.3f}"
    ends = "" if row[f"{name}_low"] is None else f" ({row[f'{name}_low']:.3f} to {row[f'{name}_high']:.3f})"
    return mean + ends + (f" [{row['unranked']}]" if row["unranked"] else "")


def draw_curve(rows: Rows, trainings: Rows, fits: Sequence[Scaling], split: str, title: str) -> bytes:
    """Plot IoU against tiles: a line an architecture through the means with a 95 % band, and a dot a draw.

    Args:
        rows: The leaderboard's.
        trainings: A row a draw.
        fits: What continues a line beyond what was measured, dashed; those that were withheld are not drawn.
        split: ``val`` or ``test``.
        title: Written at the top.

    Returns:
        A PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    score = f"{split}_iou"
    shown = sorted((row for row in rows if row[score] is not None), key=lambda row: row["tiles"])
    ticks = {row["tiles"] for row in shown}
    for number, label in enumerate(dict.fromkeys(map(label_of, rows))):  # a model has one colour in both splits
        if all(label_of(row) != label for row in shown):
            continue
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        line = [row for row in shown if label_of(row) == label]
        tiles = [row["tiles"] for row in line]
        axes.plot(tiles, [row[score] for row in line], color=colour, marker=marker, markersize=8, label=label)
        if all(row[f"{score}_low"] is not None for row in line):
            low, high = ([row[f"{score}_{end}"] for row in line] for end in ("low", "high"))
            axes.fill_between(tiles, low, high, color=colour, alpha=0.15, linewidth=0)
        dots = [row for row in trainings if label_of(row) == label and row[score] is not None]
        axes.scatter(
            [row["tiles"] for row in dots], [row[score] for row in dots], color=colour, marker=marker, s=16, zorder=3
        )
        for fit in fits:
            if fit.title == label and fit.gain is not None:
                beyond = {point: one.mean for point, one in fit.curve.items() if point >= fit.tiles[-1]}
                axes.plot(list(beyond), list(beyond.values()), color=colour, linestyle="--", label="extrapolated")
                ticks.add(2 * fit.tiles[-1])
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted(ticks), [str(tick) for tick in sorted(ticks)])
    axes.minorticks_off()
    axes.set_xlabel("labelled train tiles")
    axes.set_ylabel(f"{split} IoU, mean over tiles")
    axes.set_title(title, fontsize=10, parse_math=False)  # a name may hold a dollar
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9)
    data = io.BytesIO()
    figure.savefig(data, format="png")
    return data.getvalue()


COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
"""Told apart with every common colour blindness (after Okabe and Ito, 2008), and without colour."""
