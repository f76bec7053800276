"""Benchmarks run: no time is asserted, but that each does its work and writes its figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.page import chapter
from benchmarks.report import Section
from tests.conftest import ROOT


def test_ratios_say_how_many_times_better() -> None:
    rates = Section(title="t", unit="1/s", values={"a": [4, 1, 2], "b": [6]}, baseline="a", more_is_better=True)
    assert (rates.ratio("a"), rates.ratio("b")) == (1.0, 3.0)
    times = Section(title="t", unit="s", values={"a": [3.0], "b": [1.0, 2.0]}, baseline="a")
    assert times.ratio("b") == 2.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("augment", ["--side", "128", "--draws", "4", "--repeats", "1"]),
        ("step", ["--architectures", "unet", "--crop", "64", "--steps", "2", "--repeats", "1"]),
        ("sam", ["--side", "256", "--kept-side", "64", "--repeats", "1"]),
        ("gpu", ["--small"]),
    ],
)
def test_a_benchmark_writes_its_figures(name: str, arguments: list[str], tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *arguments],
        cwd=ROOT,
        env={**os.environ, "BENCHMARK_RESULTS": str(tmp_path)},
        check=True,
        capture_output=True,
        timeout=500,
    )
    (path,) = tmp_path.glob("*.json")
    result = json.loads(path.read_text())
    assert result["machine"]["packages"]["torch"] and result["sections"]
    assert "| " in chapter(name, result)
