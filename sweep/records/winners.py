"""Which trainings of each contest win: the only choice that is ever made, and it is made on val."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from sweep.records.trial_result import TrialResult
from sweep.records.trials import ENDED


def winners(rows: Iterable[TrialResult]) -> dict[str, list[TrialResult]]:
    """Choose the best candidate of each contest by the mean val IoU of its trainings; the earlier one of two equals.

    A candidate of which a training failed wins only over others that lost one, too, and one that predicts a single
    class everywhere only over others that do. Preliminary trials never win. A contest whose candidates are trained
    several times is undecided until all of that has been done.

    Returns:
        Contest to the winning candidate's finished trainings; a contest without one is left out.
    """
    contests: dict[str, dict[str, list[TrialResult]]] = {}
    for row in rows:
        if not row.preliminary:
            contests.setdefault(row.contest, {}).setdefault(row.candidate, []).append(row)
    found = {}
    for contest, candidates in contests.items():
        repeated = any(len(trainings) > 1 for trainings in candidates.values())
        if repeated and any(row.status not in ENDED for trainings in candidates.values() for row in trainings):
            continue
        best = max(candidates.values(), key=_merit)
        if finished := _finished(best):
            found[contest] = finished
    return found


def has_collapsed(trainings: Iterable[TrialResult]) -> bool:
    """Return whether all of some trainings predict a single class everywhere on val; False without any."""
    found = [bool(row.collapsed) for row in trainings]
    return bool(found) and all(found)


def _merit(trainings: Sequence[TrialResult]) -> tuple[bool, bool, float]:
    finished = _finished(trainings)
    complete = bool(finished) and len(finished) == len(trainings)
    mean = fmean(row.final_iou for row in finished) if finished else -1.0
    return complete, not has_collapsed(finished), mean


def _finished(trainings: Iterable[TrialResult]) -> list[TrialResult]:
    return [row for row in trainings if row.finished]
