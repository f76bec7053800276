"""Tiles that are in two splits: a sweep refuses them, or marks every row."""

from __future__ import annotations

from typing import Any

from sweep.records.experiment import Experiment
from sweep.session.folds import pool
from trainables.data.tiles import TuningData
from trainables.errors import DataError


def require_no_leak(data: TuningData, place: object, *, allowed: bool) -> None:
    """Refuse data whose splits share ground.

    Raises:
        DataError: All leaks at once.
    """
    if data.leaks and not allowed:
        raise DataError(
            f"{place}: {leak}; move or remove one of them, or --allow-leak marks every row" for leak in data.leaks
        )


def describe_leaks(data: TuningData) -> dict[str, Any]:
    """Return what an experiment's description says of leaks."""
    return {"leaks": [str(leak) for leak in data.leaks], "leaks_checked": data.leaks_checked}


def record_leaks(experiment: Experiment, data: TuningData) -> None:
    """Put leaks that were found since an experiment began into its description, so that its rows are marked."""
    description = experiment.description
    known = {**description["data"], **describe_leaks(pool(data) if description.get("folds") else data)}
    if known != description["data"]:
        experiment.describe({**description, "data": known})
