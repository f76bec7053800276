"""What the driver costs per trial at 10, 100 and 1,000 trials of no training, against plain Ray Tune.

Run with ``python -m benchmarks.scale``; some minutes on two CPU cores, ``--quick`` about two. Actors are
reused by all ways and two trials run side by side, so that only the driver differs.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import median

from rich.console import Console

from benchmarks.processes import run_module
from benchmarks.report import Report, Section, in_turn, seconds
from benchmarks.tiles import synthetic_tiles

NAME = "scale"
WAYS = {
    "tilesweep": "tilesweep",
    "plain Ray Tune": "plain",
    "plain Ray Tune, a checkpoint per epoch": "checkpoints",
}
SIDE = 64
"""Of the tiles, which nobody trains on."""


def measure(
    word: str, trials: int, folder: Path, sizes: dict[tuple[str, int], int], cpu: dict[tuple[str, int], float]
) -> float:
    """Run a way in a fresh process.

    Args:
        word: The way.
        trials: How many.
        folder: Holds the dataset and gets the way's experiment, which replaces an earlier one.
        sizes: Gets the bytes of the experiment.
        cpu: Gets the CPU seconds of the driver's process, its start and end included.

    Returns:
        Seconds per trial, Ray's start not counted, the first actors' counted.
    """
    shutil.rmtree(folder / word, ignore_errors=True)
    run_module("benchmarks.scale_ways", word, trials, folder, log=folder / "log.txt")
    sizes[word, trials] = sum(file.stat().st_size for file in (folder / word).rglob("*") if file.is_file())
    found = json.loads((folder / "seconds.json").read_text())
    took, cpu[word, trials] = found["seconds"], found["driver_cpu_seconds"]
    Console().print(f"{word}, {trials} trials: {took:.1f} s", highlight=False)
    return float(took) / trials


def resume(folder: Path) -> float:
    """Time the command that resumes the last sweep, of which nothing is left to do, in a fresh process."""
    description = folder / "tilesweep" / NAME / "sweep.json"
    description.write_text(json.dumps({**json.loads(description.read_text()), "ended": False}))
    storage = ("--storage", folder / "tilesweep")
    return seconds(lambda: run_module("sweep.phase1", "--resume", NAME, *storage, log=folder / "log.txt"))


def show(module: str, folder: Path) -> float:
    """Time a command that shows the last sweep, in a fresh process."""
    storage = ("--storage", folder / "tilesweep")
    return seconds(lambda: run_module(f"sweep.{module}", NAME, *storage, log=folder / "log.txt"))


def main() -> None:
    """Measure and write the figures on the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--trials", default="10,100,1000", help="how many, ascending")
    parser.add_argument("--repeats", type=int, default=1, help="times that each way is measured")
    parser.add_argument("--quick", action="store_true", help="10 and 50 trials, once")
    options = parser.parse_args()
    counts = [10, 50] if options.quick else [int(part) for part in options.trials.split(",")]
    repeats = 1 if options.quick else options.repeats
    report = Report(name="scale")
    sizes: dict[tuple[str, int], int] = {}
    cpu: dict[tuple[str, int], float] = {}
    found: dict[int, dict[str, list[float]]] = {}
    with synthetic_tiles((2, 1, 1), SIDE) as patches:
        folder = patches.parent

        def way(word: str, trials: int) -> Callable[[], float]:
            return lambda: measure(word, trials, folder, sizes, cpu)

        for trials in counts:
            found[trials] = in_turn({name: way(word, trials) for name, word in WAYS.items()}, repeats)
            title = f"{trials} trials of 2 reports: seconds per trial"
            report.add(Section(title=title, unit="s per trial", values=found[trials], baseline="plain Ray Tune"))
        few, many = counts[-2:] if len(counts) > 1 else (0, counts[0])
        for name, word in WAYS.items():
            late = median(found[many][name]) * many - (median(found[few][name]) * few if few else 0)
            report.note(f"{name}: seconds per trial between {few} and {many} trials", round(late / (many - few), 4))
            busy = (cpu[word, many] - (cpu[word, few] if few else 0)) / (many - few)
            report.note(f"{name}: CPU seconds of the driver a trial between {few} and {many} trials", round(busy, 4))
            for trials in counts:
                report.note(f"{name}: bytes per trial of {trials}", round(sizes[word, trials] / trials))
        for module in ("status", "report"):
            report.note(f"tilesweep: seconds of sweep.{module} on {many} trials", round(show(module, folder), 1))
        report.note(f"tilesweep: seconds to resume {many} trials of which none is left", round(resume(folder), 1))
    report.write()


if __name__ == "__main__":
    main()
