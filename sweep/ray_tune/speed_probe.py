"""Measures steps in processes of their own, each with what a trial would get, for ``precision = auto``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sweep.planning.measure_steps import measure_steps
from sweep.planning.speeds import StepSpeed
from sweep.records.trials import TrialPlan
from trainables.data.tiles import TuningData
from trainables.models.registry import trusted_hashes
from trainables.models.trust import trust_hashes


def speeds_on_ray(trials: Sequence[TrialPlan], data: TuningData, threads: int) -> dict[str, StepSpeed | str]:
    """Measure as many trials side by side as will train side by side.

    Returns:
        Architecture to its speed, or to why there is none.
    """
    import ray

    task = ray.remote(num_cpus=threads, max_retries=0)(_measured)
    code = trusted_hashes(trial.recipe.architecture for trial in trials)
    place = ray.put(data)
    waiting = {trial.recipe.architecture: task.remote(code, trial, place, threads) for trial in trials}
    found: dict[str, StepSpeed | str] = {}
    for name, one in waiting.items():
        try:
            found[name] = ray.get(one)
        except ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None) or error
            found[name] = f"{type(cause).__name__}: {(str(cause).strip().splitlines() or [''])[0]}"
    return found


def _measured(code: Mapping[str, str], trial: TrialPlan, data: TuningData, threads: int) -> StepSpeed:
    trust_hashes(code)
    return measure_steps(trial, data, threads)
