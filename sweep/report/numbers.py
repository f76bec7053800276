"""How the page writes numbers."""

from __future__ import annotations

from math import isnan
from typing import Any

from sweep.cli.durations import duration
from sweep.cli.tables import Column
from sweep.report.blocks import Cell


def score(value: float | None) -> str:
    """Return a score with three digits; empty for None."""
    return "" if value is None else f"{value:.3f}"


def score_cell(value: float | None) -> Cell:
    """Return a score's cell."""
    return Cell(text=score(value), value=value)


def number_cell(value: float | None, form: str = "{:,.0f}") -> Cell:
    """Return a number's cell; empty for None."""
    return Cell(text="" if value is None else form.format(value), value=value)


def time_cell(seconds: float | None) -> Cell:
    """Return a duration's cell; empty for None."""
    return Cell(text="" if seconds is None else duration(seconds), value=seconds)


def column_cell(column: Column, row: Any) -> Cell:
    """Return a row's cell of a table that the terminal shows, too; it is sorted by the column's value."""
    value = column.value(row)
    if isinstance(value, int | float) and not isnan(value):
        return Cell(text=column.text(row), value=value)
    return Cell(text=column.text(row))
