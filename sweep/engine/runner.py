"""Runs planned trials on Ray Tune, from the start or from where they were left."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Sequence
from typing import Any

from ray import tune

from sweep.engine.experiment import Experiment
from sweep.engine.plan import TrialPlan, estimate_seconds
from sweep.engine.progress import Progress
from sweep.engine.resources import Resources
from sweep.engine.scheduler import GroupedASHA
from trainables.data.tiles import TuningData
from trainables.segmentation import SegmentationTrainable


def _trial_name(trial: Any) -> str:
    return str(trial.config["trial"]["attempt"])


def _trainable(data: TuningData, resources: Resources) -> Any:
    """Bind the tiles (one copy a node, in shared memory) and the resources to the trainable."""
    bound = tune.with_parameters(SegmentationTrainable, data=data)
    return tune.with_resources(bound, {"cpu": resources.cpus_per_trial, "gpu": resources.gpus_per_trial})


def run_trials(
    experiment: Experiment,
    trials: Sequence[TrialPlan],
    data: TuningData,
    resources: Resources,
    *,
    resume: bool = False,
    max_failures: int = 2,
) -> bool:
    """Run the trials; Ray must be initialised.

    Args:
        experiment: Where everything is written.
        trials: The plan.
        data: Train and val tiles.
        resources: What each trial gets.
        resume: Go on with the experiment's unfinished trials instead of starting anew.
        max_failures: How often a trial whose process died is started again from its last checkpoint.

    Returns:
        Whether every trial reached an end; False after an interrupt.
    """
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a crash is told in a line and kept in error.txt
    warnings.filterwarnings("ignore", module="ray")
    trainable = _trainable(data, resources)
    # The longest first, so that none of them is left to run alone at the end.
    ordered = sorted(trials, key=lambda trial: -estimate_seconds(trial.recipe, data, resources.device))
    space = {"trial": tune.grid_search([trial.config(resources.device) for trial in ordered])}
    if resume and tune.Tuner.can_restore(experiment.address):  # else it ended before Tune had saved anything
        tuner = tune.Tuner.restore(
            experiment.address, trainable, resume_unfinished=True, restart_errored=True, param_space=space
        )
    else:
        tuner = tune.Tuner(
            trainable,
            param_space=space,
            tune_config=tune.TuneConfig(
                scheduler=GroupedASHA(max_epochs=max(trial.recipe.max_epochs for trial in trials)),
                max_concurrent_trials=resources.concurrent,
                reuse_actors=True,  # a fresh actor spends seconds on importing torch
                trial_name_creator=_trial_name,
                trial_dirname_creator=_trial_name,
            ),
            run_config=tune.RunConfig(
                name=experiment.name,
                storage_path=experiment.storage.address,
                verbose=0,
                callbacks=[
                    Progress({trial.attempt: trial.recipe.max_epochs for trial in trials}, resources.concurrent)
                ],
                failure_config=tune.FailureConfig(max_failures=max_failures),
                checkpoint_config=tune.CheckpointConfig(num_to_keep=1, checkpoint_frequency=1, checkpoint_at_end=True),
                sync_config=tune.SyncConfig(sync_artifacts=True, sync_artifacts_on_checkpoint=True),
            ),
        )
    # Colab, Slurm and spot instances say goodbye by SIGTERM: end as cleanly as on Ctrl-C.
    previous = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        results = tuner.fit()
    finally:
        signal.signal(signal.SIGTERM, previous)
    return all(result.error is not None or bool(result.metrics and result.metrics.get("done")) for result in results)
