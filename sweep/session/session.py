"""A sweep from options to leaderboard: what all phases do around their trials."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from search_spaces.profiles import Profile
from sweep.cli.marks import typed
from sweep.cli.options import SweepOptions
from sweep.cli.output import Output
from sweep.observers.tracking import Tracking
from sweep.planning.crops import crop_notes, fit_crops, require_same_crops
from sweep.planning.limits import Limits
from sweep.planning.packing import Packing
from sweep.planning.plan import SweepPlan, read_plan, space_differences
from sweep.planning.resources import AUTO, read_share
from sweep.ray_tune.allocation import here, require_gpu
from sweep.ray_tune.cluster import joins
from sweep.ray_tune.jobs import require_kept
from sweep.ray_tune.settings import RunSettings
from sweep.records.experiment import Experiment, check_name
from sweep.records.provenance import provenance, typed_command
from sweep.records.store import TRIALS_FILE, gather
from sweep.sealed.next_step import next_command, resume_command
from sweep.session.driver import Sweep, drive
from sweep.session.leaks import describe_leaks, require_no_leak
from sweep.session.own_code import own_code, require_named_code, require_same_code
from sweep.session.preview import show_plan
from sweep.session.resuming import require_unchanged, to_be_kept, with_kept
from trainables.class_balance import require_class_weights
from trainables.data.remote import dataset_address, is_remote
from trainables.data.tiles import TuningData
from trainables.errors import DataError, ExperimentError, RecipeError
from trainables.invocation import command
from trainables.metrics import metric_of
from trainables.models.registry import get_architecture, trust_typed
from trainables.models.resolving import resolve_all
from trainables.models.trust import trust_everything
from trainables.models.weights import Mode, Weights
from trainables.recipe import Recipe
from trainables.secrets import HIDDEN, hide_secret
from trainables.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What a phase brings to a sweep.

    Attributes:
        name: ``phase1``; becomes part of the default name.
        architectures: Those that it trains.
        build: Makes the plan from the data and each architecture's resolved weights.
        optuna_url: Optuna storage of its studies; None is the experiment's own journal.
    """

    name: str
    architectures: tuple[str, ...]
    build: Callable[[TuningData, Mapping[str, Weights]], SweepPlan]
    optuna_url: str | None = None


def run_sweep(phase: Phase, options: SweepOptions, profile: Profile, output: Output) -> int:
    """Plan the trials, run them on Ray, and print what came out.

    Args:
        phase: What is trained.
        options: What the user asked for.
        profile: How big the run is.
        output: Where to print it.

    Returns:
        Exit code: 0 when every trial reached an end or a limit ended the sweep, 1 when a trial failed, 130 after an
        interrupt.

    Raises:
        TilesweepError: Anything that a user can mend, before the first trial is scheduled.
    """
    storage = Storage.open(options.storage)
    require_kept(storage)
    _check_flags(options)
    if options.name is not None:
        check_name(options.name)
    _require_folder(options.patches)
    _trust(options, options.architectures)
    require_named_code(phase.architectures)
    data = TuningData.read(options.patches)
    require_no_leak(data, options.patches, allowed=options.allow_leak)
    if not joins(options.address) and not options.plan:
        require_gpu(options, profile, here(options, 1))  # before weights are fetched and Ray starts
    asked = phase.build(data, _weights(phase, options, profile))
    plan = fit_crops(asked, data)
    notes = crop_notes(asked, plan, data)
    _require_trainable(plan, data)
    if options.plan:
        output.events.emit("plan", **show_plan(options, profile, plan, data, output.results, notes=notes))
        output.next(typed_command(without=("--plan", "--measure")))
        return 0
    storage.require_writable()
    experiment = Experiment(storage, options.name or _free_name(storage, f"{phase.name}-{profile.name}"))
    found = experiment.exists
    if found:
        experiment.require_own(trusted=options.trust_owner)
        _require_same(experiment, asked, plan, data, phase.optuna_url)
        require_same_code(experiment, plan)
        options = with_kept(options, experiment)
    elif phase.optuna_url and plan.studies:
        from sweep.search.journal import require_new_studies

        require_new_studies(phase.optuna_url, experiment.name, [study.name for study in plan.studies])
    _tracking(options).require()
    sweep = _sweep(experiment, phase.name, plan, data, options, profile, seed=options.seed, optuna_url=phase.optuna_url)
    sweep = replace(sweep, notes=tuple(notes))
    if found:
        packing = _packing_of(experiment) if options.gpus_per_trial == AUTO else None
        return drive(replace(sweep, packing=packing), output)
    return drive(sweep, output, {**_description(phase, options, profile, plan, data), "crop_notes": notes})


def resume_sweep(options: SweepOptions, name: str, output: Output, optuna_url: str | None = None) -> int:
    """Resume an unfinished experiment with the options that started it.

    Args:
        options: What the user asked for; those that are marked so may be new.
        name: The experiment's name.
        output: Where to print what comes out.
        optuna_url: Optuna storage, where the URL holds a password and so was not stored.

    Returns:
        As ``run_sweep``.

    Raises:
        ExperimentError: It does not exist, has ended, its data changed, or an option would change it.
    """
    experiment = Experiment.find(Storage.open(options.storage), name, "--resume")
    experiment.require_own(trusted=options.trust_owner)
    _check_flags(options)
    if options.plan:
        raise ExperimentError(f"--plan: shows what has not begun; for this one see {experiment.command('status')}")
    description = experiment.description
    if description["ended"]:
        raise ExperimentError(f"--resume {experiment.name}: it has ended; {_next_step(experiment)}")
    require_unchanged(options, experiment)
    plan = read_plan(experiment)
    _trust(options, ())
    require_same_code(experiment, plan)
    from search_spaces.profiles import get_profile

    profile = get_profile(description["profile"])
    packing = None if options.gpus_per_trial else _packing_of(experiment)  # auto that is given anew measures anew
    path = options.patches if "patches" in typed(options) else Path(description["data"]["path"])
    options = replace(with_kept(options, experiment), patches=path)
    _tracking(options).require()
    data = TuningData.read(path)
    if data.fingerprint != description["data"]["fingerprint"]:
        raise ExperimentError(f"{path}: its train and val tiles changed since the sweep began; bring them back")
    require_same_crops(experiment.name, plan, data, padded="crop_notes" in description)
    require_no_leak(data, path, allowed=options.allow_leak)
    url = optuna_url or description["optuna_storage"]
    if url and HIDDEN in url:
        raise ExperimentError(f"--optuna-storage: passwords are not stored; give the whole URL of {url} again")
    seed = int(description["options"].get("seed", options.seed))
    sweep = _sweep(experiment, description["phase"], plan, data, options, profile, seed=seed, optuna_url=url)
    return drive(replace(sweep, packing=packing, notes=tuple(description.get("crop_notes", ()))), output)


def _packing_of(experiment: Experiment) -> Packing | None:
    """Return how an experiment's GPUs were shared when it began; None where they were not."""
    saved = experiment.description.get("packing")
    return None if saved is None else Packing.from_dict(saved)


def _sweep(
    experiment: Experiment,
    phase: str,
    plan: SweepPlan,
    data: TuningData,
    options: SweepOptions,
    profile: Profile,
    *,
    seed: int,
    optuna_url: str | None,
) -> Sweep:
    """Put together what is driven, the rungs of ``--warm-from`` included."""
    settings = RunSettings(
        seed=seed,
        optuna_url=optuna_url,
        limits=Limits.parse(options.time, options.budget),
        warm_curves=_warm(experiment.storage, plan, data),
        max_failures=options.max_failures,
        compiled=options.compile,
        trace=options.profile_trace,
        overlays_every=options.overlays_every if options.tensorboard else None,
        tracking=_tracking(options),
    )
    return Sweep(
        experiment=experiment, phase=phase, plan=plan, data=data, options=options, profile=profile, settings=settings
    )


def _trust(options: SweepOptions, typed: Sequence[str]) -> None:
    """Let the code run that the user named, or all that an experiment or recipes name if the user says so."""
    trust_typed(typed)
    if options.trust_code:
        trust_everything()


def _tracking(options: SweepOptions) -> Tracking:
    return Tracking(mlflow=options.mlflow, wandb=options.wandb)


def _check_flags(options: SweepOptions) -> None:
    """Refuse values that make no sense, before anything is read.

    Raises:
        ExperimentError: As said.
    """
    Limits.parse(options.time, options.budget)
    read_share(options.gpus_per_trial)
    for name, value in (("--mlflow", options.mlflow), ("--wandb", options.wandb)):
        if value is not None and not value.strip():
            raise ExperimentError(f"{name}: is empty; give {'a tracking URI' if name == '--mlflow' else 'a project'}")
    if options.measure and not options.plan:
        raise ExperimentError("--measure: calibrates a plan; give it together with --plan")


def _require_folder(patches: Path) -> None:
    """Refuse a dataset's folder that is not there, such as the default outside a checkout.

    Raises:
        DataError: As said; names what draws tiles there.
    """
    if not is_remote(patches) and not patches.is_dir():
        draw = command("patches", "synthesize", "--dst", str(patches))
        raise DataError(f"--patches {patches}: no such folder; fix the path, or draw synthetic tiles there: {draw}")


def _weights(phase: Phase, options: SweepOptions, profile: Profile) -> Mapping[str, Weights]:
    """Resolve the weights of all architectures before any trial."""
    mode: Mode = options.weights or profile.weights
    if options.plan and mode == "pretrained":
        mode = "available"  # a plan fetches nothing and refuses nothing
    return resolve_all(
        {name: get_architecture(name).needs for name in phase.architectures},
        mode,
        model_size="tiny" if profile.changes.get("model_size") == "tiny" else "full",
        sam_checkpoint=options.sam_checkpoint,
        sam_sha256=options.sam_sha256,
        offline=options.offline,
    )


def _require_trainable(plan: SweepPlan, data: TuningData) -> None:
    """Refuse what would fail in every trial: a wrong number of class weights, an own architecture that breaks.

    Raises:
        RecipeError: All faults at once.
    """
    own: dict[str, Recipe] = {}
    for trial in plan.known():
        require_class_weights(trial.recipe, data.task)
        if get_architecture(trial.recipe.architecture).own:
            own.setdefault(trial.recipe.architecture, trial.recipe)
    if own:
        from trainables.models.contract import verdict

        if faults := [fault for name, recipe in own.items() for fault in verdict(name, data.task.channels, recipe)]:
            raise RecipeError(faults)


def _warm(storage: Storage, plan: SweepPlan, data: TuningData) -> Any:
    if plan.halving is None or not plan.halving.warm_from:
        return None
    from sweep.search.warm import warm_curves

    return warm_curves(Experiment.find(storage, plan.halving.warm_from, "--warm-from"), plan, data.fingerprint)


def _free_name(storage: Storage, base: str) -> str:
    """Return ``base``, ``base-2``, ...: the first name that is free, or whose experiment is unfinished."""
    name, number = base, 1
    while (experiment := Experiment(storage, name)).exists and experiment.description.get("ended"):
        number += 1
        name = f"{base}-{number}"
    return name


def _require_same(
    experiment: Experiment, asked: SweepPlan, plan: SweepPlan, data: TuningData, optuna_url: str | None
) -> None:
    """Refuse to go on with an experiment that has ended, or that is another sweep than the one asked for.

    Raises:
        ExperimentError: As said.
    """
    description = experiment.description
    there = read_plan(experiment)
    if there == asked and not description["ended"]:
        require_same_crops(experiment.name, there, data, padded="crop_notes" in description)
    same = (
        there == plan
        and description["data"]["fingerprint"] == data.fingerprint
        and description["optuna_storage"] == (optuna_url and hide_secret(optuna_url))
    )
    if same and not description["ended"]:
        return
    if plan.studies and (differences := space_differences(there, plan)):
        raise ExperimentError(
            f"--name {experiment.name}: exists with another space ({'; '.join(differences)}); choose another --name"
        )
    state = "has ended" if description["ended"] else "is unfinished, and is another sweep than this"
    raise ExperimentError(f"--name {experiment.name}: exists already and {state}; {_next_step(experiment)}")


def _next_step(experiment: Experiment) -> str:
    description = experiment.description
    if description["ended"]:
        trials = gather(experiment)[TRIALS_FILE].to_pylist()
        return f"choose another --name, or take its next step: {next_command(experiment, description, trials)}"
    return f"resume it with {resume_command(experiment, description)}, or choose another --name"


def _description(
    phase: Phase, options: SweepOptions, profile: Profile, plan: SweepPlan, data: TuningData
) -> dict[str, Any]:
    return {
        "id": uuid.uuid4().hex,  # another training under the same name is another experiment
        "phase": phase.name,
        "profile": profile.name,
        "ended": False,
        "options": to_be_kept(options),
        "optuna_storage": phase.optuna_url and hide_secret(phase.optuna_url),
        "data": {
            "path": dataset_address(options.patches),
            "name": data.name,
            "synthetic": data.synthetic,
            "fingerprint": data.fingerprint,
            "metric": metric_of(data.task),
            "task": data.task.to_dict(),
            "sheet": dict(data.sheet),
            **describe_leaks(data),
            "train": [tile.name for tile in data.train],
            "val": [tile.name for tile in data.val],
        },
        "plan": plan.to_dict(),
        "code": own_code(plan),
        "provenance": provenance(),
    }
