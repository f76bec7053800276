"""The results of an experiment as tables, gathered from what its trials reported."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from sweep.engine.experiment import Experiment
from trainables.models.registry import get_architecture
from trainables.models.weights import Weights

TRIALS_FILE = "trials.parquet"
EPOCHS_FILE = "epochs.parquet"
VAL_SCORES_FILE = "val_scores.parquet"

TRIALS_SCHEMA = pa.schema(
    [
        ("attempt", pa.string()),
        ("architecture", pa.string()),
        ("title", pa.string()),
        ("status", pa.string()),  # waiting, unfinished, stopped, failed, finished
        ("failure", pa.string()),
        ("weights", pa.string()),
        ("weights_sha256", pa.string()),
        ("learning_rate", pa.float64()),
        ("augmentation", pa.string()),
        ("decoder_dropout", pa.float64()),
        ("bce_weight", pa.float64()),
        ("seed", pa.int64()),
        ("epochs", pa.int64()),
        ("best_epoch", pa.int64()),
        ("best_epoch_val_iou", pa.float64()),  # of the epoch's validation windows
        ("val_iou", pa.float64()),  # of whole val tiles, best weights; null until the trial has finished
        ("val_f1", pa.float64()),
        ("trainable_parameters", pa.int64()),
        ("seconds", pa.float64()),
        ("peak_memory_bytes", pa.int64()),
        ("dataset", pa.string()),
        ("synthetic", pa.bool_()),
        ("data_fingerprint", pa.string()),
        ("recipe", pa.string()),  # JSON
    ]
)
EPOCHS_SCHEMA = pa.schema(
    [
        ("attempt", pa.string()),
        ("epoch", pa.int64()),
        ("learning_rate", pa.float64()),
        ("train_loss", pa.float64()),
        ("val_loss", pa.float64()),
        ("val_iou", pa.float64()),
        ("val_f1", pa.float64()),
        ("tile_iou", pa.map_(pa.string(), pa.float64())),
        ("worst_tile", pa.string()),
        ("encoder_frozen", pa.bool_()),
        ("step_seconds", pa.float64()),
        ("images_per_second", pa.float64()),
        ("seconds", pa.float64()),
        ("peak_memory_bytes", pa.int64()),
    ]
)
SCORES_SCHEMA = pa.schema(
    [("attempt", pa.string()), ("tile", pa.string()), ("iou", pa.float64()), ("f1", pa.float64())]
)


def collect(experiment: Experiment) -> pa.Table:
    """Gather all trials' reports and write the experiment's tables.

    Writes ``trials.parquet`` (a row a trial, those that never started included), ``epochs.parquet`` (a row an
    epoch) and ``val_scores.parquet`` (a row a whole val tile of a finished trial).

    Returns:
        The trials table.

    Raises:
        ExperimentError: The experiment cannot be read or written.
    """
    description = experiment.description
    trials: list[dict[str, Any]] = []
    epochs: list[dict[str, Any]] = []
    scores: list[dict[str, Any]] = []
    for planned in description["trials"]:
        attempt = planned["attempt"]
        reports = read_reports(experiment, attempt)
        trials.append(_trial_row(planned, description["data"], reports, _crash(experiment, attempt)))
        epochs += [{"attempt": attempt, **report} for report in reports if "epoch" in report]
        finals = reports[-1].get("final_tiles", {}) if reports else {}
        scores += [{"attempt": attempt, "tile": tile, **score} for tile, score in finals.items()]
    table = _table(trials, TRIALS_SCHEMA)
    experiment.write_table(TRIALS_FILE, table)
    experiment.write_table(EPOCHS_FILE, _table(epochs, EPOCHS_SCHEMA))
    experiment.write_table(VAL_SCORES_FILE, _table(scores, SCORES_SCHEMA))
    return table


def read_reports(experiment: Experiment, attempt: str) -> list[dict[str, Any]]:
    """Read what a trial reported, in order; of an epoch that was repeated after a crash, the later report."""
    name = f"{attempt}/result.json"
    if not experiment.has(name):
        return []
    by_iteration: dict[int, dict[str, Any]] = {}
    for line in experiment.read(name).decode().splitlines():
        try:
            report = json.loads(line)
        except ValueError:  # the line being written when the driver died
            continue
        by_iteration[report["training_iteration"]] = report
    return [by_iteration[iteration] for iteration in sorted(by_iteration)]


def _crash(experiment: Experiment, attempt: str) -> str | None:
    """Return the last line of a crashed trial's traceback."""
    name = f"{attempt}/error.txt"
    if not experiment.has(name):
        return None
    lines = [line.strip() for line in experiment.read(name).decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "crashed"


def _trial_row(
    planned: dict[str, Any], data: dict[str, Any], reports: list[dict[str, Any]], crash: str | None
) -> dict[str, Any]:
    recipe, weights = planned["recipe"], Weights(**planned["weights"])
    last = reports[-1] if reports else {}
    measured: dict[str, Any] = next((report for report in reversed(reports) if "epoch" in report), {})
    failure = last.get("failure") or (crash if not last.get("done") else None)
    if failure:
        status = "failed"
    elif last.get("finished"):
        status = "finished"
    elif last.get("done"):
        status = "stopped"
    else:
        status = "unfinished" if reports else "waiting"
    return {
        **{name: recipe[name] for name in TRIALS_SCHEMA.names if name in recipe},
        "attempt": planned["attempt"],
        "title": get_architecture(recipe["architecture"]).title,
        "status": status,
        "failure": failure,
        "weights": weights.label,
        "weights_sha256": weights.sha256,
        "epochs": measured.get("epoch", 0),
        "best_epoch": measured.get("best_epoch"),
        "best_epoch_val_iou": measured.get("best_val_iou"),
        "val_iou": last.get("final_val_iou"),
        "val_f1": last.get("final_val_f1"),
        "trainable_parameters": last.get("trainable_parameters"),
        "seconds": last.get("time_total_s"),
        "peak_memory_bytes": measured.get("peak_memory_bytes"),
        "dataset": data["name"],
        "synthetic": data["synthetic"],
        "data_fingerprint": data["fingerprint"],
        "recipe": json.dumps(recipe),
    }


def _table(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Build a table that holds the schema's columns and no others."""
    plain = [
        {name: list(value.items()) if isinstance(value := row.get(name), dict) else value for name in schema.names}
        for row in rows
    ]
    return pa.Table.from_pylist(plain, schema=schema)
