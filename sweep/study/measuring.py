"""Measures what a study's steps take on this machine, so that the first time that it announces is near the truth."""

from __future__ import annotations

from rich.console import Console

from sweep.planning.precision import SpeedProbe, measured_speeds, worth_measuring
from sweep.planning.resources import Resources
from sweep.planning.speed_processes import speeds_in_processes
from sweep.planning.speeds import KnownSpeeds
from sweep.ray_tune.cluster import joins
from sweep.study.outline import StudyOutline


def measure_first(outline: StudyOutline, console: Console, *, probe: SpeedProbe = speeds_in_processes) -> None:
    """Measure training steps of Phase 1 where this machine's CPU takes them and has not done so before; keep them.

    Nothing is measured for a running cluster, whose nodes may be others, for a GPU, nor for a profile that needs one.
    """
    if (resources := _cpu_of_this_machine(outline)) is None:
        return
    from trainables.precision import cpu_fingerprint

    trials, known = worth_measuring(outline.first.plan), KnownSpeeds(cpu_fingerprint())
    measured_speeds(trials, outline.first.data, resources, console, probe=probe, known=known)


def unmeasured(outline: StudyOutline) -> list[str]:
    """Return the architectures whose steps ``measure_first`` would measure."""
    if (resources := _cpu_of_this_machine(outline)) is None:
        return []
    trials, known = worth_measuring(outline.first.plan), KnownSpeeds.of_machine(resources)
    return [
        name
        for name, trial in trials.items()
        if known is None or not known.find(trial.recipe, resources.cpus_per_trial)
    ]


def _cpu_of_this_machine(outline: StudyOutline) -> Resources | None:
    """Return what each trial of Phase 1 gets where they train on this machine's CPU; None where not."""
    first = outline.first
    resources = outline.divided(first.plan.total)
    local = resources.device == "cpu" and not joins(first.request.address)
    return resources if local and not first.profile.needs_gpu else None
