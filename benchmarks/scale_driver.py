"""What the driver's work costs as trials grow: its record, table, rungs, search, journal and event loop; then reading.

Run with ``python -m benchmarks.scale_driver``; about ten minutes on two CPU cores. Each part is measured without
workers, by the real classes, in CPU seconds of a process of its own. ``--against CHECKOUT`` measures an earlier
checkout in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import ROOT
from benchmarks.report import Report, Section
from benchmarks.tiles import synthetic_tiles

TRIALS = (100, 1000, 10_000)
PARTS = {
    "records": ("a change in the record of trials", TRIALS),
    "progress": ("a report in the live table", TRIALS),
    "rungs": ("a report to ASHA", TRIALS),
    "search": ("a study, trials stop", TRIALS),
    "pausing": ("a study, trials pause", TRIALS),
    "remote_journal": ("an entry in a journal on an object store, by entries in it", TRIALS),
    "events": ("an event of Ray's manager of actors, by calls under way", (8, 64, 1000)),
    "requests": ("requests to S3 of a running trial, mean of epochs", (10,)),
}
SAME = ("rungs", "events")
"""Parts that another checkout is not measured in."""
NEW, OLD = "tilesweep", "the other checkout"


@contextmanager
def packages(checkout: Path) -> Iterator[Path]:
    """Lay out a path for imports: the packages of a checkout, and these benchmarks."""
    with tempfile.TemporaryDirectory(prefix="packages-") as folder:
        for name in ("trainables", "search_spaces", "sweep"):
            (Path(folder) / name).symlink_to((checkout / name).resolve())
        (Path(folder) / "benchmarks").symlink_to(ROOT / "benchmarks")
        yield Path(folder)


def part(path: Path, *arguments: object) -> dict[str, float]:
    """Measure a part in a fresh process.

    Args:
        path: What ``packages`` laid out.
        arguments: Of ``benchmarks.scale_parts``.
    """
    command = [sys.executable, "-P", "-m", "benchmarks.scale_parts", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(path), "NO_ALBUMENTATIONS_UPDATE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure_parts(report: Report, names: list[str], most: int, checkouts: dict[str, Path]) -> None:
    """Measure parts at growing sizes, each size in all checkouts in turn."""
    for name in names:
        what, sizes = PARTS[name]
        for size in (size for size in sizes if size <= most):
            ways = {word: path for word, path in checkouts.items() if word == NEW or name not in SAME}
            found = {word: part(path, name, size) for word, path in ways.items()}
            for figure in found[NEW]:
                values = {word: [figures.get(figure, 0.0)] for word, figures in found.items()}
                report.add(Section(title=f"{what}: {size:,}", unit=figure, values=values, baseline=NEW))
            report.write()  # the next part may be the one that somebody breaks off


def measure_reading(report: Report, path: Path, trials: int) -> None:
    """Measure the commands that read a made experiment."""
    with synthetic_tiles((24, 6, 6), 64) as patches, tempfile.TemporaryDirectory(prefix="made-") as made:
        shutil.copytree(patches, Path(made) / "patches")
        for figure, value in part(path, "searched", trials, made).items():
            report.note(f"{trials} made trials: {figure}", round(value, 1))
        for module in ("status", "report"):
            for figure, value in part(path, module, trials, made).items():
                report.note(f"sweep.{module} on {trials} made trials: {figure}", round(value, 1))


def main() -> None:
    """Measure and write ``benchmarks/results/scale_driver.json``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_driver", description=__doc__)
    parser.add_argument("--parts", default=",".join(PARTS), help="which of them")
    parser.add_argument("--most", type=int, default=10_000, help="trials at most")
    parser.add_argument("--made", type=int, default=10_000, help="trials of the experiment that is read; 0 reads none")
    parser.add_argument("--against", type=Path, help="another checkout")
    options = parser.parse_args()
    report = Report(name="scale_driver")
    with packages(ROOT) as ours, packages(options.against or ROOT) as theirs:
        checkouts = {NEW: ours, **({OLD: theirs} if options.against else {})}
        measure_parts(report, [name for name in options.parts.split(",") if name], options.most, checkouts)
        if options.made:
            measure_reading(report, ours, options.made)
    report.write()


if __name__ == "__main__":
    main()
