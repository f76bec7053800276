"""How the page writes numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sweep.cli.durations import duration
from sweep.report.blocks import Cell
from sweep.results.verdict import TIE_MARK


def score(value: float | None) -> str:
    """Return a score with three digits; empty for None."""
    return "" if value is None else f"{value:.3f}"


def score_cell(value: float | None, mark: str = "") -> Cell:
    """Return a score's cell."""
    return Cell(text=score(value) + (mark if value is not None else ""), value=value)


def mean_cell(row: dict[str, Any], name: str, mark: str = "") -> Cell:
    """Return a mean's cell with its 95 % interval below."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    below = "" if low is None or high is None else f"{low:.2f} to {high:.2f}"
    return replace(score_cell(row[name], mark), below=below)


def number_cell(value: float | None, form: str = "{:,.0f}") -> Cell:
    """Return a number's cell; empty for None."""
    return Cell(text="" if value is None else form.format(value), value=value)


def time_cell(seconds: float | None) -> Cell:
    """Return a duration's cell; empty for None."""
    return Cell(text="" if seconds is None else duration(seconds), value=seconds)


def span(row: dict[str, Any], name: str) -> str:
    """Return a column's 95 % interval, ``0.512 to 0.601``; empty where there is none."""
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def rank_cell(row: dict[str, Any]) -> Cell:
    """Return a rank's cell; those that are tied have a mark, the first one included."""
    mark = f" {TIE_MARK}" if row["tied"] else ""
    return Cell(text="" if row["rank"] is None else f"{row['rank']}{mark}", value=row["rank"])


def difference_cell(row: dict[str, Any]) -> Cell:
    """Return the cell of a difference to the winner, with its interval; empty for the winner."""
    text = "" if row["difference"] is None else f"{row['difference']:+.3f}"
    if text and span(row, "difference"):
        text += f" ({span(row, 'difference')})"
    return Cell(text=text, value=0.0 if row["rank"] == 1 else row["difference"])


def count(number: int, word: str) -> str:
    """Return ``1 tile``, ``2 tiles``."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")
