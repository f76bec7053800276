"""Measures steps in processes of their own before Ray has started, as many side by side as trials will train."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial

from sweep.machine.share import cpu_share
from sweep.planning.measure_steps import measure_steps
from sweep.planning.packing import largest_tiles
from sweep.planning.speeds import StepSpeed
from sweep.records.trials import TrialPlan
from trainables.data.tiles import TuningData
from trainables.models.registry import trusted_hashes
from trainables.models.trust import trust_hashes

PROGRAM = "from sweep.planning.speed_processes import measure_what_stdin_says; measure_what_stdin_says()"
LONGEST_SECONDS = 120.0
"""After which an architecture counts as one that cannot be measured."""


def speeds_in_processes(trials: Sequence[TrialPlan], data: TuningData, threads: int) -> dict[str, StepSpeed | str]:
    """Measure as many trials side by side as will train side by side on this machine.

    Returns:
        Architecture to its speed, or to why there is none.
    """
    side_by_side = max(1, cpu_share().count // threads)
    measure = partial(_measured, few=largest_tiles(data), threads=threads)
    with ThreadPoolExecutor(side_by_side) as pool:
        speeds = pool.map(measure, trials)
        return {trial.recipe.architecture: speed for trial, speed in zip(trials, speeds, strict=True)}


def _measured(trial: TrialPlan, few: TuningData, threads: int) -> StepSpeed | str:
    code = trusted_hashes([trial.recipe.architecture])
    asked = pickle.dumps((code, trial, few, threads))
    command = [sys.executable, "-c", PROGRAM]
    try:
        done = subprocess.run(command, input=asked, capture_output=True, check=True, timeout=LONGEST_SECONDS)
        found: Mapping[str, float | None] = json.loads(done.stdout.strip().rpartition(b"\n")[2])
        return StepSpeed(fp32=found["fp32"] or 0.0, bf16=found["bf16"])
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        return said[-1] if said else f"its process ended with {error.returncode}"
    except (OSError, subprocess.SubprocessError, LookupError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


def measure_what_stdin_says() -> None:
    """Read what ``speeds_in_processes`` asks of this process, and write the answer as the last line."""
    code, trial, few, threads = pickle.load(sys.stdin.buffer)  # from the process that started this one
    trust_hashes(code)
    sys.stdout.write(f"{json.dumps(asdict(measure_steps(trial, few, threads)))}\n")
