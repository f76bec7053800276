"""Runs a sweep's trials on Ray Tune, from the start or from where they were left."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ray import tune

from sweep.cli.output import Output
from sweep.observers.event_stream import EventStream
from sweep.observers.progress import Progress
from sweep.observers.recorder import Recorder
from sweep.observers.tracking import follow
from sweep.planning.estimate import Estimator, expected_epochs
from sweep.planning.plan import SweepPlan
from sweep.planning.resources import Resources
from sweep.planning.run import Run
from sweep.planning.shares import scoring_in_epochs
from sweep.ray_tune.actors import share_processes
from sweep.ray_tune.allocation import estimator_for, room
from sweep.ray_tune.callback import ObserverCallback
from sweep.ray_tune.gauges import TrialGauges
from sweep.ray_tune.scheduler import PolicyScheduler
from sweep.ray_tune.searcher import RoundRobin, attempt_of
from sweep.ray_tune.silent_reporter import SilentReporter
from sweep.ray_tune.stopper import SweepStopper
from sweep.records.trials import TrialPlan, TrialRecords
from sweep.search.groups import PlannedTrials, TrialGroup
from sweep.search.refits import RefitTrials
from trainables.errors import ExperimentError, StorageError, causes
from trainables.models.registry import trusted_hashes
from trainables.observer import TrialObserver
from trainables.owners import scratch_folder
from trainables.segmentation import SegmentationTrainable
from trainables.tensorboard import EventFiles

PLANNED, REFIT = "planned", "refit"


@dataclass(frozen=True, kw_only=True)
class RunEnd:
    """How a run ended.

    Attributes:
        complete: Every trial reached an end.
        limit: The flag whose limit ended the run; empty for none.
    """

    complete: bool
    limit: str = ""


def _groups(run: Run, records: TrialRecords) -> dict[str, TrialGroup]:
    plan = run.plan
    records.add(*plan.trials)
    groups: dict[str, TrialGroup] = {}
    if plan.trials:
        # The longest first, so that none of them is left to run alone at the end.
        estimator = Estimator(data=run.data, device="cuda")
        ordered = sorted(plan.trials, key=lambda trial: -estimator.planned(trial))
        groups[PLANNED] = PlannedTrials(ordered, records)
    if plan.studies:
        from sweep.search.journal import open_studies
        from sweep.search.study_group import StudyGroup

        storage = open_studies(run.experiment, run.optuna_url)
        warm = run.warm_curves or {}
        for study in plan.studies:
            groups[study.name] = StudyGroup(
                study,
                plan.policy,
                storage,
                run.experiment.name,
                records,
                run.seed,
                warm=warm.get(study.name),
                sampler=plan.sampler,
            )
    if plan.refit:
        groups[REFIT] = RefitTrials(run.experiment, records, list(groups.values()))
    return groups


def _scratch_name(trial: Any) -> str:
    return f"{attempt_of(trial)}-{trial.trial_id}"  # a trial that paused comes a second time


def _progress(run: Run, resources: Resources, records: TrialRecords, output: Output) -> Progress:
    val = run.data.val
    pixels = sum(tile.mask.size for tile in val)
    known = records.all()
    resumed = any(record.state != "waiting" for record in known)
    estimator = estimator_for(run.request, run.data, resources)
    return Progress(
        run.plan.total,
        resources.concurrent,
        known,
        output.console,
        scoring=lambda recipe: scoring_in_epochs(recipe, len(val), pixels),
        expected=None if resumed else estimator.sweep(run.plan, resources),
        afterwards=output.afterwards() if output.afterwards else None,
        measured=run.phase != "phase1" or estimator.measured(run.plan),  # a study sizes the others by Phase 1's times
        share=_usual_share(run.plan),
        costs=estimator.costs(run.plan, resources),
    )


def _usual_share(plan: SweepPlan) -> float:
    """Return the share of full trainings that a plan's searches usually run."""
    full = sum(study.trials * study.template.recipe.max_epochs for study in plan.studies)
    return sum(expected_epochs(study, plan.policy) for study in plan.studies) / full if full else 1.0


def run_trials(
    run: Run,
    resources: Resources,
    output: Output,
    *,
    asked: Callable[[], bool] = lambda: False,
    lost: Callable[[], str] = lambda: "",
) -> RunEnd:
    """Run what is left to do of a plan; Ray must be initialised.

    Everything that a resume needs is in the experiment: the record of trials, the studies, and each trial's own
    states. Tune's bookkeeping is scratch and thrown away, so nothing that can run code is ever loaded.

    Args:
        run: What is trained, and how.
        resources: What each trial gets.
        output: Where to show progress.
        asked: Whether the sweep was asked to stop.
        lost: Says why the experiment cannot be written any more; empty while it can.

    Returns:
        How the run ended.

    Raises:
        StorageError: The experiment cannot be written any more.
    """
    experiment, plan = run.experiment, run.plan
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a crash is a line here, and kept in error.txt
    warnings.filterwarnings("ignore", module="ray")
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # trials write their own records
    # Else Tune starts one actor at a time for a searcher of ours, and drops it as soon as another one is free.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(resources.concurrent)
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # signals reach the stopper
    records = TrialRecords(experiment)
    groups = _groups(run, records)
    code = run.code or {name: trusted_hashes([name]) for name in plan.architectures}

    def config(trial: TrialPlan) -> dict[str, Any]:
        folder = experiment.folder(trial.attempt)
        folder.create()
        return {
            "trial": {
                **trial.to_dict(),
                "group": trial.group,
                "device": resources.device,
                "compiled": run.compiled,
                "trace": run.trace,
                "folder": folder.address,
                "weights_at": run.weights_at,
                "beside": plan.on_encoder_of(trial),
                "code": dict(code[trial.recipe.architecture]),
            }
        }

    searcher = RoundRobin(groups, config, lambda: room(resources))
    devices = resources.gpus_per_trial if run.limits.device == "gpu" else float(resources.cpus_per_trial)
    stopper = SweepStopper(run.limits, devices, asked, lost)
    shared = share_processes(plan, run.data, resources)
    inside: list[TrialObserver] = [TrialGauges(experiment.name)]
    if run.overlays_every is not None:
        inside.append(EventFiles(run.overlays_every))
    trainable = tune.with_resources(
        # One copy of the tiles per node, in shared memory.
        tune.with_parameters(SegmentationTrainable, data=run.data, observers=inside, shared=shared),
        {"cpu": resources.cpus_per_trial, "gpu": resources.gpus_per_trial},
    )
    trainable.__name__ = trainable.__qualname__ = SegmentationTrainable.__name__  # the wrapper's own says nothing
    callback = ObserverCallback(
        [
            Recorder(experiment, records),
            _progress(run, resources, records, output),
            EventStream(output.events),
            *follow(run.tracking, experiment),
        ],
        records.plan,
    )
    with scratch_folder() as scratch:
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=PolicyScheduler(searcher.decide),
                num_samples=-1,
                reuse_actors=shared,
                trial_name_creator=attempt_of,
                trial_dirname_creator=_scratch_name,
            ),
            run_config=tune.RunConfig(
                name=experiment.name,
                storage_path=str(scratch),
                verbose=0,
                progress_reporter=SilentReporter(),
                stop=stopper,
                callbacks=[callback],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # trials keep their own states
                failure_config=tune.FailureConfig(max_failures=run.max_failures),
            ),
        )
        try:
            tuner.fit()
            records.write_waiting()
        except Exception as error:
            # What Tune makes of an error in the driver's own callbacks and searches.
            for kind in (StorageError, ExperimentError):
                if found := next((one for one in causes(error) if isinstance(one, kind)), None):
                    raise kind(str(found)) from error
            raise
        finally:
            callback.close()
    if stopper.fault:
        raise StorageError(stopper.fault)
    return RunEnd(complete=searcher.done, limit=stopper.limit)
