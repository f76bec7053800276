"""What a leaderboard's means hide: scores a class, from the confusion matrices that training and scoring left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from sweep.cli.tables import Column, Sheet
from sweep.records.experiment import Experiment
from sweep.records.store import TEST_SCORES_FILE, VAL_SCORES_FILE, read_scores
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
    experiment: Experiment,
    rows: Sequence[Mapping[str, Any]],
    scored: Mapping[str, set[str]],
    tables: Mapping[str, pa.Table] = MappingProxyType({}),
) -> list[ClassRow]:
    """Pool the pixels of each contender's tiles, split by split; none for a binary task.

    Args:
        experiment: Whose.
        rows: The leaderboard's rows.
        scored: Split to the attempts whose scores count.
        tables: File name to table, of those that need not be read.
    """
    task = task_of(experiment)
    if task.binary:
        return []
    found = []
    for split, file in FILES.items():
        if file not in tables and not experiment.has(file):
            continue
        scores = tables[file].to_pylist() if file in tables else read_scores(experiment, file)
        counts: dict[str, list[list[list[int]]]] = {}
        for one in scores:
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


def class_table(task: Task, rows: Sequence[ClassRow]) -> Sheet:
    """Draw the scores per class for a terminal; the mean stays when the terminal is narrow."""
    headings = (*task.classes, "mean", "weighted", "accuracy")
    columns = [
        Column(heading="model", value=lambda row: row.label, least=24),
        Column(heading="split", value=lambda row: row.split),
    ]
    for index, heading in enumerate(headings):
        priority = {"mean": 1, "weighted": 3, "accuracy": 4}.get(heading, 2) if index >= len(task.classes) else 2
        columns.append(Column(heading=heading, value=_score(index), right=True, priority=priority))
    return Sheet(
        "All pixels in one confusion matrix: IoU per class, their mean, weighted by frequency, and pixel accuracy",
        columns,
        rows,
        elsewhere="sweep.report shows all",
    )


def _score(index: int) -> Callable[[ClassRow], str]:
    return lambda row: text(class_scores(row.pooled)[index])


def class_scores(pooled: ClassScore) -> tuple[float, ...]:
    """Return IoU a class (NaN for none), mean IoU, frequency-weighted IoU and pixel accuracy."""
    return (*pooled.class_iou, pooled.iou, pooled.frequency_weighted_iou, pooled.pixel_accuracy)


def text(value: float) -> str:
    """Return a score as tables show it; a dash for a class that neither truth nor prediction show."""
    return f"{value:.3f}" if value == value else "-"
