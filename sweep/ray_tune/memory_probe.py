"""Measures on a cluster what trials need of a GPU, for ``--gpus-per-trial auto``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sweep.planning.measure import memory_needs
from sweep.planning.packing import MemoryNeeds, Probe
from sweep.records.trials import TrialPlan
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError
from trainables.models.registry import trusted_hashes
from trainables.models.trust import trust_hashes


def probe_on_cluster(trials: Sequence[TrialPlan], data: TuningData, measure: Probe = memory_needs) -> MemoryNeeds:
    """Measure in a process of its own on a whole GPU of the cluster, which is free again afterwards.

    Raises:
        ExperimentError: It failed there.
    """
    import ray

    task = ray.remote(num_cpus=1, num_gpus=1, max_calls=1, max_retries=1)(_measured)
    code = trusted_hashes(trial.recipe.architecture for trial in trials)
    try:
        needs: MemoryNeeds = ray.get(task.remote(measure, code, list(trials), ray.put(data)))
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None) or error
        reason = (str(cause).strip().splitlines() or [""])[0]
        raise ExperimentError(
            f"--gpus-per-trial auto: measuring failed ({type(cause).__name__}: {reason}); give a number, such as 1"
        ) from error
    return needs


def _measured(measure: Probe, code: Mapping[str, str], trials: Sequence[TrialPlan], data: TuningData) -> MemoryNeeds:
    """Measure in a process that may run what the driver may."""
    trust_hashes(code)
    return measure(trials, data)
