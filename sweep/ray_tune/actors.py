"""Whether each trial gets a process of its own."""

from __future__ import annotations

from sweep.planning.estimate import Estimator
from sweep.planning.plan import SweepPlan
from sweep.planning.resources import Resources
from trainables.data.tiles import TuningData

FRESH_SECONDS = 10.0
"""What a fresh process spends on importing torch and the models (8 s on two CPU cores)."""

WORTH_IT = 0.02
"""Share of a trial's time that a process of its own may cost."""


def share_processes(plan: SweepPlan, data: TuningData, resources: Resources) -> bool:
    """Say whether one process serves trial after trial.

    Where there are more short trials than places they have to. Ray names a process in its lists once, when it starts,
    so others get one each: the dashboard then shows which trial is which.
    """
    if not plan.studies and len(plan.trials) <= resources.concurrent:
        return False
    estimator = Estimator(data=data, device=resources.device)
    cores = resources.cpus_per_trial if resources.device == "cpu" else 1
    seconds = [estimator.planned(trial) for trial in plan.trials]
    for study in plan.studies:
        recipe = study.template.recipe
        epochs = plan.policy.first_end(recipe.max_epochs)
        seconds.append(estimator.planned(study.template) * epochs / recipe.max_epochs)
    return min(seconds, default=0.0) / cores * WORTH_IT < FRESH_SECONDS
