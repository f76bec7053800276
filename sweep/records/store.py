"""The results of an experiment as tables, gathered from what its trials reported."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import Any

import pyarrow as pa

from sweep.records.experiment import Experiment
from sweep.records.trials import ENDED, READERS, SEARCHED, TrialRecord, TrialRecords, read_all_reports
from trainables.errors import ExperimentError
from trainables.metrics import METRIC
from trainables.models.registry import described
from trainables.recipe import FIELDS, Recipe
from trainables.recipe_fields import COLUMN, marked
from trainables.report import TABLE, ReportField, TrialSummary, fields_of, shown_in
from trainables.task import Task
from trainables.trial_states import REPORTS_FILE

TRIALS_FILE = "trials.parquet"
EPOCHS_FILE = "epochs.parquet"
VAL_SCORES_FILE = "val_scores.parquet"
TEST_SCORES_FILE = "test_scores.parquet"
TEST_PREDICTIONS = "predictions/test"
"""In the folder of an attempt that has read test."""

ARROW = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_()}


def _columns(table: Iterable[ReportField]) -> list[tuple[str, pa.DataType]]:
    return [(one.name, ARROW.get(one.type, pa.map_(pa.string(), pa.float64()))) for one in table]


_NAMED = {kind.__name__: arrow for kind, arrow in ARROW.items()}
RECIPE_COLUMNS = tuple(
    (one.name, _NAMED[str(one.type)]) for one in fields(Recipe) if one.name in marked(FIELDS, COLUMN)
)
"""The recipe's fields that have a column of their own; ``recipe`` has all of them."""
TRIALS_SCHEMA = pa.schema(
    [
        ("attempt", pa.string()),
        *RECIPE_COLUMNS,
        ("title", pa.string()),
        ("slug", pa.string()),  # the architecture's name for folders
        ("role", pa.string()),  # planned, baseline, search, confirm, final
        ("study", pa.string()),  # that proposed its recipe, or whose best one it trains; empty for a planned trial
        ("group", pa.string()),  # what it is shown with
        ("contest", pa.string()),  # whose best candidate by val IoU may read test
        ("candidate", pa.string()),  # trainings of one recipe with several seeds
        ("entry", pa.string()),  # the leaderboard's line that it counts for
        ("preliminary", pa.bool_()),  # its recipe may be trained again for the choice
        ("tiles", pa.int64()),  # train tiles that it saw
        ("folds", pa.int64()),  # of its cross-validation; 0 for none
        ("division", pa.string()),  # hash of the tiles that each fold leaves out; empty for none
        ("draw", pa.int64()),  # which draw of that many; 0 where nothing was drawn
        ("tile_names", pa.list_(pa.string())),
        ("status", pa.string()),  # waiting, unfinished, stopped, failed, finished
        ("failure", pa.string()),
        ("weights", pa.string()),
        ("weights_sha256", pa.string()),
        *_columns(fields_of(TrialSummary)),
        ("dataset", pa.string()),
        ("synthetic", pa.bool_()),
        ("data_fingerprint", pa.string()),
        ("metric", pa.string()),  # what a score is
        ("task", pa.string()),  # JSON: what the masks mean
        ("leaks", pa.int64()),  # pairs of tiles in different splits that show the same ground
        ("recipe", pa.string()),  # JSON
    ]
)
EPOCHS_SCHEMA = pa.schema([("attempt", pa.string()), *_columns(shown_in(TABLE))])
SCORES_SCHEMA = pa.schema(
    [
        ("attempt", pa.string()),
        ("tile", pa.string()),
        ("iou", pa.float64()),
        ("f1", pa.float64()),
        ("confusion", pa.list_(pa.list_(pa.int64()))),  # pixels by true, then predicted class
    ]
)


def collect(experiment: Experiment) -> pa.Table:
    """Gather all trials' reports and write the experiment's tables.

    Returns:
        The trials table.

    Raises:
        ExperimentError: The experiment cannot be read or written, or its records are damaged.
    """
    tables = gather(experiment)
    write_tables(experiment, tables)
    return tables[TRIALS_FILE]


def write_tables(experiment: Experiment, tables: Mapping[str, pa.Table]) -> None:
    """Write tables into an experiment.

    Raises:
        StorageError: They cannot be written.
    """
    for name, table in tables.items():
        experiment.write_table(name, table)


def gather(experiment: Experiment) -> dict[str, pa.Table]:
    """Gather all trials' reports, and write nothing.

    Returns:
        File name to table: ``trials.parquet`` (a row a trial, those that never started included), ``epochs.parquet``
        (a row an epoch) and ``val_scores.parquet`` (a row a whole val tile of a finished trial).

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


def _gather(experiment: Experiment) -> dict[str, pa.Table]:
    description = experiment.description
    records = TrialRecords(experiment).all()
    all_reports = read_all_reports(experiment, (record.plan.attempt for record in records))
    trials: list[dict[str, Any]] = []
    epochs: list[dict[str, Any]] = []
    scores: list[dict[str, Any]] = []
    for record in records:
        attempt = record.plan.attempt
        reports = all_reports[attempt]
        if record.state == "finished" and (not reports or reports[-1].get("final_val_iou") is None):
            raise ExperimentError(
                f"{experiment.path(attempt)}/{REPORTS_FILE}: lacks the final scores of a trial that has finished; "
                f"restore the file, or start again under another --name"
            )
        trials.append(trial_row(record, description, reports))
        epochs += [{"attempt": attempt, **report} for report in reports if "epoch" in report]
        finals = reports[-1].get("final_tiles", {}) if reports else {}
        scores += [{"attempt": attempt, "tile": tile, **score} for tile, score in finals.items()]
    return {
        TRIALS_FILE: _table(trials, TRIALS_SCHEMA),
        EPOCHS_FILE: _table(epochs, EPOCHS_SCHEMA),
        VAL_SCORES_FILE: _table(scores, SCORES_SCHEMA),
    }


def read_test_scores(experiment: Experiment) -> list[dict[str, Any]]:
    """Return the rows that scoring jobs wrote, one a test tile of a scored attempt.

    Raises:
        ExperimentError: The file is damaged.
    """
    if not experiment.has(TEST_SCORES_FILE):
        return []
    return read_scores(experiment, TEST_SCORES_FILE)


def read_scores(experiment: Experiment, name: str) -> list[dict[str, Any]]:
    """Return the rows of ``val_scores.parquet`` or ``test_scores.parquet``.

    Raises:
        ExperimentError: It is damaged.
    """
    table = experiment.read_table(name, SCORES_SCHEMA, required=("attempt", "tile", "iou", "f1"))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def scored_attempts(experiment: Experiment, attempts: Iterable[str] = ()) -> set[str]:
    """Return the attempts of which scores or predictions of test are there.

    Raises:
        ExperimentError: The scores are damaged.
    """
    names = list(attempts)
    with ThreadPoolExecutor(READERS) as pool:
        there = pool.map(lambda name: experiment.has(f"{name}/{TEST_PREDICTIONS}"), names)
        predicted = {name for name, found in zip(names, there, strict=True) if found}
    return predicted | {row["attempt"] for row in read_test_scores(experiment)}


def scores_sha256(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the hex sha256 of an attempt's test scores, whatever their order and the attempt's name."""
    plain = [
        [row["tile"], float(row["iou"]), None if row["f1"] is None else float(row["f1"]), row.get("confusion")]
        for row in sorted(rows, key=lambda row: str(row["tile"]))
    ]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def trial_row(
    record: TrialRecord, description: Mapping[str, Any], reports: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a trial's row of the trials table."""
    plan, data = record.plan, description["data"]
    entry = described(plan.recipe.architecture)
    recipe = plan.recipe.to_dict()
    begun = "unfinished" if reports else "waiting"
    return {
        **{name: recipe[name] for name, _ in RECIPE_COLUMNS},
        "attempt": plan.attempt,
        "title": entry.title,
        "slug": entry.slug,
        "role": plan.role,
        "study": plan.study,
        "group": plan.group,
        "contest": plan.contest,
        "candidate": plan.candidate or plan.attempt,
        "entry": plan.contender or plan.contest,
        "preliminary": plan.role in SEARCHED and plan.study in _confirmed(description),
        "tiles": plan.train_tiles(len(data["train"])),
        "folds": len(plan.folds),
        "division": plan.division,
        "draw": plan.draw,
        "tile_names": list(plan.tiles) or data["train"],
        "status": record.state if record.state in ENDED else begun,
        "failure": record.reason or None,
        "weights": plan.weights.label,
        "weights_sha256": plan.weights.sha256,
        **asdict(TrialSummary.of(reports, Task.from_dict(data.get("task", {})))),
        "dataset": data["name"],
        "synthetic": data["synthetic"],
        "data_fingerprint": data["fingerprint"],
        "metric": data.get("metric", METRIC),
        "task": json.dumps(data.get("task", {})),
        "leaks": len(data.get("leaks", [])),
        "recipe": json.dumps(recipe),
    }


def _confirmed(description: Mapping[str, Any]) -> set[str]:
    """Return the studies whose best recipes are trained again for the choice, which then decides alone."""
    studies = description.get("plan", {}).get("studies", ())
    return {study["template"]["attempt"] for study in studies if study.get("confirm")}


def _table(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Build a table that holds the schema's columns and no others."""
    plain = [
        {name: list(value.items()) if isinstance(value := row.get(name), dict) else value for name in schema.names}
        for row in rows
    ]
    return pa.Table.from_pylist(plain, schema=schema)
