"""The commands as users type them: each in a process of its own, or in this one, which spares the imports."""

from __future__ import annotations

import io
import os
import runpy
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest

from sweep.report.printing import find_browser

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = find_browser()
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")

Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(**changes: str) -> dict[str, str]:
    """Return this environment for a command that finds no pretrained weights but the installed package's."""
    return {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), **changes}


def run_process(
    name: str, *arguments: object, cwd: Path = ROOT, timeout: float = 900, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m sweep.NAME ...`` and give its output."""
    return subprocess.run(
        [sys.executable, "-m", f"sweep.{name}", *map(str, arguments)],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def run_here(name: str, *arguments: object, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Do the same in this process, for commands that start no Ray: refusals, plans, scores, reports.

    The module runs as ``__main__``, with a copy of the environment, and the signal handlers are put back.
    """
    out, err = io.StringIO(), io.StringIO()
    words, code = list(map(str, arguments)), 0
    with (
        _working_in(cwd),
        _signal_handlers(),
        patch.dict(os.environ, {"HF_HUB_OFFLINE": "1", **variables}),
        patch.multiple(sys, argv=["", *words], __stdout__=out),
        redirect_stdout(out),
        redirect_stderr(err),
        warnings.catch_warnings(action="ignore", category=RuntimeWarning),
    ):
        try:
            runpy.run_module(f"sweep.{name}", run_name="__main__", alter_sys=True)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _signal_handlers() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


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
    """Assert exit code 2, one line per fault, no traceback, and what the lines say."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert lines, done.stderr
    for part in said:
        assert any(part in line for line in lines), (part, lines)


def wait_for(condition: Callable[[], object], seconds: float = 240) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.05)
