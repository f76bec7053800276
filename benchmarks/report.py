"""What every benchmark shares: ways measured in turn, a table of medians and ratios, and a JSON file."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import torch
from rich.console import Console
from rich.table import Table

RESULTS = Path(os.environ.get("BENCHMARK_RESULTS") or Path(__file__).parent / "results")
PACKAGES = ("torch", "ray", "optuna", "albumentations", "segmentation-models-pytorch", "segment-anything", "numpy")


@dataclass(frozen=True, kw_only=True)
class Section:
    """Several ways of doing the same work.

    Attributes:
        title: What the work is.
        unit: What is counted, such as ``s`` or ``views/s``.
        values: Way to one value a repeat.
        baseline: The way that ratios refer to.
        more_is_better: Whether a larger value is the better one.
    """

    title: str
    unit: str
    values: Mapping[str, Sequence[float]]
    baseline: str
    more_is_better: bool = False

    def ratio(self, way: str) -> float:
        """How many times better a way is than the baseline, by medians."""
        ours, theirs = median(self.values[way]), median(self.values[self.baseline])
        better, worse = (ours, theirs) if self.more_is_better else (theirs, ours)
        return better / worse if worse else float("nan")

    def table(self) -> Table:
        """Show medians, spread and ratios."""
        table = Table(title=f"{self.title} [{self.unit}]", title_justify="left")
        table.add_column("way")
        for heading in ("median", "min", "max", f"times better than {self.baseline}"):
            table.add_column(heading, justify="right")
        for way, values in self.values.items():
            shown = (f"{number:.4g}" for number in (median(values), min(values), max(values)))
            table.add_row(way, *shown, f"{self.ratio(way):.2f}")
        return table


@dataclass(kw_only=True)
class Report:
    """The sections of one run of a benchmark.

    Attributes:
        name: The benchmark's name; its JSON file is called so.
        sections: What was measured.
        notes: Single figures that compare nothing, by name.
    """

    name: str
    sections: list[Section] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def add(self, section: Section) -> None:
        """Print a section and keep it."""
        self.sections.append(section)
        Console(width=120).print(section.table())

    def note(self, name: str, value: Any) -> None:
        """Print a single figure and keep it."""
        self.notes[name] = value
        shown = f"{value:.4g}" if isinstance(value, float) else value
        Console(width=120, soft_wrap=True).print(f"{name}: {shown}", highlight=False)

    def write(self, folder: Path = RESULTS) -> Path:
        """Write the JSON file; returns its path."""
        path = folder / f"{self.name}.json"
        content = {
            "benchmark": self.name,
            "command": shlex.join(["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *sys.argv[1:]]),
            "machine": machine(),
            "sections": [
                {
                    "title": one.title,
                    "unit": one.unit,
                    "baseline": one.baseline,
                    "ways": {
                        way: {
                            "median": median(values),
                            "min": min(values),
                            "max": max(values),
                            "values": list(values),
                            "times_better": one.ratio(way),
                        }
                        for way, values in one.values.items()
                    },
                }
                for one in self.sections
            ],
            "notes": self.notes,
        }
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n")
        Console().print(f"written to {path}", highlight=False, soft_wrap=True)
        return path


def seconds(action: Callable[[], object]) -> float:
    """Time one call, in seconds."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def timed(action: Callable[[], object], device: torch.device, times: int) -> float:
    """Return seconds a call after one to warm up, the work that the device still has to do included."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    def all_calls() -> None:
        for _ in range(times):
            action()
        wait()

    action()
    wait()
    return seconds(all_calls) / times


def in_turn(ways: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Measure several ways alternately, so that a machine that slows down slows all of them.

    Args:
        ways: Name to a function that does the work and returns its figure.
        repeats: Values of each way.
    """
    values: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, measure in ways.items():
            values[name].append(measure())
    return values


def machine() -> dict[str, Any]:
    """Describe date, hardware and versions."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpu": gpu,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "commit": _commit(),
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()
