"""A sweep from options to leaderboard: what all phases do around their trials."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from search_spaces.profiles import Profile
from sweep.console import open_console
from sweep.engine.allocation import cluster_for, here, require_gpu
from sweep.engine.disk import require_room, sweep_bytes
from sweep.engine.estimate import Estimator, duration
from sweep.engine.experiment import Experiment, check_name
from sweep.engine.interrupts import Interrupt, interruptible
from sweep.engine.leaks import describe_leaks, record_leaks, require_no_leak
from sweep.engine.lease import Lease, TakenError
from sweep.engine.limits import Limits
from sweep.engine.options import SweepOptions
from sweep.engine.preview import show_plan
from sweep.engine.provenance import provenance
from sweep.engine.resources import Resources
from sweep.engine.search.plan import SweepPlan, read_plan, space_differences
from sweep.engine.settings import RunSettings
from sweep.results.conclusion import conclude
from sweep.results.leaderboard import Leaderboard
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError, StorageError
from trainables.models.registry import get_architecture
from trainables.models.weights import Mode, Weights, resolve_all
from trainables.storage import Storage

if TYPE_CHECKING:
    from sweep.engine.runner import RunEnd

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


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


def run_sweep(phase: Phase, options: SweepOptions, profile: Profile) -> int:
    """Plan the trials, run them on Ray, and print what came out.

    Args:
        phase: What is trained.
        options: What the user asked for.
        profile: How big the run is.

    Returns:
        Exit code: 0 when every trial reached an end or a limit ended the sweep, 1 when a trial failed, 130 after an
        interrupt.

    Raises:
        TilesweepError: Anything that a user can mend, before the first trial is scheduled.
    """
    console = open_console()
    storage = Storage.open(options.storage)
    limits = Limits.parse(options.time, options.budget)
    if options.name is not None:
        check_name(options.name)
    if options.max_failures < 0:
        raise ExperimentError(f"--max-failures {options.max_failures}: must be at least 0")
    if options.measure and not options.plan:
        raise ExperimentError("--measure: calibrates a plan; give it together with --plan")
    data = TuningData.read(options.patches)
    require_no_leak(data, options.patches, allowed=options.allow_leak)
    if options.address is None and not options.plan:
        require_gpu(options, profile, here(options, 1))  # before weights are fetched and Ray starts
    plan = phase.build(data, _weights(phase, options, profile))
    if options.plan:
        show_plan(options, profile, plan, data, console)
        return 0
    storage.require_writable()
    experiment = Experiment(storage, options.name or _free_name(storage, f"{phase.name}-{profile.name}"))
    found = experiment.exists
    if found:
        experiment.require_own(trusted=options.trust_owner)
        _require_same(experiment, plan, data)
    elif phase.optuna_url and plan.studies:
        from sweep.engine.search.journal import require_new_studies

        require_new_studies(phase.optuna_url, experiment.name, [study.name for study in plan.studies])
    description = None if found else _description(phase, options, profile, plan, data)
    settings = RunSettings(
        seed=options.seed,
        optuna_url=phase.optuna_url,
        limits=limits,
        warm_curves=_warm(storage, plan, data),
        max_failures=options.max_failures,
    )
    sweep = _Sweep(
        experiment=experiment,
        phase=phase.name,
        plan=plan,
        data=data,
        options=options,
        profile=profile,
        settings=settings,
    )
    return _run(sweep, console, description)


def resume_sweep(options: SweepOptions, name: str, optuna_url: str | None = None) -> int:
    """Go on with an unfinished experiment, with the options that started it.

    Args:
        options: What the user asked for; time, budget, resources and the tiles' place may be new.
        name: The experiment's name.
        optuna_url: Optuna storage, where the URL holds a password and so was not stored.

    Returns:
        As ``run_sweep``.

    Raises:
        ExperimentError: It does not exist, has ended, or its data changed.
    """
    console = open_console()
    experiment = Experiment.find(Storage.open(options.storage), name, "--resume")
    experiment.require_own(trusted=options.trust_owner)
    limits = Limits.parse(options.time, options.budget)
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
    plan = read_plan(experiment)
    patches = options.patches if options.patches != SweepOptions.patches else Path(description["data"]["path"])
    data = TuningData.read(patches)
    if data.fingerprint != description["data"]["fingerprint"]:
        raise ExperimentError(f"{patches}: its train and val tiles changed since the sweep began; bring them back")
    require_no_leak(data, patches, allowed=options.allow_leak or saved.get("allow_leak", False))
    record_leaks(experiment, data)
    url = optuna_url or description["optuna_storage"]
    if url and "***" in url:
        raise ExperimentError(f"--optuna-storage: passwords are not stored; give the whole URL of {url} again")
    settings = RunSettings(
        seed=saved["seed"],
        optuna_url=url,
        limits=limits,
        warm_curves=_warm(experiment.storage, plan, data),
        max_failures=options.max_failures,
    )
    sweep = _Sweep(
        experiment=experiment,
        phase=description["phase"],
        plan=plan,
        data=data,
        options=options,
        profile=profile,
        settings=settings,
    )
    return _run(sweep, console)


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


def _warm(storage: Storage, plan: SweepPlan, data: TuningData) -> Any:
    if plan.halving is None or not plan.halving.warm_from:
        return None
    from sweep.engine.search.warm import warm_curves

    return warm_curves(Experiment.find(storage, plan.halving.warm_from, "--warm-from"), plan, data.fingerprint)


def _free_name(storage: Storage, base: str) -> str:
    """Return ``base``, ``base-2``, ...: the first name that is free, or whose experiment is unfinished."""
    name, number = base, 1
    while (experiment := Experiment(storage, name)).exists and experiment.description.get("ended"):
        number += 1
        name = f"{base}-{number}"
    return name


def _require_same(experiment: Experiment, plan: SweepPlan, data: TuningData) -> None:
    """Refuse to go on with an experiment that has ended, or that is another sweep than the one asked for.

    Raises:
        ExperimentError: As said.
    """
    description = experiment.description
    there = read_plan(experiment)
    if not description["ended"] and there == plan and data.fingerprint == description["data"]["fingerprint"]:
        return
    if plan.studies and (differences := space_differences(there, plan)):
        raise ExperimentError(
            f"--name {experiment.name}: exists with another space ({'; '.join(differences)}); choose another --name"
        )
    state = "has ended" if description["ended"] else "is unfinished, and is another sweep than this"
    raise ExperimentError(f"--name {experiment.name}: exists already and {state}; {_next_step(experiment)}")


def _next_step(experiment: Experiment) -> str:
    if experiment.description.get("ended"):
        return f"choose another --name, or score it: {experiment.command('score')}"
    return f"go on with {experiment.command(experiment.description['phase'], '--resume')}, or choose another --name"


def _description(
    phase: Phase, options: SweepOptions, profile: Profile, plan: SweepPlan, data: TuningData
) -> dict[str, Any]:
    given = asdict(options)
    given.pop("optuna_storage", None)  # may hold a password; kept below without it
    url = None
    if phase.optuna_url:
        from sweep.engine.search.journal import hide_password

        url = hide_password(phase.optuna_url)
    return {
        "id": uuid.uuid4().hex,  # another training under the same name is another experiment
        "phase": phase.name,
        "profile": profile.name,
        "ended": False,
        "options": {name: str(value) if isinstance(value, Path) else value for name, value in given.items()},
        "optuna_storage": url,
        "data": {
            "path": str(options.patches.resolve()),
            "name": data.name,
            "synthetic": data.synthetic,
            "fingerprint": data.fingerprint,
            **describe_leaks(data),
            "train": [tile.name for tile in data.train],
            "val": [tile.name for tile in data.val],
        },
        "plan": plan.to_dict(),
        "provenance": provenance(),
    }


def _announce(sweep: _Sweep, resources: Resources, console: Console) -> None:
    data, plan = sweep.data, sweep.plan
    kind = ", synthetic" if data.synthetic else ""
    seconds = Estimator(data=data, device=resources.device).sweep(plan, resources)
    console.print(
        f"experiment     {sweep.experiment.address}\n"
        f"data           {data.name}{kind}: {len(data.train)} train and {len(data.val)} val tiles\n"
        f"trials         {plan.total}, {resources}; about {duration(seconds)}",
        highlight=False,
        soft_wrap=True,
    )
    if not data.leaks_checked:
        command = f"python -m sweep.patches check --patches {sweep.options.patches}"
        console.print(f"leaks          never looked for; do so with {command}", highlight=False, soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class _Sweep:
    """What is to be run, new or again."""

    experiment: Experiment
    phase: str
    plan: SweepPlan
    data: TuningData
    options: SweepOptions
    profile: Profile
    settings: RunSettings


def _run(sweep: _Sweep, console: Console, description: dict[str, Any] | None = None) -> int:
    """Run what is left of a sweep, alone in its folder, and say what came out or how to go on.

    Args:
        sweep: What is run.
        console: Where to print.
        description: What a new experiment is; None for one that goes on.

    Returns:
        As ``run_sweep``.

    Raises:
        ExperimentError: Another driver runs it.
        StorageError: The storage was lost on the way.
    """
    experiment = sweep.experiment
    resume = experiment.command(sweep.phase, "--resume")

    def go_on(why: str) -> None:
        console.print(f"{why}; nothing is lost. Go on with:\n{resume}", highlight=False, soft_wrap=True)

    try:
        with _alone(experiment) as lease, cluster_for(sweep.options, sweep.plan.total, console) as resources:
            require_gpu(sweep.options, sweep.profile, resources)
            require_room(experiment, sweep_bytes(sweep.plan, sweep.data, resources.concurrent))
            if description is not None:
                experiment.describe(description)
            else:
                console.print(
                    f"found {experiment.address} unfinished; going on with it", highlight=False, soft_wrap=True
                )
            with interruptible(lambda: go_on("interrupted")) as interrupt:
                _announce(sweep, resources, console)
                end = _run_trials(sweep, resources, interrupt, lease)
                if end.fault:
                    raise StorageError(f"{end.fault}; nothing is lost: then go on with {resume}")
                board = Leaderboard(experiment)
                board.write()
                if end.complete or end.limit:
                    conclude(experiment, board, console)
    except KeyboardInterrupt:  # before the first trial
        if experiment.exists:
            go_on("interrupted")
        return INTERRUPTED
    if end.complete:
        return 1 if board.failures else 0
    go_on(f"stopped by {end.limit}" if end.limit else "interrupted")
    return 0 if end.limit else INTERRUPTED


@contextmanager
def _alone(experiment: Experiment) -> Iterator[Lease]:
    """Keep other drivers away from the experiment during the block.

    Raises:
        ExperimentError: One that is alive is there already.
    """
    try:
        with Lease(experiment.storage, f".{experiment.name}.driver.json").held() as lease:
            yield lease
    except TakenError as error:
        raise ExperimentError(
            f"{experiment.address}: is being run by {error.holder}; wait for it, end it, or choose another --name"
        ) from error


def _run_trials(sweep: _Sweep, resources: Resources, interrupt: Interrupt, lease: Lease) -> RunEnd:
    from sweep.engine.runner import run_trials

    settings = replace(sweep.settings, asked=lambda: interrupt.asked, lost=lambda: lease.lost)
    end = run_trials(sweep.experiment, sweep.plan, sweep.data, resources, settings)
    if end.complete:
        sweep.experiment.describe({**sweep.experiment.description, "ended": True})
    return end
