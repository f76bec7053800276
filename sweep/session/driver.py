"""Drives a sweep, alone in its folder, and says what came out or how to go on."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console

from search_spaces.profiles import Profile
from sweep.cli.durations import duration
from sweep.cli.interrupts import INTERRUPTED, Interrupt, interruptible
from sweep.cli.options import SweepOptions
from sweep.cli.output import Output, say
from sweep.planning.disk import require_room, sweep_bytes
from sweep.planning.estimate import Estimator
from sweep.planning.packing import Packing, Probe, probe_on_cluster, share_gpus
from sweep.planning.plan import SweepPlan
from sweep.planning.resources import Resources
from sweep.ray_tune.allocation import cluster_for, require_gpu
from sweep.ray_tune.cluster import joins
from sweep.ray_tune.ray_watch import end_at_once
from sweep.ray_tune.settings import RunSettings
from sweep.records.experiment import DESCRIPTION_FILE, Experiment
from sweep.records.lease import Lease, TakenError
from sweep.records.leftovers import remove_leases
from sweep.results.conclusion import conclude
from sweep.results.leaderboard import Leaderboard
from sweep.sealed.known_test import note_sweep
from sweep.sealed.next_step import next_command, trusting
from sweep.session.leaks import record_leaks
from sweep.session.own_code import own_code
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError, StorageError
from trainables.invocation import command
from trainables.task import Task

if TYPE_CHECKING:
    from sweep.ray_tune.runner import RunEnd

INTERRUPTION = "interrupted"
"""What ended a run that no limit ended."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What is to be run, new or again.

    Attributes:
        packing: How GPUs were shared when the sweep began, to be kept; None decides it now if it was asked for.
        notes: What became of crops that tiles are too small for, a line each.
    """

    experiment: Experiment
    phase: str
    plan: SweepPlan
    data: TuningData
    options: SweepOptions
    profile: Profile
    settings: RunSettings
    packing: Packing | None = None
    notes: tuple[str, ...] = ()


def drive(
    sweep: Sweep, output: Output, description: dict[str, Any] | None = None, *, probe: Probe = probe_on_cluster
) -> int:
    """Run what is left of a sweep, alone in its folder, and say what came out or how to go on.

    Args:
        sweep: What is run.
        output: Where to say so.
        description: What a new experiment is; None for one that goes on.
        probe: Measures what architectures need of a GPU.

    Returns:
        As ``run_sweep``.

    Raises:
        ExperimentError: Another driver runs it.
        StorageError: The storage was lost on the way.
    """
    experiment, console = sweep.experiment, output.console
    cluster = ["--address", sweep.options.address] if sweep.options.address else []
    trusted = trusting({"code": own_code(sweep.plan)})
    resume = experiment.command(sweep.phase, *trusted, *cluster, "--resume")

    def go_on(why: str) -> None:
        output.events.emit("stopped", by=why)
        told = why if why == INTERRUPTION else f"stopped by {why}"
        output.results.print(f"{told}; nothing is lost", highlight=False)
        output.next(resume)

    def at_once() -> None:
        go_on(INTERRUPTION)
        output.end(INTERRUPTED)

    def after_ray() -> str:
        return f"nothing is lost: then go on with {resume}" if experiment.exists else "no trial had begun"

    died = end_at_once(output, after_ray)
    try:
        architectures = sorted({trial.recipe.architecture for trial in sweep.plan.known()})
        with (
            _alone(experiment) as lease,
            cluster_for(sweep.options, sweep.plan.total, console, architectures, died) as whole,
        ):
            require_gpu(sweep.options, sweep.profile, whole)
            resources, packing = share_gpus(
                sweep.options, sweep.plan, sweep.data, whole, console, probe=probe, kept=sweep.packing
            )
            packed = {"packing": packing.to_dict()} if packing else {}
            require_room(experiment, sweep_bytes(sweep.plan, sweep.data, resources.concurrent))
            note_sweep(experiment, sweep.data, output)
            if joins(sweep.options.address):
                sweep = replace(sweep, settings=_for_nodes(sweep, console))
            if description is not None:
                described = {**description, **packed}
                experiment.describe(described)
            else:
                record_leaks(experiment, sweep.data)
                before = experiment.description
                described = {**before, **packed, "stopped": ""}
                if before.get("stopped") or (packing and packing != sweep.packing):
                    experiment.describe(described)
                console.print(
                    f"found {experiment.address} unfinished; going on with it", highlight=False, soft_wrap=True
                )
            with interruptible(at_once) as interrupt:
                _announce(sweep, resources, packing, output, again=description is None)
                try:
                    end = _run_trials(sweep, resources, interrupt, lease, output)
                    if experiment.describe_again(described):
                        said = f"{experiment.path(DESCRIPTION_FILE)}: was gone or damaged; written again"
                        output.results.print(f"warning        {said}", highlight=False, soft_wrap=True)
                    board = Leaderboard(experiment)
                    board.write()
                    if end.complete or end.limit:
                        conclude(experiment, board, output)
                    # The last word: a driver that dies before it is resumed, and says all this again.
                    how = {"ended": True} if end.complete else {"stopped": end.limit or INTERRUPTION}
                    ending = {**described, **how}
                    experiment.describe(ending)
                except StorageError as error:  # in a trial, in a callback of Tune's, or after the trials
                    raise StorageError(f"{error}; nothing is lost; resume with {resume}") from error
    except KeyboardInterrupt:  # before the first trial
        if experiment.exists:
            go_on(INTERRUPTION)
        return INTERRUPTED
    if end.complete:
        output.next(next_command(experiment, ending, board.trials))
        return 1 if board.failures else 0
    go_on(end.limit or INTERRUPTION)
    return 0 if end.limit else INTERRUPTED


def _for_nodes(sweep: Sweep, console: Console) -> RunSettings:
    """Make sure that all nodes of a running cluster can write results, and bring weights within their reach."""
    from sweep.ray_tune.nodes import bring_weights, require_shared

    storage = sweep.experiment.storage
    require_shared(storage)
    return replace(sweep.settings, weights_at=bring_weights(sweep.plan, storage, console))


@contextmanager
def _alone(experiment: Experiment) -> Iterator[Lease]:
    """Keep other drivers away from the experiment during the block.

    Raises:
        ExperimentError: One that is alive is there already.
    """
    try:
        with Lease.of_driver(experiment.storage, experiment.name).held() as lease:
            remove_leases(experiment.storage)
            yield lease
    except TakenError as error:
        raise ExperimentError(
            f"{experiment.address}: is being run by {error.holder}; wait for it, end it, or choose another --name"
        ) from error


def _run_trials(sweep: Sweep, resources: Resources, interrupt: Interrupt, lease: Lease, output: Output) -> RunEnd:
    from sweep.ray_tune.runner import run_trials

    settings = replace(sweep.settings, asked=lambda: interrupt.asked, lost=lambda: lease.lost, output=output)
    return run_trials(sweep.experiment, sweep.plan, sweep.data, resources, settings)


def _announce(sweep: Sweep, resources: Resources, packing: Packing | None, output: Output, *, again: bool) -> None:
    data, plan, console = sweep.data, sweep.plan, output.console
    kind = ", synthetic" if data.synthetic else ""
    task = "" if data.task == Task() else f"; {data.task.summary}"
    seconds = Estimator(data=data, device=resources.device).sweep(plan, resources)
    output.events.emit(
        "started",
        experiment=sweep.experiment.name,
        address=sweep.experiment.address,
        phase=sweep.phase,
        profile=sweep.profile.name,
        resumed=again,
        trials=plan.total,
        concurrent=resources.concurrent,
        estimated_seconds=seconds,
        data={"name": data.name, "synthetic": data.synthetic, "train": len(data.train), "val": len(data.val)},
        task=data.task.to_dict(),
        crop_notes=list(sweep.notes),
    )
    say(console, "experiment", sweep.experiment.address)
    say(console, "data", f"{data.name}{kind}: {len(data.train)} train and {len(data.val)} val tiles{task}")
    say(console, "trials", f"{plan.total}, {resources}; about {duration(seconds)}")
    for note in sweep.notes:
        say(console, "crops", note)
    if sweep.settings.overlays_every is not None and sweep.experiment.storage.is_local:
        board = shlex.join(["tensorboard", "--logdir", sweep.experiment.address])
        console.print(f"TensorBoard    {board}", highlight=False, soft_wrap=True)
    for line in packing.lines if packing else ():
        console.print(line, highlight=False)
    if not data.leaks_checked:
        look = command("patches", "check", "--patches", str(sweep.options.patches))
        console.print(f"leaks          never looked for; do so with {look}", highlight=False, soft_wrap=True)
    if absent := data.absent_classes:
        say(console, "classes", f"no train tile shows {', '.join(absent)}")
