"""What every benchmark shares: ways measured in turn, and their medians and ratios as a chapter of the docs."""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.markdown import Markdown

DOCS = Path(__file__).parents[1] / "docs"
PAGE = Path(os.environ.get("BENCHMARK_PAGE") or DOCS / "maintainers" / "performance.md")


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

    def markdown(self) -> str:
        """Write medians, spread and ratios as a table."""
        lines = [
            f"| {self.title} | median [{self.unit}] | min | max | times better than {self.baseline} |",
            "|---|--:|--:|--:|--:|",
        ]
        for way, values in self.values.items():
            figures = (median(values), min(values), max(values), self.ratio(way))
            lines.append(f"| {way} | {' | '.join(map(_plain, figures))} |")
        return "\n".join(lines) + "\n"


@dataclass(kw_only=True)
class Report:
    """The sections of one run of a benchmark.

    Attributes:
        name: The benchmark's name; its figures stand on the page after ``<!-- figures of NAME -->``.
        sections: What was measured.
        notes: Single figures that compare nothing, by name.
        tables: Other figures, as Markdown tables.
    """

    name: str
    sections: list[Section] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)

    def add(self, section: Section) -> None:
        """Print a section and keep it."""
        self.sections.append(section)
        Console(width=120).print(Markdown(section.markdown()))

    def table(self, markdown: str) -> None:
        """Print a table and keep it."""
        self.tables.append(markdown)
        Console(width=160).print(Markdown(markdown))

    def compare(
        self,
        title: str,
        ways: Mapping[str, Callable[[], float]],
        repeats: int,
        *,
        unit: str,
        baseline: str,
        more_is_better: bool = False,
    ) -> None:
        """Measure ways in turn and add them as a section."""
        values = in_turn(ways, repeats)
        self.add(Section(title=title, unit=unit, values=values, baseline=baseline, more_is_better=more_is_better))

    def note(self, name: str, value: Any) -> None:
        """Print a single figure and keep it."""
        self.notes[name] = value
        Console(width=120, soft_wrap=True).print(f"{name}: {_plain(value)}", highlight=False)

    def write(self) -> None:
        """Put the figures in their place on the page, instead of earlier ones; prints them where it has no place."""
        place = re.compile(rf"(?<=<!-- figures of {re.escape(self.name)} -->\n).*?(?=\n## |\Z)", re.DOTALL)
        page, found = place.subn(lambda _: f"\n{self._figures()}", PAGE.read_text(), count=1)
        if found:
            PAGE.write_text(page)
            Console().print(f"written to {PAGE}", highlight=False, soft_wrap=True)
        else:
            sys.stdout.write(self._figures())

    def _figures(self) -> str:
        command = shlex.join(["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *sys.argv[1:]])
        notes = "".join(f"- {name}: {_plain(value)}\n" for name, value in self.notes.items())
        blocks = (
            f"`{command}`, {conditions()}.\n",
            *(section.markdown() for section in self.sections),
            *self.tables,
            notes,
        )
        return "\n".join(filter(None, blocks))


def seconds(action: Callable[[], object]) -> float:
    """Time one call, in seconds."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def timed(action: Callable[[], object], device: torch.device, times: int) -> float:
    """Return seconds per call after one to warm up, the work that the device still has to do included."""

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


def conditions() -> str:
    """Say when, on what and with which versions: ``2026-11-21, 2 cores, Intel(R) Xeon(R), torch 2.14.1, ...``."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    ray = f", Ray {version('ray')}" if "ray" in sys.modules else ""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} cores, {_cpu()}"
    return f"{datetime.now(UTC):%Y-%m-%d}, {gpu}, torch {torch.__version__}{ray}, commit {commit.stdout.strip()}"


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    if isinstance(value, dict):
        return "; ".join(f"{name} {_plain(one)}" for name, one in value.items())
    return str(value)
