"""The plan of a study, shown before anything is started."""

from __future__ import annotations

from collections.abc import Sequence

from sweep.cli.durations import duration
from sweep.cli.output import Output, say
from sweep.records.studies import StudyFolder
from sweep.session.announcement import tiles_in_words
from sweep.study.division import RESERVE, Costs, Sizes
from sweep.study.measuring import unmeasured
from sweep.study.outline import StudyOutline, sheet
from trainables.errors import ExperimentError
from trainables.wording import counted


def show_outline(
    study: StudyFolder, outline: StudyOutline, sizes: Sizes, phases: Sequence[str], budget: float | None, output: Output
) -> None:
    """Show the steps with estimated times, and what a budget made of the profile's sizes."""
    console = output.results
    steps = outline.steps(sizes, phases)
    total = sum(step.seconds for step in steps)
    resources = outline.divided(outline.first.plan.total)
    say(console, "study", study.address)
    say(console, "data", f"{outline.first.data.name}: {tiles_in_words(outline.first)}")
    say(console, "machine", str(resources))
    console.print(sheet(steps))
    say(console, "in all", f"about {duration(total)}; Phases 2 and 3 are sized again when those before them have ended")
    if names := unmeasured(outline):
        said = "not measured on this machine yet; the study does so first, and then says better estimates"
        say(console, "steps", f"{said}: {', '.join(names)}")
    for line in budget_in_words(outline.usual, sizes, phases, budget):
        say(console, "budget", line)
    output.events.emit(
        "plan",
        study=study.name,
        steps=[vars(step) for step in steps],
        seconds_expected=total,
        trials_each=sizes.trials,
        draws=sizes.draws,
        budget_seconds=budget,
    )


def budget_in_words(usual: Sizes, sizes: Sizes, phases: Sequence[str], budget: float | None) -> list[str]:
    """Say how the time is divided, a line each."""
    if budget is None:
        return []
    lines = [f"{duration(budget)}, of which {RESERVE:.0%} stay free, since estimates are not exact"]
    if "phase2" in phases:
        lines.append(
            f"Phase 2 gets what the others leave: {counted(sizes.trials, 'trial')} of each architecture, where the "
            f"profile has {usual.trials}"
        )
    if "phase3" in phases and sizes.draws < usual.draws:
        lines.append(f"Phase 3 gets {counted(sizes.draws, 'draw')} instead of {usual.draws}")
    return lines


def too_small(given: str, costs: Costs, usual: Sizes) -> ExperimentError:
    """Return the refusal of a budget, with the least one that works."""
    minutes = int(costs.needed(usual.least) // 60) + 1
    return ExperimentError(
        f"--budget {given}: is too little for a study of this size; give --budget {minutes}min or more, fewer "
        f"--architectures, or --until phase1"
    )
