"""What the sweep cost, and what went wrong."""

from __future__ import annotations

from collections.abc import Iterable

from sweep.cli.durations import duration
from sweep.records.trial_result import TrialResult
from sweep.report.blocks import Block, Cell, Row, Section, Table, Text
from sweep.report.data import ReportData
from sweep.report.numbers import number_cell, time_cell
from trainables.wording import counted

MOST_FAILURES = 20
MOST_LOGS = 100
"""Logs that are looked through for restarts: each is a file to open."""


def cost(source: ReportData) -> Section | None:
    """Return hours, memory and energy by model; None before anything was trained."""
    trained = [row for row in source.trials if row.seconds]
    if not trained:
        return None
    numbers = source.model_numbers
    names = sorted({row.architecture: None for row in trained}, key=lambda name: numbers.get(name, len(numbers)))
    share = gpu_share(source)
    columns = [
        "model",
        "trials",
        "epochs",
        "training time",
        "GPU-hours",
        "time per training",
        "peak memory",
        "trained parameters",
    ]
    if share is None:
        columns.remove("GPU-hours")
    rows = [
        _line(name, numbers.get(name), [row for row in trained if row.architecture == name], share) for name in names
    ]
    table = Table(
        caption="Cost by model",
        columns=columns,
        rows=rows,
        foot=[_total(trained, share)] if len(names) > 1 else [],
        key="training time",
        numeric=frozenset(columns[1:]),
    )
    total = duration(sum(row.seconds or 0.0 for row in trained))
    gpus = source.description["provenance"]["gpus"]
    lines = [
        f"{total} of training in all, on {counted(len(gpus), 'GPU') if gpus and share else 'CPU cores'}: the sum over "
        f"all trials, also those that ran at the same time, including the final scoring on val.",
        energy(trained, share),
    ]
    measures = sorted({row.memory_measures for row in trained if row.memory_measures})
    if measures:
        lines.append(f"To fit into memory, some trials used: {'; '.join(measures)}.")
    return Section(slug="cost", title="Cost", blocks=[Text(lines=lines), table])


def energy(rows: list[TrialResult], share: float | None) -> str:
    """Say what energy the GPUs took; where trials share one, each is charged its share of the whole GPU's."""
    measured = [row.gpu_joules for row in rows if row.gpu_joules is not None]
    if not measured or share is None:
        return "Energy: not measured; only GPU drivers report it."
    hours = f"Energy: {sum(measured) * min(1.0, share) / 3.6e6:.3g} kWh of the GPUs, by their drivers' counters"
    return f"{hours}." if len(measured) == len(rows) else f"{hours}, for {len(measured)} of {len(rows)} trials."


def gpu_share(source: ReportData) -> float | None:
    """Return the share of a GPU that a trial had; None where trials ran on CPUs."""
    options = source.description["options"]
    if options.get("device") == "cpu" or not source.description["provenance"]["gpus"]:
        return None
    given = options.get("gpus_per_trial")
    if given == "auto":
        packing = source.description.get("packing") or {}
        return 1.0 / max(1, int(packing.get("trials_per_gpu", 1)))
    return 1.0 if given is None else float(given) or None


def _line(name: str, number: int | None, rows: list[TrialResult], share: float | None) -> Row:
    seconds = sum(row.seconds or 0.0 for row in rows)
    peak = max((row.peak_memory_bytes or 0 for row in rows), default=0)
    parameters = max((row.trainable_parameters or 0 for row in rows), default=0)
    done = [row.seconds or 0.0 for row in rows if row.finished]
    cells = [
        Cell(text=rows[0].title),
        number_cell(len(rows)),
        number_cell(sum(row.epochs for row in rows)),
        time_cell(seconds),
        *([] if share is None else [number_cell(seconds * share / 3600, "{:.2f}")]),
        time_cell(sum(done) / len(done) if done else None),
        number_cell(peak / 1e9 if peak else None, "{:.1f} GB"),
        number_cell(parameters / 1e6 if parameters else None, "{:.2f} M"),
    ]
    return Row(cells=cells, architecture=name, number=number)


def _total(rows: list[TrialResult], share: float | None) -> Row:
    """Return the sums; what is no sum, such as the memory of one trial, stays empty."""
    seconds = sum(row.seconds or 0.0 for row in rows)
    cells = [
        Cell(text="total"),
        number_cell(len(rows)),
        number_cell(sum(row.epochs for row in rows)),
        time_cell(seconds),
        *([] if share is None else [number_cell(seconds * share / 3600, "{:.2f}")]),
        *([Cell(text="")] * 3),
    ]
    return Row(cells=cells, strong=True)


def failures(source: ReportData) -> Section | None:
    """Return failed trials and those that were resumed; None where all went well."""
    failed = [row for row in source.trials if row.status == "failed"]
    restarts = [(row, starts) for row in source.trials[:MOST_LOGS] if (starts := _restarts(source, row.attempt))]
    blocks: list[Block] = []
    if failed:
        rows = [
            Row(
                cells=[
                    Cell(text=row.attempt),
                    number_cell(row.epochs),
                    Cell(text=row.failure or "no reason was recorded"),
                    Cell(text=source.experiment.path(f"{row.attempt}/{file}")),
                ],
                architecture=row.architecture,
            )
            for row in failed[:MOST_FAILURES]
            for file in ["error.txt" if source.text(f"{row.attempt}/error.txt") else "trial.log"]
        ]
        notes = [f"The first {MOST_FAILURES} of {len(failed):,}."] if len(failed) > MOST_FAILURES else []
        columns = ["trial", "epochs", "why", "more in"]
        blocks.append(
            Table(caption="Trials that failed", columns=columns, rows=rows, numeric=frozenset({"epochs"}), notes=notes)
        )
    if restarts:
        rows = [
            Row(
                cells=[Cell(text=row.attempt), number_cell(len(starts)), Cell(text="; ".join(starts))],
                architecture=row.architecture,
            )
            for row, starts in restarts[:MOST_FAILURES]
        ]
        columns = ["trial", "times", "when"]
        blocks.append(
            Table(
                caption="Trials that were resumed from their last epoch",
                columns=columns,
                rows=rows,
                numeric=frozenset({"times"}),
                notes=[
                    "After a crash, a lost node, a pause at a rung or an interrupted sweep; each epoch counts once."
                ],
            )
        )
    return Section(slug="failures", title="Failures and restarts", blocks=blocks) if blocks else None


def _restarts(source: ReportData, attempt: str) -> list[str]:
    return list(_said(source.text(f"{attempt}/trial.log").splitlines(), "resumed after epoch"))


def _said(lines: Iterable[str], words: str) -> Iterable[str]:
    for line in lines:
        if words in line:
            yield line[line.index(words) :]
