"""Faults done to the real commands, and a table of what they cost."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil
import pyarrow.parquet as pq

SCORES = ("attempt", "recipe", "status", "epochs", "best_epoch_val_iou", "val_iou", "val_f1")
"""Columns of the trials table that a fault must not change."""


def scores(experiment: Path) -> list[tuple[object, ...]]:
    """Return what every trial decided and reached."""
    rows = pq.read_table(experiment / "trials.parquet").to_pylist()
    return sorted(tuple(row[column] for column in SCORES) for row in rows)


def differences(one: Path, other: Path) -> int:
    """Count the trials of two experiments that did not end alike."""
    return len(set(scores(one)) ^ set(scores(other)))


def trained_again(outputs: Iterable[str]) -> int:
    """Count epochs that a sweep's drivers reported more than once as newly trained."""
    told = Counter(match for output in outputs for match in re.findall(r"^(\S+  epoch \d+)/", output, re.MULTILINE))
    return sum(times - 1 for times in told.values())


def resume_command(output: str) -> Sequence[str]:
    """Return the arguments of the resume command in an output's last line."""
    words = output.strip().splitlines()[-1].split()
    assert words[:3] == ["next", "python", "-m"] and "--resume" in words, output
    return words[4:]


def trial_workers(driver: int) -> list[int]:
    """Return the processes below a driver, or of a cluster's raylet, that run a trial."""
    found = []
    for process in psutil.Process(driver).children(recursive=True):
        try:
            title = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if title.startswith("ray::") and "Trainable" in title:
            found.append(process.pid)
    return found


def kill(*pids: int) -> None:
    """End processes without a word."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
