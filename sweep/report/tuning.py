"""Phase 2 in words: what tuning brought."""

from __future__ import annotations

from collections.abc import Sequence

from sweep.results.gains import TuningGain
from sweep.results.search_summary import GroupSummary, describe_recipe
from sweep.results.verdict import listing
from trainables.wording import counted

MOST_NAMES = 4


def tuning_headline(gains: Sequence[TuningGain]) -> str:
    """Answer in a sentence how much tuning brought.

    Args:
        gains: At least one.
    """
    if len(gains) == 1:
        return _alone(gains[0])
    certain = [one for one in gains if one.is_certain]
    open_ = [one for one in gains if not one.is_certain]
    if not certain:
        return f"Tuning brought no certain gain for any of the {len(gains)} models."
    helped = listing([f"{_name(one)} ({_mean(one)} val IoU)" for one in certain], MOST_NAMES)
    if not open_:
        return f"Tuning helped all {len(gains)} models: {helped}."
    return f"Tuning helped {helped}; for {listing([_name(one) for one in open_], MOST_NAMES)} no gain is certain."


def _alone(one: TuningGain) -> str:
    name = _name(one)
    if one.gain is None:
        return f"Tuning found no better recipe for {name} than the shared one."
    if one.gain.low is None or one.gain.high is None:
        return f"Tuning changed the val IoU of {name} by {_mean(one)}, which may be luck."
    if one.is_certain:
        return f"Tuning raised the val IoU of {name} by {one.gain.mean:.3f} ({one.gain.ends()})."
    if one.gain.high < 0.0:
        return f"Tuning lowered the val IoU of {name} by {-one.gain.mean:.3f} ({(-one.gain).ends()})."
    return f"Tuning brought no certain gain for {name}: {one.gain.text('+.3f')} val IoU."


def tuning_reasons(gains: Sequence[TuningGain]) -> list[str]:
    """Say per model what its recipes reach, and how sure the difference is."""
    return [sentence for one in gains for sentence in _reasons(one)]


def _reasons(one: TuningGain) -> list[str]:
    name, trainings = _name(one), one.summary.won
    if one.gain is None:
        return [f"{name} reaches a val IoU of {one.shared.text()} with the shared recipe, the best of those tried."]
    again = f", means of {counted(len(trainings), 'new training')} each" if len(trainings) > 1 else ""
    if again and len(one.summary.shared) != len(trainings):
        again = f", in {len(trainings)} and {counted(len(one.summary.shared), 'training')}"
    said = (
        f"{name} reaches a val IoU of {one.best.text()} with its best recipe, and {one.shared.text()} with the shared"
    )
    if one.gain.low is None:
        sure = "" if one.summary.study.confirm else _luck(one.summary)
    else:
        sure = f" The difference is {one.gain.text('+.3f')}, paired by tile."
    return [f"{said} recipe{again}.{sure}", f"Its best recipe: {describe_recipe(one.summary.best_values)}."]


def _luck(summary: GroupSummary) -> str:
    """Say how many trials the best one is the best of, and what would show how lucky it was."""
    stopped = sum(row.status == "stopped" for row in summary.rows)
    early = f", {stopped} of which {'was' if stopped == 1 else 'were'} stopped early," if stopped else ""
    return (
        f" The best of {counted(summary.tried, 'trial')}{early} is partly luck: --confirm 3 --repeats 3 trains the "
        f"best three again with new seeds."
    )


def _name(one: TuningGain) -> str:
    return one.summary.won[0].title


def _mean(one: TuningGain) -> str:
    return f"{one.gain.mean:+.3f}" if one.gain else ""
