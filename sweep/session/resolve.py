"""Reads a sweep's options, once; nothing below sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from search_spaces.profiles import Profile, get_profile
from sweep.cli.marks import TrackedBy, flag, marked
from sweep.cli.options import CommonOptions, SweepOptions
from sweep.observers import tracking
from sweep.planning.limits import Limits
from sweep.planning.plan import SweepPlan
from sweep.planning.policies import POLICIES, make_policy
from sweep.planning.policy import Policy
from sweep.planning.resources import ResourceRequest, read_share
from sweep.planning.run import Run
from sweep.rasters.unlabelled import UnlabelledImages
from sweep.ray_tune.allocation import one_at_a_time
from sweep.records.experiment import Experiment
from sweep.session.search_options import COLD, SearchOptions
from trainables.data.scenes import Scenes
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError
from trainables.models.registry import get_architecture
from trainables.models.resolving import resolve as resolve_weights
from trainables.models.resolving import resolve_all
from trainables.models.weights import Mode, Weights
from trainables.recipe import Recipe
from trainables.storage import Storage


def resolve(
    options: SweepOptions,
    *,
    experiment: Experiment,
    phase: str,
    profile: Profile,
    plan: SweepPlan,
    data: TuningData,
    unlabelled: UnlabelledImages | None = None,
    scenes: Scenes | None = None,
    crop_notes: Sequence[str] = (),
) -> Run:
    """Return the sweep that options ask for; see ``Run``."""
    return Run(
        experiment=experiment,
        phase=phase,
        profile=profile,
        plan=plan,
        data=data,
        unlabelled=unlabelled,
        scenes=scenes,
        patches=options.patches,
        request=request_of(options),
        crop_notes=tuple(crop_notes),
        seed=options.seed,
        optuna_url=optuna_url_of(options),
        limits=Limits.parse(options.time, options.budget),
        compiled=options.compile,
        trace=options.profile_trace,
        overlays_every=options.overlays_every if options.tensorboard else None,
        tracking=trackers_of(options),
        max_failures=options.max_failures,
    )


def trackers_of(options: SweepOptions) -> dict[str, str]:
    """Return which trackers follow the trials: the option's name to its value.

    Raises:
        ExperimentError: A value is empty.
    """
    found = {}
    for name, mark in marked(type(options), TrackedBy).items():
        if (value := getattr(options, name)) is not None:
            if not value.strip():
                raise ExperimentError(f"{flag(name)}: is empty; give {mark.takes}")
            found[name] = value
    return found


def require_trackers(options: SweepOptions) -> None:
    """Make sure that the services which follow the trials answer; see ``tracking.require``."""
    tracking.require(trackers_of(options))


def warm_from_of(options: SearchOptions) -> str:
    """Return the name of the experiment that searches begin with; empty for none."""
    return "" if options.warm_from in (None, COLD) else str(options.warm_from)


def with_earlier(plan: SweepPlan, storage: Storage, data: TuningData) -> SweepPlan:
    """Return a plan whose searches begin with what the experiment of ``--warm-from`` found.

    Raises:
        ExperimentError: It does not exist, or was trained on other tiles.
    """
    if not plan.warm_from:
        return plan
    from sweep.search.warm import begun_with

    return begun_with(plan, Experiment.find(storage, plan.warm_from, "--warm-from"), data.fingerprint)


def with_warm_curves(run: Run) -> Run:
    """Return a sweep with the curves that ``--warm-from`` with ``--halving stop`` starts its rungs with.

    Raises:
        ExperimentError: That experiment does not exist, or cannot be compared.
    """
    if not (warm_from := run.plan.policy.warm_from):
        return run
    from sweep.search.warm import warm_curves

    earlier = Experiment.find(run.experiment.storage, warm_from, "--warm-from")
    return replace(run, warm_curves=warm_curves(earlier, run.plan, run.data.fingerprint))


def request_of(options: CommonOptions) -> ResourceRequest:
    """Return what options ask of the machine or the cluster.

    Raises:
        ExperimentError: ``--gpus-per-trial`` is no share.
    """
    return ResourceRequest(
        device=options.device,
        gpus_per_trial=read_share(options.gpus_per_trial),
        max_concurrent=options.max_concurrent,
        address=options.address,
    )


def optuna_url_of(options: SweepOptions) -> str | None:
    """Return the Optuna storage that a search is to use; None is a journal in the experiment's folder."""
    return options.optuna_storage if isinstance(options, SearchOptions) else None


def policy_of(options: SearchOptions, profile: Profile) -> Policy:
    """Return the policy that decides which trials of a search get their next epochs; the profile has the defaults.

    Where only one trial runs at any time, ``auto`` is ``pause``. Rungs start with an earlier experiment's curves only
    where ``stop`` was asked for; replayed searches gained nothing by them (``benchmarks.replay``).

    Raises:
        ExperimentError: Impossible settings; all faults at once.
    """
    name = options.halving
    warm_from = warm_from_of(options) if name != "auto" and POLICIES[name].warms else ""
    if name == "auto":
        name = "pause" if one_at_a_time(request_of(options)) else "stop"
    grace, factor = options.grace_period, options.reduction_factor
    settings = {
        "max_epochs": options.max_epochs or profile.search_epochs or Recipe(**profile.changes).max_epochs,  # type: ignore[arg-type]
        "grace_epochs": profile.grace_epochs if grace is None else grace,
        "reduction_factor": profile.reduction_factor if factor is None else factor,
        "warm_from": warm_from,
    }
    return make_policy(name, settings)


def profile_of(options: CommonOptions) -> Profile:
    """Return the profile that options name, with the architectures of their grid.

    Raises:
        RecipeError: There is no such profile.
    """
    return get_profile(options.profile, options.grid, pretrained=options.weights == "pretrained")


def wants_pretrained(options: SweepOptions, profile: Profile) -> bool:
    """Whether a sweep refuses to start without real weights."""
    return (options.weights or profile.weights) == "pretrained"


def weights_of(architectures: Sequence[str], options: SweepOptions, profile: Profile) -> Mapping[str, Weights]:
    """Resolve the weights of all architectures before any trial."""
    mode: Mode = options.weights or profile.weights
    if options.plan and mode == "pretrained":
        mode = "available"  # a plan fetches nothing and refuses nothing
    find = partial(
        resolve_weights,
        mode=mode,
        model_size="tiny" if profile.changes.get("model_size") == "tiny" else "full",
        sam_checkpoint=options.sam_checkpoint,
        sam_sha256=options.sam_sha256,
        offline=options.offline,
    )
    return resolve_all({name: get_architecture(name).needs for name in architectures}, find)
