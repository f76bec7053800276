"""What a leaderboard's means hide: scores a class, from the confusion matrices that training and scoring left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table

from sweep.engine.experiment import Experiment
from sweep.results.store import TEST_SCORES_FILE, VAL_SCORES_FILE, read_scores
from trainables.metrics import ClassScore, pool
from trainables.task import Task

FILES: Mapping[str, str] = {"val": VAL_SCORES_FILE, "test": TEST_SCORES_FILE}


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """A contender on a split.

    Attributes:
        entry: Its line in the leaderboard.
        label: What tables call it.
        architecture: Its architecture's name.
        split: ``val`` or ``test``.
        pooled: All pixels of all tiles and trainings in one confusion matrix.
    """

    entry: str
    label: str
    architecture: str
    split: str
    pooled: ClassScore


def task_of(experiment: Experiment) -> Task:
    """Return what an experiment's masks mean."""
    return Task.from_dict(experiment.description["data"].get("task", {}))


def class_rows(
    experiment: Experiment, rows: Sequence[Mapping[str, Any]], scored: Mapping[str, set[str]]
) -> list[ClassRow]:
    """Pool the pixels of each contender's tiles, split by split; none for a binary task.

    Args:
        experiment: Whose.
        rows: The leaderboard's rows.
        scored: Split to the attempts whose scores count.
    """
    task = task_of(experiment)
    if task.binary:
        return []
    found = []
    for split, file in FILES.items():
        if not experiment.has(file):
            continue
        counts: dict[str, list[list[list[int]]]] = {}
        for one in read_scores(experiment, file):
            if one.get("confusion") and one["attempt"] in scored[split]:
                counts.setdefault(one["attempt"], []).append(one["confusion"])
        for row in rows:
            if own := [matrix for attempt in row["attempts"] for matrix in counts.get(attempt, ())]:
                found.append(
                    ClassRow(
                        entry=row["entry"],
                        label=row["title"] if row["entry"] == row["slug"] else row["entry"],
                        architecture=row["architecture"],
                        split=split,
                        pooled=pool(own, task.scored_classes),
                    )
                )
    return found


def class_table(task: Task, rows: Sequence[ClassRow]) -> Table:
    """Draw the scores a class for a terminal."""
    table = Table(
        title="All pixels in one confusion matrix: IoU a class, their mean, weighted by frequency, and pixel accuracy",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for heading in ("model", "split"):
        table.add_column(heading)
    for heading in (*task.classes, "mean", "weighted", "accuracy"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(row.label, row.split, *(text(value) for value in class_scores(row.pooled)))
    return table


def class_scores(pooled: ClassScore) -> tuple[float, ...]:
    """Return IoU a class (NaN for none), mean IoU, frequency-weighted IoU and pixel accuracy."""
    return (*pooled.class_iou, pooled.iou, pooled.frequency_weighted_iou, pooled.pixel_accuracy)


def text(value: float) -> str:
    """Return a score as tables show it; a dash for a class that neither truth nor prediction show."""
    return f"{value:.3f}" if value == value else "-"
