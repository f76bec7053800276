"""Running the real commands, as a user types them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sweep.report.printing import find_browser
from tests.conftest import ROOT, WriteDataset

CHROMIUM = find_browser()
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")

Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(**changes: str) -> dict[str, str]:
    """Return this environment for a command that finds no pretrained weights but the installed package's."""
    return {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), **changes}


@pytest.fixture(scope="session")
def run() -> Run:
    """Return a function that runs ``python -m sweep.NAME ...`` and gives its output."""

    def command(
        name: str, *arguments: object, cwd: Path = ROOT, timeout: float = 300, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", f"sweep.{name}", *map(str, arguments)],
            cwd=cwd,
            env=environment(**variables),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return command


@dataclass(frozen=True)
class Scored:
    """A finished and scored smoke sweep of two architectures, whose tiles were deleted afterwards."""

    storage: Path
    patches: Path


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset, run: Run) -> Scored:
    """Sweep and score once for all tests that only read."""
    folder = tmp_path_factory.mktemp("scored")
    patches = write_dataset(folder / "patches", size=128)
    storage = folder / "results"
    arguments = ("--patches", patches, "--storage", storage, "--architectures", "unet,smp_unet_resnet34")
    for done in (run("phase1", "--profile", "smoke", *arguments), run("score", "--storage", storage)):
        assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(patches)
    return Scored(storage, patches)


def start(name: str, *arguments: object, stderr: int = subprocess.STDOUT, **variables: str) -> subprocess.Popen[str]:
    """Start ``python -m sweep.NAME ...`` and return at once."""
    return subprocess.Popen(
        [sys.executable, "-m", f"sweep.{name}", *map(str, arguments)],
        cwd=ROOT,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        # A shell that runs the tests in its background has them, and their children, ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def assert_refused(done: subprocess.CompletedProcess[str], *said: str) -> None:
    """Assert exit code 2, one line a fault, no traceback, and what the lines say."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert lines, done.stderr
    for part in said:
        assert any(part in line for line in lines), (part, lines)
