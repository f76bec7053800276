"""A sweep from options to leaderboard: what all phases do around their trials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from search_spaces.profiles import Profile
from sweep.console import open_console
from sweep.engine.cluster import ray_cluster
from sweep.engine.experiment import Experiment, check_name
from sweep.engine.options import SweepOptions
from sweep.engine.plan import TrialPlan, duration, estimate_sweep_seconds, plan_table
from sweep.engine.provenance import provenance
from sweep.engine.resources import Resources, divide
from sweep.engine.storage import Storage
from sweep.results.leaderboard import Leaderboard
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError
from trainables.models.registry import get_architecture
from trainables.models.weights import Mode, Weights, resolve_all
from trainables.recipe import Recipe

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def run_sweep(phase: str, options: SweepOptions, profile: Profile, recipes: Mapping[str, Recipe]) -> int:
    """Plan the trials, run them on Ray, and print the leaderboard.

    Args:
        phase: ``phase1``; becomes part of the default name.
        options: What the user asked for.
        profile: How big the run is.
        recipes: Attempt name to recipe.

    Returns:
        Exit code: 0 when every trial reached an end, 1 when one of them failed, 130 after an interrupt.

    Raises:
        TilesweepError: Anything that a user can mend, before the first trial is scheduled.
    """
    console = open_console()
    storage = Storage.open(options.storage)
    if options.resume is not None:
        return _resume(storage, options, console)
    if options.name is not None:
        check_name(options.name)
    data = TuningData.read(options.patches)
    if options.address is None and not options.plan:
        _require_gpu(options, profile, _here(options, len(recipes)))  # before weights are fetched and Ray starts
    trials = _plan(options, profile, recipes)
    if options.plan:
        _show_plan(options, profile, trials, data, console)
        return 0
    storage.require_writable()
    experiment = Experiment(storage, options.name or _free_name(storage, f"{phase}-{profile.name}"))
    if experiment.exists:
        raise ExperimentError(f"--name {experiment.name}: exists already; {_next_step(experiment)}")
    with _cluster(options, profile, trials, console) as resources:
        experiment.describe(_description(phase, options, profile, trials, data))
        _announce(experiment, trials, data, resources, console)
        return _run(experiment, trials, data, resources, console, resume=False)


def _plan(options: SweepOptions, profile: Profile, recipes: Mapping[str, Recipe]) -> list[TrialPlan]:
    """Resolve weights, all of them before any trial, and name the trials."""
    mode: Mode = options.weights or profile.weights
    if options.plan and mode == "pretrained":
        mode = "available"  # a plan fetches nothing and refuses nothing
    tiny = any(recipe.model_size == "tiny" for recipe in recipes.values())
    weights: Mapping[str, Weights] = resolve_all(
        {recipe.architecture: get_architecture(recipe.architecture).needs for recipe in recipes.values()},
        mode,
        model_size="tiny" if tiny else "full",
        sam_checkpoint=options.sam_checkpoint,
        sam_sha256=options.sam_sha256,
        offline=options.offline,
    )
    return [
        # Phase 1 stops nobody: an attempt alone in its group has no rival.
        TrialPlan(attempt=attempt, group=attempt, recipe=recipe, weights=weights[recipe.architecture])
        for attempt, recipe in recipes.items()
    ]


def _free_name(storage: Storage, base: str) -> str:
    """Return ``base``, ``base-2``, ...: the first name that is free.

    Raises:
        ExperimentError: An experiment of that kind is unfinished; it is to be resumed or renamed around.
    """
    name, number = base, 1
    while (experiment := Experiment(storage, name)).exists:
        if not experiment.description.get("ended"):
            raise ExperimentError(f"{experiment.address}: is unfinished; {_next_step(experiment)}")
        number += 1
        name = f"{base}-{number}"
    return name


def _next_step(experiment: Experiment) -> str:
    if experiment.description.get("ended"):
        return f"choose another --name, or score it: {experiment.command('score')}"
    return f"go on with {experiment.command(experiment.description['phase'], '--resume')}, or choose another --name"


@contextmanager
def _cluster(options: SweepOptions, profile: Profile, trials: list[TrialPlan], console: Console) -> Iterator[Resources]:
    """Start or join Ray and divide it among the trials."""
    with ray_cluster(options.address, console):
        import ray

        total = ray.cluster_resources()
        resources = _divide(options, len(trials), int(total.get("CPU", 1)), total.get("GPU", 0.0))
        _require_gpu(options, profile, resources)
        yield resources


def _divide(options: SweepOptions, trials: int, cpus: int, gpus: float) -> Resources:
    return divide(
        trials=trials,
        total_cpus=cpus,
        total_gpus=gpus,
        device=options.device,
        gpus_per_trial=options.gpus_per_trial,
        max_concurrent=options.max_concurrent,
    )


def _here(options: SweepOptions, trials: int) -> Resources:
    """Divide this machine among the trials."""
    import os

    import torch

    return _divide(options, trials, os.cpu_count() or 1, torch.cuda.device_count())


def _require_gpu(options: SweepOptions, profile: Profile, resources: Resources) -> None:
    if profile.needs_gpu and resources.device == "cpu" and options.device != "cpu":
        raise ExperimentError(
            f"--profile {profile.name}: needs a GPU and there is none (on CPU it takes days); try --profile demo, "
            f"or insist with --device cpu"
        )


def _show_plan(
    options: SweepOptions, profile: Profile, trials: list[TrialPlan], data: TuningData, console: Console
) -> None:
    if options.address is None:
        resources = _here(options, len(trials))
    else:
        with ray_cluster(options.address, console):
            import ray

            total = ray.cluster_resources()
        resources = _divide(options, len(trials), int(total.get("CPU", 1)), total.get("GPU", 0.0))
    console.print(plan_table(trials, data, resources))
    console.print(
        f"about {duration(estimate_sweep_seconds(trials, data, resources))} in all, every trial run to its last epoch; "
        f"nothing was started",
        highlight=False,
    )
    missing = sorted({trial.recipe.architecture for trial in trials if trial.weights.kind == "random"})
    if missing and (options.weights or profile.weights) == "pretrained":
        console.print(f"pretrained weights are not on this machine yet: {', '.join(missing)}", highlight=False)
    if profile.needs_gpu and resources.device == "cpu":
        console.print(f"--profile {profile.name} wants GPUs; there is none here: --profile demo fits", highlight=False)


def _description(
    phase: str, options: SweepOptions, profile: Profile, trials: list[TrialPlan], data: TuningData
) -> dict[str, Any]:
    return {
        "phase": phase,
        "profile": profile.name,
        "ended": False,
        "options": {name: str(value) if isinstance(value, Path) else value for name, value in asdict(options).items()},
        "data": {
            "path": str(options.patches.resolve()),
            "name": data.name,
            "synthetic": data.synthetic,
            "fingerprint": data.fingerprint,
            "train": [tile.name for tile in data.train],
            "val": [tile.name for tile in data.val],
        },
        "trials": [
            {
                "attempt": trial.attempt,
                "group": trial.group,
                "recipe": trial.recipe.to_dict(),
                "weights": asdict(trial.weights),
            }
            for trial in trials
        ],
        "provenance": provenance(),
    }


def _announce(
    experiment: Experiment, trials: list[TrialPlan], data: TuningData, resources: Resources, console: Console
) -> None:
    kind = ", synthetic" if data.synthetic else ""
    console.print(
        f"experiment     {experiment.address}\n"
        f"data           {data.name}{kind}: {len(data.train)} train and {len(data.val)} val tiles\n"
        f"trials         {len(trials)}, {resources}; about "
        f"{duration(estimate_sweep_seconds(trials, data, resources))}",
        highlight=False,
        soft_wrap=True,
    )


def _run(
    experiment: Experiment,
    trials: list[TrialPlan],
    data: TuningData,
    resources: Resources,
    console: Console,
    *,
    resume: bool,
) -> int:
    from sweep.engine.runner import run_trials

    ended = run_trials(experiment, trials, data, resources, resume=resume)
    board = Leaderboard(experiment)
    board.write()
    if not ended:
        command = experiment.command(experiment.description["phase"], "--resume")
        console.print(f"interrupted; nothing is lost. Go on with:\n{command}", highlight=False, soft_wrap=True)
        return INTERRUPTED
    experiment.describe({**experiment.description, "ended": True})
    board.print(console)
    return 1 if any(row["status"] == "failed" for row in board.rows) else 0


def _resume(storage: Storage, options: SweepOptions, console: Console) -> int:
    """Go on with an unfinished experiment, with the options that started it."""
    experiment = Experiment.find(storage, options.resume)
    description = experiment.description
    if description.get("ended"):
        raise ExperimentError(f"--resume {experiment.name}: it has ended; {_next_step(experiment)}")
    from search_spaces.profiles import get_profile

    profile = get_profile(description["profile"])
    saved = description["options"]
    options = replace(
        options,
        max_concurrent=options.max_concurrent or saved["max_concurrent"],
        gpus_per_trial=options.gpus_per_trial if options.gpus_per_trial is not None else saved["gpus_per_trial"],
        device=saved["device"] if options.device == "auto" else options.device,
    )
    trials = [
        TrialPlan(
            attempt=trial["attempt"],
            group=trial["group"],
            recipe=Recipe.from_dict(trial["recipe"]),
            weights=Weights(**trial["weights"]),
        )
        for trial in description["trials"]
    ]
    patches = options.patches if options.patches != SweepOptions.patches else Path(description["data"]["path"])
    data = TuningData.read(patches)
    if data.fingerprint != description["data"]["fingerprint"]:
        raise ExperimentError(f"{patches}: its train and val tiles changed since the sweep began; bring them back")
    with _cluster(options, profile, trials, console) as resources:
        _announce(experiment, trials, data, resources, console)
        return _run(experiment, trials, data, resources, console, resume=True)
