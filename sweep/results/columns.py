"""The leaderboard's columns: terminal, Markdown, CSV, the page's ranking and the events all follow from them.

To add a column, add it to ``COLUMNS``; a value that no row has yet is a field of ``LeaderboardRow``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sweep.cli.durations import duration
from sweep.cli.tables import ALWAYS, Column
from sweep.results.rows import LeaderboardRow, mean_of
from sweep.results.statistics import Interval
from sweep.results.verdict import TIE_MARK, share
from trainables.recipe import decided_by

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
        interval: Takes a row and returns the mean that it shows with its 95 % interval; None for other columns.
        mark: What people see behind the cell, and leaderboard.csv has in a column of its own.
        drawn: Whether the page draws the mean and its interval, too.
        file_only: Whether it is in leaderboard.csv only, since people see it as a mark or as part of a name.
    """

    fields: tuple[str, ...]
    interval: Callable[[LeaderboardRow], Interval | None] | None = None
    mark: Callable[[LeaderboardRow], str] = lambda row: ""
    drawn: bool = False
    file_only: bool = False

    @property
    def name(self) -> str:
        """Its name in leaderboard.csv."""
        return self.short or self.heading

    def plain(self, row: LeaderboardRow) -> str:
        """Return a row's cell in leaderboard.csv."""
        return super().text(row)

    def marked(self, row: LeaderboardRow) -> str:
        """Return a row's cell with its mark."""
        return self.plain(row) + self.mark(row)

    def text(self, row: LeaderboardRow) -> str:
        """Return a row's cell in a terminal, with its interval below."""
        ends = self.ends(row, ".2f")
        return self.marked(row) + ("\n" + (ends if "-" in ends else ends.replace(" to ", "-")) if ends else "")

    def in_line(self, row: LeaderboardRow) -> str:
        """Return a row's cell with its interval behind it."""
        ends = self.ends(row, ".2f")
        return self.marked(row) + (f" ({ends})" if ends else "")

    def ends(self, row: LeaderboardRow, form: str = ".3f") -> str:
        """Return a mean's 95 % interval; empty where there is none."""
        interval = self.interval(row) if self.interval else None
        return interval.ends(form) if interval else ""


def _mean(
    heading: str, name: str, interval: Callable[[LeaderboardRow], Interval | None], *others: str, **more: Any
) -> LeaderboardColumn:
    """Return the column of a mean over tiles, and over trainings where there are several."""
    return LeaderboardColumn(
        heading=heading,
        fields=(name, f"{name}_low", f"{name}_high", *others),
        interval=interval,
        value=lambda row: mean_of(interval(row)),
        right=True,
        **{"format": ".3f", **more},
    )


def _on_test(row: LeaderboardRow, mean: float) -> str:
    """Write a mean on test, with a mark where test was read more than once."""
    return f"{mean:.3f}{AGAIN_MARK if row.test_readings > 1 else ''}"


def _recipe(heading: str, name: str, *, short: str = "", right: bool = True, **more: Any) -> LeaderboardColumn:
    """Return the column of a field of the recipe; it is detail, and often the same in all rows."""
    return LeaderboardColumn(
        heading=heading,
        short=short,
        fields=(name,),
        value=lambda row: decided_by(row.recipe, name),
        right=right,
        priority=10,
        common=True,
        gaps=True,
        **more,
    )


def name_of(row: LeaderboardRow) -> str:
    """Return a contender's name with what is particular about it."""
    name = row.title
    if row.fitted and row.fitted not in name.lower():
        name += f" ({row.fitted})"
    if row.contender != row.slug:
        name += f" ({row.contender})"
    elif row.candidate not in ("", row.slug):
        name += f" ({row.candidate})"
    if len(row.attempts) > 1:
        name += f", {len(row.attempts)} trainings"
    if row.collapsed:
        name += f" {COLLAPSE_MARK}"
    if row.leaks:
        name += f" {LEAK_MARK}"
    return f"{name} [{row.unranked}]" if row.unranked else name


def _loss(row: LeaderboardRow) -> str:
    """Return what a contender's loss is made of besides soft Dice, or the name of another loss."""
    recipe = row.recipe
    return recipe.loss if recipe.loss != "ce_dice" else f"{recipe.bce_weight:.2g} {'BCE' if row.task.binary else 'CE'}"


def _flag(heading: str, value: Callable[[LeaderboardRow], object]) -> LeaderboardColumn:
    return LeaderboardColumn(heading=heading, fields=(), value=value, file_only=True)


COLUMNS: tuple[LeaderboardColumn, ...] = (
    LeaderboardColumn(
        heading="rank",
        fields=("rank", "tied"),
        value=lambda row: row.rank,
        mark=lambda row: TIE_MARK if row.tied else "",
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
    LeaderboardColumn(heading="weights", fields=("weights",), value=lambda row: row.weights, priority=3, common=True),
    _recipe("learning rate", "learning_rate", short="LR", format=".2g"),
    _recipe("augmentation", "augmentation", short="aug", right=False),
    _recipe("dropout", "decoder_dropout", format=".2g"),
    _recipe("loss", "bce_weight", write=_loss),
    LeaderboardColumn(
        heading="best epoch",
        fields=("best_epoch", "epochs"),
        value=lambda row: row.best_epoch,
        write=lambda row: f"{row.best_epoch}/{row.epochs}",
        right=True,
        priority=8,
    ),
    LeaderboardColumn(
        heading="folds", fields=("folds",), value=lambda row: row.folds or None, right=True, priority=5, common=True
    ),
    _mean("val IoU", "val_iou", lambda row: row.val.iou, priority=ALWAYS, drawn=True),
    _mean("val F1", "val_f1", lambda row: row.val.f1, priority=7),
    LeaderboardColumn(
        heading="P(best)",
        fields=("probability_best",),
        value=lambda row: row.probability_best,
        write=lambda row: share(row.probability_best),
        right=True,
        priority=4,
    ),
    _mean(
        "test IoU",
        "test_iou",
        lambda row: row.test.iou,
        "test_readings",
        write=lambda row: _on_test(row, row.test_iou),
        priority=2,
    ),
    _mean("test F1", "test_f1", lambda row: row.test.f1, write=lambda row: _on_test(row, row.test_f1), priority=6),
    LeaderboardColumn(
        heading="time",
        fields=("seconds",),
        value=lambda row: row.seconds,
        write=lambda row: duration(row.seconds),
        right=True,
        priority=9,
    ),
    _mean("to the best", "difference", lambda row: row.difference, format="+.3f", priority=MAIN),
    _mean("to its probe", "over_probe", lambda row: row.over_probe, format="+.3f", priority=MAIN),
    _flag("trainings", lambda row: len(row.attempts)),
    _flag("precision", lambda row: row.recipe.precision),
    _flag("tied", lambda row: "yes" if row.tied else "no"),
    _flag("collapsed", lambda row: row.collapsed),
)  # fmt: skip
"""In the order of terminal and files; the page has them by priority."""
FOR_PEOPLE: tuple[LeaderboardColumn, ...] = tuple(column for column in COLUMNS if not column.file_only)
EVENT_FIELDS: tuple[str, ...] = tuple(dict.fromkeys(name for column in COLUMNS for name in column.fields))
"""What a ``leaderboard`` event takes from a row."""


def filled(columns: Iterable[LeaderboardColumn], rows: Iterable[LeaderboardRow]) -> list[LeaderboardColumn]:
    """Return the columns that some row fills, and those that are always shown."""
    rows = list(rows)
    return [column for column in columns if column.priority == ALWAYS or any(map(column.plain, rows))]
