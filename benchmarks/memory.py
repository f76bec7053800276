"""Most memory that a demo sweep's processes hold: its driver, the worker that trains, and a worker that waits.

Run with ``python -m benchmarks.memory``; two minutes on two CPU cores. A sweep is ended after its first epoch. The
driver is also measured as it was when it loaded torch.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.processes import ROOT
from benchmarks.report import Report, Section
from benchmarks.tiles import synthetic_tiles

TILES = (24, 6, 1)
"""Of train, val and test, of 1024 pixels each, as many as the study has; test is not read."""
WITH_TORCH = "import torch, trainables.training, runpy; runpy.run_module('sweep.phase1', run_name='__main__')"
DRIVER, WORKER, IDLE = "driver", "worker", "idle worker"


def most_memory(architecture: str, patches: Path, *, torch: bool, limit: float = 300.0) -> dict[str, float]:
    """Run a demo sweep until its first epoch has been reported.

    Args:
        architecture: What is trained.
        patches: The dataset.
        torch: Whether the driver loads torch first.
        limit: Seconds after which it is ended.

    Returns:
        Kind of process to the most resident memory of one of them, in MiB; of workers that wait the one that has least,
        for others have measured or trained before.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        start = ["-c", WITH_TORCH] if torch else ["-m", "sweep.phase1"]
        words = ["--profile", "demo", "--weights", "random", "--no-probes", "--architectures", architecture]
        command = [sys.executable, *start, *words, "--patches", str(patches), "--storage", f"{folder}/results"]
        found: dict[str, dict[int, float]] = {}
        with Path(folder, "log.txt").open("w") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=log, stderr=log)
            ends = time.monotonic() + limit
            while process.poll() is None and time.monotonic() < ends and not reported(Path(folder)):
                time.sleep(0.2)
                look(process.pid, found)
            if process.poll() is not None:
                raise SystemExit(f"{shlex.join(command)} ended early: {Path(folder, 'log.txt').read_text()[-800:]}")
            process.send_signal(signal.SIGINT)
            process.wait(120)
        return {kind: (min if kind == IDLE else max)(peaks.values()) for kind, peaks in found.items()}


def environment() -> dict[str, str]:
    """Return the environment of a command that is measured."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "NO_ALBUMENTATIONS_UPDATE": "1"}


def reported(folder: Path) -> bool:
    """Whether a trial has reported an epoch."""
    return any(folder.glob("results/*/*/reports.jsonl"))


def look(driver: int, found: dict[str, dict[int, float]]) -> None:
    """Take down the most memory that a sweep's processes have held so far."""
    with suppress(psutil.Error):
        for one in (psutil.Process(driver), *psutil.Process(driver).children(recursive=True)):
            with suppress(psutil.Error, OSError, IndexError):
                title = " ".join(one.cmdline())
                kind = DRIVER if one.pid == driver else IDLE if "ray::IDLE" in title else ""
                kind = WORKER if "ray::SegmentationTrainable" in title else kind
                if kind:
                    found.setdefault(kind, {})[one.pid] = _peak(one.pid)


def _peak(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    """Measure and write the figures on the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--architectures", default="smp_unet_efficientnet_lite0,sam_vit_b_conv")
    parser.add_argument("--size", type=int, default=1024, help="side of a tile in pixels")
    options = parser.parse_args()
    report = Report(name="memory")
    names = options.architectures.split(",")
    with synthetic_tiles(TILES, options.size) as patches:
        now = {name: most_memory(name, patches, torch=False) for name in names}
        before = [most_memory(name, patches, torch=True)[DRIVER] for name in names[:1]]
    drivers = {"that loads torch, as before": before, "as it is": [one[DRIVER] for one in now.values()]}
    report.add(Section(title="most memory of the driver", unit="MiB", values=drivers, baseline=next(iter(drivers))))
    for name, one in now.items():
        report.note(f"{name}: most memory of the worker that trains, MiB", one.get(WORKER, float("nan")))
    waiting = [one[IDLE] for one in now.values() if IDLE in one]
    report.note("most memory of a worker that waits, MiB", min(waiting, default=float("nan")))
    report.write()


if __name__ == "__main__":
    main()
