"""A sweep from options to leaderboard: what all phases do around their trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from search_spaces.grids import STUDY
from search_spaces.profiles import Profile, get_profile
from sweep.cli.marks import typed
from sweep.cli.options import SweepOptions
from sweep.cli.output import Output
from sweep.planning.bands import require_bands
from sweep.planning.crops import crop_notes, fit_crops, require_same_crops
from sweep.planning.filling import with_filled
from sweep.planning.plan import SweepPlan, read_plan
from sweep.planning.precision import Precisions
from sweep.planning.resources import AUTO, require_gpu
from sweep.planning.run import Run
from sweep.planning.warm_plans import with_starts
from sweep.rasters.unlabelled import UnlabelledImages
from sweep.ray_tune.allocation import here
from sweep.ray_tune.cluster import joins
from sweep.ray_tune.jobs import require_lasting
from sweep.records.experiment import Experiment, check_name
from sweep.records.provenance import typed_command
from sweep.records.trials import WITHOUT_FOLDS
from sweep.session.checks import check_flags, require_folder, require_trainable, trust
from sweep.session.description import describe
from sweep.session.driver import drive
from sweep.session.existing import free_name, next_step, packing_of, precisions_of, require_same
from sweep.session.folds import Division, divide, pool, scenes_in
from sweep.session.leaks import require_no_leak
from sweep.session.own_code import require_named_code, require_same_code
from sweep.session.resolve import (
    optuna_url_of,
    request_of,
    require_trackers,
    resolve,
    wants_pretrained,
    weights_of,
    with_earlier,
    with_warm_curves,
)
from sweep.session.stored_options import require_unchanged, to_store, with_stored
from sweep.session.unlabelled import find_unlabelled, require_same_images, require_unlabelled
from trainables.data.folds import Fold
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError
from trainables.models.weights import Weights
from trainables.secrets import HIDDEN
from trainables.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What a phase brings to a sweep.

    Attributes:
        name: ``phase1``; becomes part of the default name.
        profile: How big it is.
        architectures: Those that it trains.
        build: Makes the plan from the data, each architecture's resolved weights, and the folds; none is one training
            each, on the dataset's own splits.
        fill: Whether GPUs that would be idle train the longest again.
    """

    name: str
    profile: Profile
    architectures: tuple[str, ...]
    build: Callable[[TuningData, Mapping[str, Weights], tuple[Fold, ...]], SweepPlan]
    fill: bool = False


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    """A phase with its data and weights, refused where it cannot be trained.

    Attributes:
        phase: Which one.
        asked: The plan before its crops were fitted to the tiles.
        plan: The plan.
        division: The tiles.
        unlabelled: Images without labels; None for none.
        notes: What became of crops that tiles are too small for, a line each.
    """

    phase: Phase
    asked: SweepPlan
    plan: SweepPlan
    division: Division
    unlabelled: UnlabelledImages | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, phase: Phase, options: SweepOptions) -> _Prepared:
        """Read the data and resolve the weights.

        Raises:
            TilesweepError: Anything that a user can fix.
        """
        check_flags(options)
        if options.name is not None:
            check_name(options.name)
        require_folder(options.patches)
        trust(options, options.architectures)
        require_named_code(phase.architectures)
        division = divide(options, TuningData.read(options.patches))
        data = division.data
        require_no_leak(data, options.patches, allowed=options.allow_leak)
        require_bands(phase.architectures, data)
        request = request_of(options)
        if not joins(request.address) and not options.plan:
            require_gpu(phase.profile, request, here(request, 1))  # before weights are fetched and Ray starts
        built = phase.build(data, weights_of(phase.architectures, options, phase.profile), division.folds)
        asked = replace(built, refit=options.refit)
        plan = fit_crops(asked, data)
        images = None
        if options.unlabelled is not None:
            images = find_unlabelled(options.unlabelled, options.patches, data, plan, Storage.open(options.storage))
            division = replace(division, data=replace(data, unlabelled=images.tiles))
        require_unlabelled(plan, images)
        require_trainable(plan, data)
        notes = tuple(crop_notes(asked, plan, data))
        return cls(phase=phase, asked=asked, plan=plan, division=division, unlabelled=images, notes=notes)

    def with_precisions(self, precisions: Precisions) -> _Prepared:
        """Return the same with the precisions that it once began with."""
        return replace(self, asked=precisions.applied(self.asked), plan=precisions.applied(self.plan))

    def with_earlier(self, storage: Storage) -> _Prepared:
        """Return the same with what the experiment of ``--warm-from`` found.

        Raises:
            ExperimentError: It does not exist, or was trained on other tiles.
        """
        return replace(self, plan=with_earlier(self.plan, storage, self.division.data))

    def with_starts(self, begun: SweepPlan) -> _Prepared:
        """Return the same with the order and the recipes that its searches once began with."""
        return replace(self, asked=with_starts(self.asked, begun), plan=with_starts(self.plan, begun))

    def with_filled(self, begun: SweepPlan, names: tuple[str, ...]) -> _Prepared:
        """Return the same with the trials that it once began with on GPUs that would have been idle."""
        return replace(self, asked=with_filled(self.asked, begun, names), plan=with_filled(self.plan, begun, names))

    def run(self, options: SweepOptions, experiment: Experiment) -> Run:
        """Return the sweep under a name."""
        run = resolve(
            options,
            experiment=experiment,
            phase=self.phase.name,
            profile=self.phase.profile,
            plan=self.plan,
            data=self.division.data,
            unlabelled=self.unlabelled,
            scenes=self.division.scenes,
            crop_notes=self.notes,
        )
        return replace(run, fill=self.phase.fill)


def plan_sweep(phase: Phase, options: SweepOptions) -> Run:
    """Return the sweep that would be run; nothing is started or written.

    Raises:
        TilesweepError: As ``run_sweep``.
    """
    storage = Storage.open(options.storage)
    name = options.name or f"{phase.name}-{phase.profile.name}"
    return _Prepared.of(phase, options).with_earlier(storage).run(options, Experiment(storage, check_name(name)))


def run_sweep(phase: Phase, options: SweepOptions, output: Output) -> int:
    """Plan the trials, run them on Ray, and print what came out.

    Returns:
        Exit code: 0 when every trial reached an end or a limit ended the sweep, 1 when a trial failed, 130 after an
        interrupt.

    Raises:
        TilesweepError: Anything that a user can fix, before the first trial is scheduled.
    """
    storage = Storage.open(options.storage)
    require_lasting(storage)
    if options.plan:
        from sweep.session.preview import show_plan  # here: it loads statistics, which a sweep needs at its end

        pretrained = wants_pretrained(options, phase.profile)
        shown = show_plan(plan_sweep(phase, options), output.results, measure=options.measure, pretrained=pretrained)
        output.events.emit("plan", **shown)
        output.next(typed_command(without=("--plan", "--measure")))
        return 0
    prepared = _Prepared.of(phase, options)
    plan = prepared.plan
    storage.require_writable()
    experiment = Experiment(storage, options.name or free_name(storage, f"{phase.name}-{phase.profile.name}"))
    url = optuna_url_of(options)
    if experiment.exists:
        experiment.require_own(trusted=options.trust_owner)
        prepared = prepared.with_precisions(precisions_of(experiment)).with_starts(read_plan(experiment))
        if phase.fill and (names := tuple(experiment.description.get("filled") or ())):
            prepared = prepared.with_filled(read_plan(experiment), names)
        plan = prepared.plan
        require_same(experiment, prepared.asked, plan, prepared.division.data, url)
        require_same_images(experiment.name, experiment.description["data"], prepared.unlabelled)
        require_same_code(experiment, plan)
        options = with_stored(options, experiment)
        require_trackers(options)
        run = with_warm_curves(prepared.run(options, experiment))
        packing = packing_of(experiment) if run.request.gpus_per_trial == AUTO else None
        return drive(replace(run, packing=packing), output)
    prepared = prepared.with_earlier(storage)
    if url and plan.studies:
        from sweep.search.journal import require_new_studies

        require_new_studies(url, experiment.name, [study.name for study in plan.studies])
    require_trackers(options)
    run = with_warm_curves(prepared.run(options, experiment))
    return drive(run, output, describe(run, to_store(options)))


def resume_sweep(options: SweepOptions, name: str, output: Output) -> int:
    """Resume an unfinished experiment with the options that started it.

    Args:
        options: What the user asked for; those that are marked so may be new. Among them ``--optuna-storage``, whose
            URL is not stored where it holds a password.
        name: The experiment's name.
        output: Where to print what comes out.

    Returns:
        As ``run_sweep``.

    Raises:
        ExperimentError: It does not exist, has ended, its data changed, or an option would change it.
    """
    experiment = Experiment.find(Storage.open(options.storage), name, "--resume")
    experiment.require_own(trusted=options.trust_owner)
    check_flags(options)
    if options.plan:
        raise ExperimentError(f"--plan: shows what has not begun; for this one see {experiment.command('status')}")
    description = experiment.description
    plan = read_plan(experiment)
    more = options.refit and not plan.refit
    if description["ended"] and not more:
        raise ExperimentError(f"--resume {experiment.name}: it has ended; {next_step(experiment)}")
    require_unchanged(options, experiment)
    if more and not plan.folds:
        raise ExperimentError(f"--refit: {experiment.name} {WITHOUT_FOLDS}")
    trust(options, ())
    require_same_code(experiment, plan)
    begun = description["options"]
    profile = get_profile(
        description["profile"], begun.get("grid", STUDY), pretrained=begun.get("weights") == "pretrained"
    )
    packing = None if options.gpus_per_trial else packing_of(experiment)  # auto that is given again measures again
    path = options.patches if "patches" in typed(options) else Path(description["data"]["path"])
    options = replace(with_stored(options, experiment), patches=path)
    if plan.refit != options.refit:
        plan = replace(plan, refit=options.refit)
    require_trackers(options)
    data = TuningData.read(path)
    if data.fingerprint != description["data"]["fingerprint"]:
        raise ExperimentError(f"{path}: its train and val tiles changed since the sweep began; bring them back")
    data = pool(data) if plan.folds else data
    require_same_crops(experiment.name, plan, data, padded="crop_notes" in description)
    require_no_leak(data, path, allowed=options.allow_leak)
    images = None
    if options.unlabelled is not None:
        images = find_unlabelled(options.unlabelled, path, data, plan, experiment.storage)
        data = replace(data, unlabelled=images.tiles)
    require_same_images(experiment.name, description["data"], images)
    url = optuna_url_of(options) or description["optuna_storage"]
    if url and HIDDEN in url:
        raise ExperimentError(f"--optuna-storage: passwords are not stored; give the whole URL of {url} again")
    run = resolve(
        options,
        experiment=experiment,
        phase=description["phase"],
        profile=profile,
        plan=plan,
        data=data,
        unlabelled=images,
        scenes=scenes_in(description),
        crop_notes=description.get("crop_notes", ()),
    )
    if more:
        changed = {"ended": False, "plan": plan.to_dict(), "options": {**description["options"], "refit": True}}
        experiment.describe({**description, **changed})
    seed = int(description["options"].get("seed", options.seed))
    return drive(with_warm_curves(replace(run, seed=seed, optuna_url=url, packing=packing)), output)
