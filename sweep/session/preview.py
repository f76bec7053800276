"""``--plan``: what a sweep would do, printed; nothing is started."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rich.console import Console

from sweep.cli.durations import duration
from sweep.planning.bands import bands_in_words
from sweep.planning.disk import size, sweep_bytes
from sweep.planning.estimate import Estimator, plan_tables
from sweep.planning.filling import fill, idle_share
from sweep.planning.measure import measured_factor, memory_needs
from sweep.planning.packing import Probe, share_gpus
from sweep.planning.plan import SweepPlan
from sweep.planning.resources import Resources
from sweep.planning.run import Run
from sweep.planning.warm_plans import starts_in_words
from sweep.ray_tune.allocation import as_it_will_be, cluster_for, estimator_for, here
from sweep.ray_tune.cluster import joins
from sweep.ray_tune.memory_probe import probe_on_cluster
from sweep.results.foresight import foresee
from sweep.results.power_words import foreseen, power_fields
from sweep.session.announcement import (
    filled_in_words,
    models_in_words,
    scenes_in_words,
    tiles_in_words,
    unlabelled_in_words,
)
from sweep.session.description import describe
from trainables.data.imagery import RGB


def show_plan(
    run: Run, console: Console, *, measure: bool = False, pretrained: bool = False, probe: Probe | None = None
) -> dict[str, Any]:
    """Show what a sweep would do and how long it would take.

    Returns:
        The same in plain values, for programs.
    """
    plan, data, request = run.plan, run.data, run.request
    if not joins(request.address):
        whole = here(request, plan.total)
        resources, packing = share_gpus(request, plan, data, whole, console, probe=probe or memory_needs)
    else:
        with cluster_for(request, plan, console) as whole:
            resources, packing = share_gpus(request, plan, data, whole, console, probe=probe or probe_on_cluster)
    for line in packing.lines if packing else ():
        console.print(line)
    if run.fill:
        plan, resources, names = fill(plan, data, resources, request.max_concurrent)
        console.print(f"filled: {filled_in_words(names)}")
    plan = as_it_will_be(request, plan, resources)
    if measure:
        estimator = _measured(Estimator(data=data, device=resources.device), plan, resources, console)
    else:
        estimator = estimator_for(request, data, resources)
    for table in plan_tables(plan, resources, estimator):
        console.print(table)
    lines = [("data", tiles_in_words(run)), *(("unlabelled", line) for line in unlabelled_in_words(run))]
    lines += [("models", line) for line in models_in_words(run)]
    lines += [("searches", line) for line in starts_in_words(plan)]
    lines += [] if data.imagery == RGB else [("bands", bands_in_words(data.imagery))]
    for name, text in [*lines, *(("scenes", line) for line in scenes_in_words(run))]:
        console.print(f"{name}: {text}")
    if refits := [trial.contender or trial.contest for trial in plan.refits]:
        said = "at last once more on all tiles, for the median of the folds' best epochs"
        console.print(f"refit: {', '.join(refits)}, {said}")
    for note in run.crop_notes:
        console.print(f"crops: {note}")
    at_most, expected = estimator.sweep(plan, resources, worst_case=True), estimator.sweep(plan, resources)
    worst = duration(at_most)
    usual = f"; about {duration(expected)} as halving usually goes" if plan.policy.ends_early else ""
    console.print(f"about {worst} in all, every trial run to its last epoch{usual}; nothing was started")
    idle = idle_share(plan, resources, estimator)
    if resources.device == "cuda":
        console.print(f"GPUs have nothing to do for {idle:.0%} of that time")
    storage = run.experiment.storage
    power = foresee(plan, describe(run, {}), storage)
    if power:
        console.print(foreseen(power, run.phase, len(data.val)))
    free = storage.free_bytes()
    room = "" if free is None else f", {size(free)} are free"
    needed = sweep_bytes(plan, data, resources.concurrent)
    console.print(f"about {size(needed)} of disk at most in {storage.address}{room}")
    trials = plan.known()
    missing = sorted({trial.recipe.architecture for trial in trials if trial.weights.kind == "random"})
    if missing and pretrained:
        console.print(f"pretrained weights are not on this machine yet: {', '.join(missing)}")
    if run.profile.needs_gpu and resources.device == "cpu":
        console.print(f"--profile {run.profile.name} needs GPUs; there is none here: --profile demo fits")
    return {
        "trials": plan.total,
        "concurrent": resources.concurrent,
        "device": resources.device,
        "gpus_idle_share": idle,
        "warm_from": plan.warm_from or None,
        "starts": {study.name: [one.origin for one in study.starts] for study in plan.studies},
        "seconds_at_most": at_most,
        "seconds_expected": expected,
        "disk_bytes_at_most": needed,
        "disk_bytes_free": free,
        "weights_missing": missing,
        "crop_notes": list(run.crop_notes),
        "unlabelled": run.unlabelled and run.unlabelled.to_dict(),
        "power": power_fields(power, run.phase, len(data.val)) if power else None,
        "refits": len(plan.refits),
        "folds": [list(fold.val) for fold in plan.known()[0].folds],
    }


def _measured(estimator: Estimator, plan: SweepPlan, resources: Resources, console: Console) -> Estimator:
    """Calibrate by a few steps of each architecture."""
    factors = {}
    for trial in plan.known():
        name = trial.recipe.architecture
        if name not in factors:
            factors[name] = measured_factor(trial, estimator.data, resources.device, resources.cpus_per_trial)
            console.print(f"measured       {name}: {factors[name]:.2f} of the estimate")
    return replace(estimator, factors=factors)
