"""What tuning brought: the best recipe of a search against the shared one, on the same tiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sweep.records.store import ScoreRow
from sweep.records.trial_result import TrialResult
from sweep.results.contenders import SplitScores, val_layout
from sweep.results.search_summary import GroupSummary
from sweep.results.statistics import Interval, compare, mean_interval


@dataclass(frozen=True, kw_only=True)
class TuningGain:
    """The val IoU that a search's best recipe adds to the shared one's.

    Attributes:
        summary: The search, whose best recipe and shared recipe have been trained.
        best: The best recipe's val IoU over its trainings, with its interval.
        shared: The shared recipe's.
        gain: The difference of both, paired by tile. Its interval holds for all pairs of the recipes that the choice
            was among (Bonferroni), since the same scores made it; None where the shared recipe is the best one.
    """

    summary: GroupSummary
    best: Interval
    shared: Interval
    gain: Interval | None

    @property
    def is_certain(self) -> bool:
        """Whether the best recipe is better than the shared one for certain."""
        return self.gain is not None and self.gain.low is not None and self.gain.low > 0.0


def tuning_gains(
    description: Mapping[str, Any],
    summaries: Iterable[GroupSummary],
    trials: Sequence[TrialResult],
    val_scores: Iterable[ScoreRow],
) -> list[TuningGain]:
    """Return what each search gained; none of those whose best or shared recipe has no score yet.

    Args:
        description: The experiment's.
        summaries: Of its searches.
        trials: Its trials.
        val_scores: Their scores on val.
    """
    scores: dict[str, list[ScoreRow]] = {}
    for one in val_scores:
        scores.setdefault(one.attempt, []).append(one)
    layout = partial(val_layout, description)

    def scored(trainings: Sequence[TrialResult]) -> SplitScores | None:
        return SplitScores.of([scores[row.attempt] for row in trainings if row.attempt in scores], layout)

    found = []
    for summary in summaries:
        best, shared = scored(summary.won), scored(summary.shared)
        if best is None or shared is None or best.tiles != shared.tiles:
            continue
        gain = None
        if summary.best != summary.shared[0].candidate:
            others = (scored(rows) for rows in _rivals(summary, trials))
            rivals = [other for other in others if other and other.tiles == best.tiles]
            against = compare([best.iou, shared.iou, *(rival.iou for rival in rivals)], layout=best.layout, best=0)[1]
            assert against.difference is not None
            gain = -against.difference
        interval = partial(mean_interval, layout=best.layout)
        found.append(TuningGain(summary=summary, best=interval(best.iou), shared=interval(shared.iou), gain=gain))
    return found


def _rivals(summary: GroupSummary, trials: Sequence[TrialResult]) -> list[list[TrialResult]]:
    """Return the trainings of the other recipes that the choice was among."""
    known = {summary.best, summary.shared[0].candidate}
    found: dict[str, list[TrialResult]] = {}
    for row in trials:
        if row.finished and not row.preliminary and row.study == summary.study.name and row.candidate not in known:
            found.setdefault(row.candidate, []).append(row)
    return list(found.values())
