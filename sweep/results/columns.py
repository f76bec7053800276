"""The leaderboard's columns: terminal, Markdown, CSV, the page's ranking and the events all follow from them.

To add a column, add it to ``COLUMNS``; a value that no row has yet comes from ``sweep/results/contenders.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sweep.cli.durations import duration
from sweep.cli.tables import ALWAYS, Column
from sweep.records.winners import Row
from sweep.results.verdict import TIE_MARK, share
from trainables.task import Task

MODEL_WIDTH = 24
"""Characters down to which the models' names are wrapped before another column leaves."""
MAIN = 5
"""The lowest priority of those that say who is best: the others are detail and recipe."""
AGAIN_MARK = "*"
LEAK_MARK = "[leak]"
COLLAPSE_MARK = "[collapsed]"


@dataclass(frozen=True, kw_only=True)
class LeaderboardColumn(Column):
    """A column of the leaderboard; its ``value`` takes a row of ``Leaderboard.rows``.

    Attributes:
        fields: The row's values that it shows, under the names that a ``leaderboard`` event gives them.
        mean: The row's name of a mean, of which ``NAME_low`` and ``NAME_high`` are the 95 % interval; empty for others.
        mark: What people see behind the cell, and leaderboard.csv has in a column of its own.
        drawn: Whether the page draws the mean and its interval, too.
        file_only: Whether it is in leaderboard.csv only, since people see it as a mark or as part of a name.
    """

    fields: tuple[str, ...]
    mean: str = ""
    mark: Callable[[Row], str] = lambda row: ""
    drawn: bool = False
    file_only: bool = False

    @property
    def name(self) -> str:
        """Its name in leaderboard.csv."""
        return self.short or self.heading

    def plain(self, row: Row) -> str:
        """Return a row's cell in leaderboard.csv."""
        return super().text(row)

    def marked(self, row: Row) -> str:
        """Return a row's cell with its mark."""
        return self.plain(row) + self.mark(row)

    def text(self, row: Row) -> str:
        """Return a row's cell in a terminal, with its interval below."""
        low, high = self.end(row, "low", ".2f"), self.end(row, "high", ".2f")
        gap = " to " if "-" in low + high else "-"
        return self.marked(row) + (f"\n{low}{gap}{high}" if low else "")

    def in_line(self, row: Row) -> str:
        """Return a row's cell with its interval behind it."""
        low, high = self.end(row, "low", ".2f"), self.end(row, "high", ".2f")
        return self.marked(row) + (f" ({low} to {high})" if low else "")

    def end(self, row: Row, end: str, form: str = ".3f") -> str:
        """Return the ``low`` or ``high`` end of a mean's 95 % interval; empty where there is none."""
        value = row[f"{self.mean}_{end}"] if self.mean else None
        return "" if value is None else format(value, form)


def _mean(heading: str, name: str, *others: str, **more: Any) -> LeaderboardColumn:
    """Return the column of a mean over tiles, and over trainings where there are several."""
    return LeaderboardColumn(
        heading=heading,
        fields=(name, f"{name}_low", f"{name}_high", *others),
        mean=name,
        value=itemgetter(name),
        right=True,
        **{"format": ".3f", **more},
    )


def _with_readings(name: str) -> Callable[[Row], str]:
    """Return what writes a mean on test, with a mark where test was read more than once."""
    return lambda row: f"{row[name]:.3f}{AGAIN_MARK if row['test_readings'] > 1 else ''}"


def _recipe(heading: str, name: str, *, short: str = "", right: bool = True, **more: Any) -> LeaderboardColumn:
    """Return the column of a field of the recipe; it is detail, and often the same in all rows."""
    return LeaderboardColumn(
        heading=heading,
        short=short,
        fields=(name,),
        value=itemgetter(name),
        right=right,
        priority=10,
        common=True,
        **more,
    )


def name_of(row: Row) -> str:
    """Return a contender's name with what is particular about it."""
    name: str = row["title"]
    if row["entry"] != row["slug"]:
        name += f" ({row['entry']})"
    elif row["candidate"] not in ("", row["slug"]):
        name += f" ({row['candidate']})"
    if len(row["attempts"]) > 1:
        name += f", {len(row['attempts'])} trainings"
    if row["collapsed"]:
        name += f" {COLLAPSE_MARK}"
    if row["leaks"]:
        name += f" {LEAK_MARK}"
    return f"{name} [{row['unranked']}]" if row["unranked"] else name


def _loss(row: Row) -> str:
    """Return what a contender's loss is made of besides soft Dice, or the name of another loss."""
    if (name := json.loads(row["recipe"]).get("loss", "ce_dice")) != "ce_dice":
        return str(name)
    kind = "BCE" if Task.from_dict(json.loads(row["task"])).binary else "CE"
    return f"{row['bce_weight']:.2g} {kind}"


def _flag(heading: str, value: Callable[[Row], object]) -> LeaderboardColumn:
    return LeaderboardColumn(heading=heading, fields=(), value=value, file_only=True)


COLUMNS: tuple[LeaderboardColumn, ...] = (
    LeaderboardColumn(
        heading="rank",
        fields=("rank", "tied"),
        value=itemgetter("rank"),
        mark=lambda row: TIE_MARK if row["tied"] else "",
        right=True,
        priority=ALWAYS,
    ),
    LeaderboardColumn(
        heading="model",
        fields=(
            "entry", "architecture", "title", "status", "unranked", "tiles", "attempts", "repeats", "repeats_failed",
            "collapsed", "collapsed_trainings",
        ),
        value=name_of,
        least=MODEL_WIDTH,
        priority=ALWAYS,
    ),
    LeaderboardColumn(heading="weights", fields=("weights",), value=itemgetter("weights"), priority=3, common=True),
    _recipe("learning rate", "learning_rate", short="LR", format=".2g"),
    _recipe("augmentation", "augmentation", short="aug", right=False),
    _recipe("dropout", "decoder_dropout", format=".2g"),
    _recipe("loss", "bce_weight", write=_loss),
    LeaderboardColumn(
        heading="best epoch",
        fields=("best_epoch", "epochs"),
        value=itemgetter("best_epoch"),
        write=lambda row: f"{row['best_epoch']}/{row['epochs']}",
        right=True,
        priority=8,
    ),
    LeaderboardColumn(
        heading="folds", fields=("folds",), value=lambda row: row["folds"] or None, right=True, priority=5, common=True
    ),
    _mean("val IoU", "val_iou", priority=ALWAYS, drawn=True),
    _mean("val F1", "val_f1", priority=7),
    LeaderboardColumn(
        heading="P(best)",
        fields=("probability_best",),
        value=itemgetter("probability_best"),
        write=lambda row: share(row["probability_best"]),
        right=True,
        priority=4,
    ),
    _mean("test IoU", "test_iou", "test_readings", write=_with_readings("test_iou"), priority=2),
    _mean("test F1", "test_f1", write=_with_readings("test_f1"), priority=6),
    LeaderboardColumn(
        heading="time",
        fields=("seconds",),
        value=itemgetter("seconds"),
        write=lambda row: duration(row["seconds"]),
        right=True,
        priority=9,
    ),
    _mean("to the best", "difference", format="+.3f", priority=MAIN),
    _flag("trainings", lambda row: len(row["attempts"])),
    _flag("tied", lambda row: "yes" if row["tied"] else "no"),
    _flag("collapsed", itemgetter("collapsed")),
)  # fmt: skip
"""In the order of terminal and files; the page has them by priority."""
FOR_PEOPLE: tuple[LeaderboardColumn, ...] = tuple(column for column in COLUMNS if not column.file_only)
EVENT_FIELDS: tuple[str, ...] = tuple(dict.fromkeys(name for column in COLUMNS for name in column.fields))
"""What a ``leaderboard`` event takes from a row."""


def filled(columns: Iterable[LeaderboardColumn], rows: Iterable[Row]) -> list[LeaderboardColumn]:
    """Return the columns that some row fills, and those that are always shown."""
    rows = list(rows)
    return [column for column in columns if column.priority == ALWAYS or any(map(column.plain, rows))]
