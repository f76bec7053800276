"""What tells whether the records of a sweep have changed."""

from __future__ import annotations

from collections.abc import Sequence

from sweep.records.experiment import Experiment
from sweep.records.store import TEST_SCORES_FILE

FILES = ("sweep.json", "trials.jsonl", TEST_SCORES_FILE)
MOST_FOLDERS = 200
"""Trials whose reports are looked at, those that changed last: more would keep a large storage busy."""

Mark = tuple[float | None, ...]


def mark(experiments: Sequence[Experiment]) -> Mark:
    """Return what is different after a change of an experiment's records, without reading them."""
    return tuple(
        changed
        for one in experiments
        for changed in (
            *(one.changed(file) for file in FILES),
            *sorted(
                one.changed(f"{name}/reports.jsonl") or 0.0
                for name in one.storage.child(one.name).names()[:MOST_FOLDERS]
            ),
        )
    )
