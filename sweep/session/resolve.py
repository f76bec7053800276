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
from sweep.session.search_options import SearchOptions
from trainables.data.scenes import Scenes
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError
from trainables.models.registry import get_architecture
from trainables.models.resolving import resolve as resolve_weights
from trainables.models.resolving import resolve_all
from trainables.models.weights import Mode, Weights
from trainables.recipe import Recipe


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


def with_warm_curves(run: Run) -> Run:
    """Return a sweep with the curves that ``--warm-from`` starts its rungs with.

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

    Where only one trial runs at any time, ``auto`` is ``pause``, unless the rungs start warm.

    Raises:
        ExperimentError: Impossible settings; all faults at once.
    """
    name, warm_from = options.halving, options.warm_from
    if name == "auto":
        name = "pause" if not warm_from and one_at_a_time(request_of(options)) else "stop"
    if warm_from and not POLICIES[name].warms:
        raise ExperimentError(f"--warm-from {warm_from}: warms the rungs of --halving stop; leave one out")
    grace, factor = options.grace_period, options.reduction_factor
    settings = {
        "max_epochs": options.max_epochs or profile.search_epochs or Recipe(**profile.changes).max_epochs,  # type: ignore[arg-type]
        "grace_epochs": profile.grace_epochs if grace is None else grace,
        "reduction_factor": profile.reduction_factor if factor is None else factor,
        "warm_from": warm_from or "",
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
