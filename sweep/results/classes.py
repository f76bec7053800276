"""What a leaderboard's means hide: scores per class, from the confusion matrices of training and scoring."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sweep.cli.tables import ALWAYS, Column, Sheet
from sweep.records.experiment import Experiment
from sweep.records.store import ScoreRow
from sweep.results.rows import LeaderboardRow
from trainables.metrics import ClassScore, pool
from trainables.task import Task


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """A contender on a split.

    Attributes:
        contender: Its line in the leaderboard.
        label: What tables call it.
        architecture: Its architecture's name.
        split: ``val`` or ``test``.
        pooled: All pixels of all tiles and trainings in one confusion matrix.
    """

    contender: str
    label: str
    architecture: str
    split: str
    pooled: ClassScore


def task_of(experiment: Experiment) -> Task:
    """Return what an experiment's masks mean."""
    return Task.from_dict(experiment.description["data"].get("task", {}))


def class_rows(task: Task, rows: Sequence[LeaderboardRow], scores: Mapping[str, Iterable[ScoreRow]]) -> list[ClassRow]:
    """Pool the pixels of each contender's tiles, split by split; none for a binary task.

    Args:
        task: What the masks mean.
        rows: The leaderboard's rows.
        scores: Split to the scores that count.
    """
    if task.binary:
        return []
    found = []
    for split, scored in scores.items():
        counts: dict[str, list[Sequence[Sequence[int]]]] = {}
        for one in scored:
            if one.confusion:
                counts.setdefault(one.attempt, []).append(one.confusion)
        for row in rows:
            if own := [matrix for attempt in row.attempts for matrix in counts.get(attempt, ())]:
                found.append(
                    ClassRow(
                        contender=row.contender,
                        label=row.title if row.contender == row.slug else row.contender,
                        architecture=row.architecture,
                        split=split,
                        pooled=pool(own, task.scored_classes),
                    )
                )
    return found


def class_columns(task: Task) -> list[Column]:
    """Return the scores per class as a terminal and the page show them; the mean stays when there is little room."""
    columns = [_column(name, index, 2) for index, name in enumerate(task.classes)]
    summaries = (("mean", "", ALWAYS), ("weighted by frequency", "weighted", 3), ("pixel accuracy", "accuracy", 4))
    for heading, short, priority in summaries:
        columns.append(_column(heading, len(columns), priority, short))
    return [Column(heading="model", value=lambda row: row.label, least=24), *columns]


def class_table(task: Task, rows: Sequence[ClassRow]) -> Sheet:
    """Draw the scores per class for a terminal."""
    name, *scores = class_columns(task)
    return Sheet(
        "All pixels in one confusion matrix: IoU per class, their mean, weighted by frequency, and pixel accuracy",
        [name, Column(heading="split", value=lambda row: row.split), *scores],
        rows,
        elsewhere="sweep.report shows all",
    )


def _column(heading: str, index: int, priority: int, short: str = "") -> Column:
    def value(row: ClassRow) -> float:
        return class_scores(row.pooled)[index]

    return Column(
        heading=heading,
        short=short,
        value=value,
        write=lambda row: text(value(row)),
        right=True,
        priority=priority,
    )


def class_scores(pooled: ClassScore) -> tuple[float, ...]:
    """Return IoU per class (NaN for none), mean IoU, frequency-weighted IoU and pixel accuracy."""
    return (*pooled.class_iou, pooled.iou, pooled.frequency_weighted_iou, pooled.pixel_accuracy)


def text(value: float) -> str:
    """Return a score as tables show it; a dash for a class that neither truth nor prediction show."""
    return f"{value:.3f}" if value == value else "-"
