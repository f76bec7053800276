"""Ways that are measured in a process of their own."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).parent.parent


def run_module(*arguments: object, log: Path) -> None:
    """Run ``python -m ...`` from the checkout; its last lines are shown if it fails."""
    command = [sys.executable, "-m", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_ALBUMENTATIONS_UPDATE": "1"}
    with log.open("w") as stream:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=stream, stderr=stream, check=False)
    if done.returncode:
        Console().print("\n".join(log.read_text().splitlines()[-20:]), markup=False)
        raise SystemExit(f"{shlex.join(command)} ended with {done.returncode}")
