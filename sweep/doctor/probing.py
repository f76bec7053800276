"""Asking a question in a process of its own: one that can be slow, crash or hang without harm to the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from trainables.errors import TilesweepError

ROOT = Path(__file__).resolve().parents[2]


class ProbeError(TilesweepError):
    """A question that got no answer."""


def probe(module: str, *arguments: str, seconds: float) -> dict[str, Any]:
    """Run a module and read the JSON object in the last line that it prints.

    Args:
        module: ``sweep.doctor.torch_probe``.
        arguments: Given to it.
        seconds: After which it is ended.

    Returns:
        The object, and under ``stderr`` what was said besides.

    Raises:
        ProbeError: It crashed, or did not answer in time.
    """
    command = [sys.executable, "-m", module, *arguments]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ProbeError(f"no answer within {seconds:.0f} s; try again when the machine is idle") from None
    try:
        answer: dict[str, Any] = json.loads(done.stdout.strip().rpartition("\n")[2])
        return {**answer, "stderr": done.stderr}
    except ValueError:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = said[-1] if said else f"exit code {done.returncode}"
        raise ProbeError(f"crashed ({reason}); see all of it with python -m {module}") from None
