"""Of the 20 labels that are ranked first, at least 16 are wrong where errors were planted into drawn tiles."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.labels import drawn, is_right, plant
from sweep.audit.masks.auditing import LabelAudit, audit_labels
from sweep.audit.masks.predicting import ProbeFolds
from trainables.data.tiles import TuningData
from trainables.task import Task

TILES, FIRST, LEAST = 24, 20, 16
IGNORES = Task(ignores=True)


def _right(found: LabelAudit, data: TuningData, seed: int) -> int:
    """Count the planted errors among the first findings."""
    numbers = {tile.name: number for number, tile in enumerate(data.train)}
    _, planted = plant(data.train, seed)
    assert len(found.findings) >= FIRST
    return sum(is_right(one, numbers[one.tile], planted) for one in found.findings[:FIRST])


@pytest.mark.slow
def test_most_of_the_first_are_planted_by_probes() -> None:
    data = drawn(TILES)
    tiles, _ = plant(data.train, 1)
    folds = ProbeFolds.of(replace(data, train=tuple(tiles), task=IGNORES), None, 1)
    assert _right(audit_labels(folds.fit(1, "cpu"), IGNORES, TILES), data, 1) >= LEAST
