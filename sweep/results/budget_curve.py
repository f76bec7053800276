"""How IoU falls with fewer tiles: a table, a Parquet file and a plot."""

from __future__ import annotations

import io
from collections.abc import Sequence
from statistics import mean
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from sweep.engine.experiment import Experiment
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
Points = dict[str, dict[int, list[float]]]
"""Title to number of tiles to a score a draw."""


def write_curve(experiment: Experiment, rows: Sequence[dict[str, Any]], title: str) -> list[str]:
    """Write ``budget_curve.{parquet,md}`` and ``budget_curve_{val,test}.png``.

    Args:
        experiment: Where to.
        rows: The leaderboard's rows: one an architecture, budget and draw.
        title: Of the experiment and its data.

    Returns:
        The plots' paths.
    """
    ordered = sorted(rows, key=lambda row: (row["architecture"], row["tiles"], row["draw"]))
    table = pa.Table.from_pylist([{name: row[name] for name in SCHEMA.names} for row in ordered], schema=SCHEMA)
    experiment.write_table(CURVE_FILE, table)
    experiment.write("budget_curve.md", _markdown(ordered, title).encode())
    written = []
    for split in ("val", "test"):
        if points := points_of(ordered, split):
            name = f"budget_curve_{split}.png"
            experiment.write(name, draw_curve(points, split, title))
            written.append(experiment.path(name))
    return written


def _markdown(rows: Sequence[dict[str, Any]], title: str) -> str:
    """Return the scores of every training, and the tiles of every draw."""
    lines = [
        f"# {markdown_cell(title)}",
        "",
        "| model | weights | tiles | draw | val IoU | test IoU |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for row in rows:
        scores = ["" if row[name] is None else f"{row[name]:.3f}" for name in ("val_iou", "test_iou")]
        lines.append(f"| {row['title']} | {row['weights']} | {row['tiles']} | {row['draw']} | {' | '.join(scores)} |")
    lines += ["", "## Draws", ""]
    drawn = {(row["tiles"], row["draw"]): row["tile_names"] for row in rows}
    lines += [
        f"- {tiles} tiles, draw {draw}: {markdown_cell(', '.join(names))}"
        for (tiles, draw), names in sorted(drawn.items())
    ]
    return "\n".join([*lines, ""])


def points_of(rows: Sequence[dict[str, Any]], split: str) -> Points:
    """Group the scores of a split; a trial without one is left out."""
    points: Points = {}
    for row in rows:
        if row[f"{split}_iou"] is not None:
            label = f"{row['title']} ({row['weights']})"
            points.setdefault(label, {}).setdefault(row["tiles"], []).append(row[f"{split}_iou"])
    return points


def print_curve(rows: Sequence[dict[str, Any]], console: Console) -> None:
    """Show mean IoU by architecture and budget, with the span over draws."""
    split = "test" if rows and all(row["test_iou"] is not None for row in rows) else "val"
    points = points_of(rows, split)
    budgets = sorted({tiles for row in points.values() for tiles in row})
    table = Table(title=f"{split} IoU by train tiles: mean over draws, lowest to highest", title_justify="left")
    table.add_column("model")
    for budget in budgets:
        table.add_column(f"{budget} tiles", justify="right")
    for label, by_budget in points.items():
        table.add_row(label, *(_span(by_budget.get(budget, [])) for budget in budgets))
    console.print(table)


def _span(scores: Sequence[float]) -> str:
    if not scores:
        return ""
    return f"{mean(scores):.3f}" + (f" ({min(scores):.3f} to {max(scores):.3f})" if len(scores) > 1 else "")


def draw_curve(points: Points, split: str, title: str) -> bytes:
    """Plot IoU against tiles: a line an architecture through the means, a dot a draw, a band from lowest to highest.

    Returns:
        A PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    budgets = sorted({tiles for by_budget in points.values() for tiles in by_budget})
    for number, (label, by_budget) in enumerate(points.items()):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        tiles = sorted(by_budget)
        axes.plot(
            tiles, [mean(by_budget[one]) for one in tiles], color=colour, marker=marker, markersize=8, label=label
        )
        lowest, highest = [min(by_budget[one]) for one in tiles], [max(by_budget[one]) for one in tiles]
        axes.fill_between(tiles, lowest, highest, color=colour, alpha=0.15, linewidth=0)
        for one in tiles:
            axes.scatter([one] * len(by_budget[one]), by_budget[one], color=colour, marker=marker, s=16, zorder=3)
    axes.set_xscale("log", base=2)
    axes.set_xticks(budgets, [str(budget) for budget in budgets])
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
