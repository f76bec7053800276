"""Drives a sweep, alone in its folder, and says what came out or how to resume."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.console import Console

from sweep.cli.interrupts import INTERRUPTED, Interrupt, interruptible
from sweep.cli.output import Output, say
from sweep.machine.loading import loading
from sweep.planning.disk import require_room, sweep_bytes
from sweep.planning.filling import fill
from sweep.planning.packing import Packing, Probe, share_gpus
from sweep.planning.precision import Precisions, SpeedProbe, choose_precisions
from sweep.planning.resources import Resources, require_gpu
from sweep.planning.run import Run
from sweep.planning.speeds import KnownSpeeds
from sweep.ray_tune.allocation import cluster_for, estimator_for
from sweep.ray_tune.cluster import joins
from sweep.ray_tune.memory_probe import probe_on_cluster
from sweep.ray_tune.ray_watch import end_at_once
from sweep.ray_tune.speed_probe import speeds_on_ray
from sweep.records.experiment import DESCRIPTION_FILE, Experiment
from sweep.records.lease import Lease, TakenError
from sweep.records.leftovers import remove_leases
from sweep.sealed.known_test import note_sweep
from sweep.sealed.next_step import next_command, resume_command
from sweep.session.announcement import announce, filled_in_words
from sweep.session.leaks import record_leaks
from sweep.session.own_code import own_code
from trainables.errors import ExperimentError, StorageError
from trainables.models.registry import trusted_hashes
from trainables.torch_said import said_by_torch

if TYPE_CHECKING:
    from sweep.ray_tune.runner import RunEnd
    from sweep.results.leaderboard import Leaderboard

INTERRUPTION = "interrupted"
"""What ended a run that no limit ended."""


def drive(
    run: Run,
    output: Output,
    description: dict[str, Any] | None = None,
    *,
    probe: Probe = probe_on_cluster,
    speed_probe: SpeedProbe = speeds_on_ray,
) -> int:
    """Run what is left of a sweep, alone in its folder, and say what came out or how to resume it.

    A resumed one has its description already, and in its plan the precisions that it began with.

    Returns:
        As ``run_sweep``.

    Raises:
        ExperimentError: Another driver runs it.
        StorageError: The storage was lost on the way.
    """
    experiment, resume = run.experiment, _resume_command(run)
    run = replace(run, code={name: trusted_hashes([name]) for name in run.plan.architectures})

    def stopped(why: str) -> None:
        output.events.emit("stopped", by=why)
        said = why if why == INTERRUPTION else f"stopped by {why}"
        output.results.print(f"{said}; nothing is lost")
        output.resume(resume)

    def at_once() -> None:
        stopped(INTERRUPTION)
        output.end(INTERRUPTED)

    def after_ray() -> str:
        return f"nothing is lost: then resume with {resume}" if experiment.exists else "no trial had begun"

    died = end_at_once(output, after_ray)
    try:
        with (
            _alone(experiment) as lease,
            loading("scipy.stats", asking=said_by_torch if description is not None and _may_measure(run) else None),
            cluster_for(run.request, run.plan, output.console, died) as whole,
        ):
            resources, packing = _provide(run, whole, output, probe)
            if description is not None and run.fill:
                plan, resources, names = fill(run.plan, run.data, resources, run.request.max_concurrent)
                run = replace(run, plan=plan)
                description = {**description, "plan": plan.to_dict(), "filled": list(names)}
                say(output.console, "filled", filled_in_words(names))
            if joins(run.request.address):
                run = _for_nodes(run, output.console)
            if description is not None and (precisions := _measure(run, resources, output.console, speed_probe)):
                run = replace(run, plan=precisions.applied(run.plan))
                description = {**description, "plan": run.plan.to_dict(), "precision": precisions.to_dict()}
            described = _describe(run, resources, packing, description, output.console)
            with interruptible(at_once) as interrupt:
                announce(run, resources, packing, output, again=description is None)
                try:
                    end = _run_trials(run, resources, interrupt, lease, output)
                    ending, board = _finish(experiment, described, end, output)
                except StorageError as error:  # in a trial, in a callback of Tune's, or after the trials
                    raise StorageError(f"{error}; nothing is lost; resume with {resume}") from error
    except KeyboardInterrupt:  # before the first trial
        if experiment.exists:
            stopped(INTERRUPTION)
        return INTERRUPTED
    if end.complete:
        output.next(next_command(experiment, ending, board.trials))
        return 1 if board.failures else 0
    stopped(end.limit or INTERRUPTION)
    return 0 if end.limit else INTERRUPTED


def _resume_command(run: Run) -> str:
    cluster = ["--address", run.request.address] if run.request.address else []
    return resume_command(run.experiment, {"phase": run.phase, "code": own_code(run.plan)}, *cluster)


def _provide(run: Run, whole: Resources, output: Output, probe: Probe) -> tuple[Resources, Packing | None]:
    """Decide what each trial gets, and refuse a sweep for which the machine or the storage is too small."""
    require_gpu(run.profile, run.request, whole)
    resources, packing = share_gpus(
        run.request, run.plan, run.data, whole, output.console, probe=probe, kept=run.packing
    )
    require_room(run.experiment, sweep_bytes(run.plan, run.data, resources.concurrent))
    note_sweep(run.experiment, run.data, output)
    return resources, packing


def _may_measure(run: Run) -> bool:
    """Whether trials may train on this machine's CPU, so that it is to be asked what it computes."""
    return run.request.device != "cuda" and not joins(run.request.address)


def _measure(run: Run, resources: Resources, console: Console, probe: SpeedProbe) -> Precisions | None:
    """Decide what ``precision = auto`` means on this machine's CPU; None where nothing is to be decided.

    Nodes of a running cluster may differ in what they compute fast.
    """
    from trainables.precision import computes_bf16, cpu_fingerprint

    if resources.device != "cpu" or not _may_measure(run) or not computes_bf16():
        return None
    known = KnownSpeeds(cpu_fingerprint())
    found = choose_precisions(run.plan, run.data, resources, console, probe=probe, known=known)
    return found if found.speeds else None


def _for_nodes(run: Run, console: Console) -> Run:
    """Make sure that all nodes of a running cluster can write results, and bring weights within their reach."""
    from sweep.ray_tune.nodes import require_shared, upload_weights

    storage = run.experiment.storage
    require_shared(storage)
    return replace(run, weights_at=upload_weights(run.plan, storage, console))


def _describe(
    run: Run, resources: Resources, packing: Packing | None, description: dict[str, Any] | None, console: Console
) -> dict[str, Any]:
    """Write what a new experiment is, or what has changed of one that is resumed; returns the description."""
    experiment = run.experiment
    packed = {"packing": packing.to_dict()} if packing else {}
    if description is not None:
        costs = estimator_for(run.request, run.data, resources).costs(run.plan, resources)
        described = {**description, **packed, "costs": costs}
        experiment.describe(described)
        return described
    record_leaks(experiment, run.data)
    before = experiment.description
    described = {**before, **packed, "stopped": ""}
    if before.get("stopped") or (packing and packing != run.packing):
        experiment.describe(described)
    console.print(f"found {experiment.address} unfinished; resuming it")
    return described


def _finish(
    experiment: Experiment, described: dict[str, Any], end: RunEnd, output: Output
) -> tuple[dict[str, Any], Leaderboard]:
    """Write the leaderboard, say what came out, and write how the sweep ended; returns its last description."""
    from sweep.results.conclusion import conclude
    from sweep.results.leaderboard import Leaderboard

    if experiment.describe_again(described):
        said = f"{experiment.path(DESCRIPTION_FILE)}: was gone or damaged; written again"
        say(output.results, "warning", said)
    board = Leaderboard(experiment)
    board.write()
    if end.complete or end.limit:
        conclude(experiment, board, output)
    # The last word: a driver that dies before it is resumed, and says all this again.
    how = {"ended": True} if end.complete else {"stopped": end.limit or INTERRUPTION}
    ending = {**described, **how}
    experiment.describe(ending)
    return ending, board


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


def _run_trials(run: Run, resources: Resources, interrupt: Interrupt, lease: Lease, output: Output) -> RunEnd:
    from sweep.ray_tune.runner import run_trials

    return run_trials(run, resources, output, asked=lambda: interrupt.asked, lost=lambda: lease.lost)
