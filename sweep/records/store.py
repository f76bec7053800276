"""The results of an experiment as tables, gathered from what its trials reported."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sweep.records.experiment import Experiment
from sweep.records.trial_result import ARROW, TRIALS_SCHEMA, TrialResult
from sweep.records.trials import READERS, TrialRecords, read_all_reports
from trainables.errors import ExperimentError
from trainables.report import TABLE, shown_in
from trainables.trial_states import REPORTS_FILE

TRIALS_FILE = "trials.parquet"
EPOCHS_FILE = "epochs.parquet"
VAL_SCORES_FILE = "val_scores.parquet"
TEST_SCORES_FILE = "test_scores.parquet"
TEST_PREDICTIONS = "predictions/test"
"""In the folder of an attempt that has read test."""

TILE_MAP = pa.map_(pa.string(), pa.float64())
EPOCHS_SCHEMA = pa.schema(
    [("attempt", pa.string()), *((one.name, ARROW.get(one.type, TILE_MAP)) for one in shown_in(TABLE))]
)
SCORES_SCHEMA = pa.schema(
    [
        ("attempt", pa.string()),
        ("tile", pa.string()),
        ("iou", pa.float64()),
        ("f1", pa.float64()),
        ("confusion", pa.list_(pa.list_(pa.int64()))),  # pixels by true, then predicted class
    ]
)


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """A row of ``val_scores.parquet`` or ``test_scores.parquet``: what a trained model scores on a whole tile.

    Attributes:
        attempt: The trial's name.
        tile: The tile's name.
        iou: In [0, 1].
        f1: In [0, 1]; NaN where it is not known.
        confusion: Pixels by true, then predicted class; None in a file of an earlier version.
    """

    attempt: str
    tile: str
    iou: float
    f1: float
    confusion: Sequence[Sequence[int]] | None = None


@dataclass(frozen=True)
class Gathered:
    """What an experiment's trials left.

    Attributes:
        trials: All of them, those that never started included, but for refits.
        refits: Trainings on all tiles, which are never ranked or scored.
        val_scores: Of the whole val tiles of those that finished.
        tables: File name to table: ``trials.parquet`` (a row per trial), ``epochs.parquet`` (a row per epoch) and
            ``val_scores.parquet`` (a row per whole val tile of a finished trial).
    """

    trials: tuple[TrialResult, ...]
    refits: tuple[TrialResult, ...]
    val_scores: tuple[ScoreRow, ...]
    tables: Mapping[str, pa.Table]


def collect(experiment: Experiment) -> tuple[TrialResult, ...]:
    """Gather all trials' reports and write the experiment's tables.

    Returns:
        The trials, but for refits.

    Raises:
        ExperimentError: The experiment cannot be read or written, or its records are damaged.
    """
    gathered = gather(experiment)
    write_tables(experiment, gathered.tables)
    return gathered.trials


def write_tables(experiment: Experiment, tables: Mapping[str, pa.Table]) -> None:
    """Write tables into an experiment.

    Raises:
        StorageError: They cannot be written.
    """
    for name, table in tables.items():
        experiment.write_table(name, table)


def gather(experiment: Experiment) -> Gathered:
    """Gather all trials' reports, and write nothing.

    Raises:
        ExperimentError: The experiment cannot be read, or its records are damaged.
    """
    with damage_in_one_line(experiment):
        return _gather(experiment)


@contextmanager
def damage_in_one_line(experiment: Experiment) -> Iterator[None]:
    """Tell in one line what goes wrong in the block because a record does not hold what it should.

    Raises:
        ExperimentError: As said.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, pa.ArrowException) as error:
        raise ExperimentError(
            f"{experiment.address}: its records are damaged ({type(error).__name__}: {error}); restore the folder"
        ) from error


def _gather(experiment: Experiment) -> Gathered:
    description = experiment.description
    records = TrialRecords(experiment).all()
    all_reports = read_all_reports(experiment, (record.plan.attempt for record in records))
    trials: list[TrialResult] = []
    epochs: list[dict[str, Any]] = []
    scores: list[ScoreRow] = []
    for record in records:
        attempt = record.plan.attempt
        reports = all_reports[attempt]
        if record.state == "finished" and (not reports or reports[-1].get("final_val_iou") is None):
            raise ExperimentError(
                f"{experiment.path(attempt)}/{REPORTS_FILE}: lacks the final scores of a trial that has finished; "
                f"restore the file, or start again under another --name"
            )
        trials.append(TrialResult.of_record(record, description, reports))
        epochs += [{"attempt": attempt, **report} for report in reports if "epoch" in report]
        finals = reports[-1].get("final_tiles", {}) if reports else {}
        scores += [
            ScoreRow(attempt=attempt, tile=tile, iou=one["iou"], f1=one["f1"], confusion=one.get("confusion"))
            for tile, one in finals.items()
        ]
    tables = {
        TRIALS_FILE: _table((one.to_dict() for one in trials), TRIALS_SCHEMA),
        EPOCHS_FILE: _table(epochs, EPOCHS_SCHEMA),
        VAL_SCORES_FILE: scores_table(scores),
    }
    return Gathered(
        tuple(one for one in trials if one.role != "refit"),
        tuple(one for one in trials if one.role == "refit"),
        tuple(scores),
        tables,
    )


def scores_table(scores: Iterable[ScoreRow]) -> pa.Table:
    """Return the table of some scores."""
    return pa.Table.from_pylist([vars(one) for one in scores], schema=SCORES_SCHEMA)


def read_test_scores(experiment: Experiment) -> list[ScoreRow]:
    """Return what scoring jobs wrote.

    Raises:
        ExperimentError: The file is damaged.
    """
    if not experiment.has(TEST_SCORES_FILE):
        return []
    table = experiment.read_table(TEST_SCORES_FILE, SCORES_SCHEMA, required=("attempt", "tile", "iou", "f1"))
    return [ScoreRow(**row) for row in table.to_pylist()]


def scored_attempts(experiment: Experiment, attempts: Iterable[str] = ()) -> set[str]:
    """Return the attempts of which scores or predictions of test are there.

    Raises:
        ExperimentError: The scores are damaged.
    """
    names = list(attempts)
    with ThreadPoolExecutor(READERS) as pool:
        there = pool.map(lambda name: experiment.has(f"{name}/{TEST_PREDICTIONS}"), names)
        predicted = {name for name, found in zip(names, there, strict=True) if found}
    return predicted | {one.attempt for one in read_test_scores(experiment)}


def scores_sha256(scores: Iterable[ScoreRow]) -> str:
    """Return the hex sha256 of an attempt's test scores, whatever their order and the attempt's name."""
    plain = [[one.tile, one.iou, one.f1, one.confusion] for one in sorted(scores, key=lambda one: one.tile)]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def _table(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Build a table that holds the schema's columns and no others."""
    plain = [
        {name: list(value.items()) if isinstance(value := row.get(name), dict) else value for name in schema.names}
        for row in rows
    ]
    return pa.Table.from_pylist(plain, schema=schema)
