"""Ways that are measured in a process of their own."""

from __future__ import annotations

import os
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, kw_only=True)
class Used:
    """What a process took.

    Attributes:
        seconds: By the clock.
        cpu_seconds: Of all of its threads.
        most_mib: Most memory that it held, in MiB.
    """

    seconds: float
    cpu_seconds: float
    most_mib: float


def run_module(*arguments: object, log: Path) -> Used:
    """Run ``python -m ...`` from the checkout; its last lines are shown if it fails.

    What other processes held, such as one that made the data, is not counted: ``RUSAGE_CHILDREN`` would count it.
    """
    command = [sys.executable, "-m", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_ALBUMENTATIONS_UPDATE": "1"}
    with log.open("w") as stream:
        began = time.perf_counter()
        actions = [(os.POSIX_SPAWN_DUP2, stream.fileno(), number) for number in (1, 2)]
        process = os.posix_spawn(sys.executable, command, environment, file_actions=actions)
        _, status, used = os.wait4(process, 0)
        seconds = time.perf_counter() - began
    if status:
        Console().print("\n".join(log.read_text().splitlines()[-20:]), markup=False)
        raise SystemExit(f"{shlex.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return Used(seconds=seconds, cpu_seconds=used.ru_utime + used.ru_stime, most_mib=used.ru_maxrss / 1024)
