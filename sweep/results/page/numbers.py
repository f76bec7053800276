"""How the page writes numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sweep.engine.durations import duration
from sweep.results.page.blocks import Cell


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


def listing(words: list[str], limit: int = 4) -> str:
    """Return ``a, b and c``; a long list is cut."""
    if len(words) > limit:
        words = [*words[: limit - 1], f"{len(words) - limit + 1} more"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def count(number: int, word: str) -> str:
    """Return ``1 tile``, ``2 tiles``."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")
