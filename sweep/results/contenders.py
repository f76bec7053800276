"""What a leaderboard ranks: a contender with all of its trainings, and their scores per tile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan
from statistics import fmean, median_low
from typing import Any

import numpy as np

from sweep.records.experiment import Experiment
from sweep.records.store import ScoreRow
from sweep.records.trial_result import TrialResult
from sweep.records.winners import has_collapsed, winners
from sweep.results.layout import Layout, Scores
from sweep.results.rows import LeaderboardRow, Means, ScoredTrial
from sweep.results.statistics import mean_interval
from sweep.sealed.ledger import Ledger, Reading


@dataclass(frozen=True, kw_only=True)
class SplitScores:
    """The scores of a contender's trainings on one split.

    Attributes:
        tiles: Their names, in the order of the columns.
        iou: (trainings, tiles), each in [0, 1].
        f1: (trainings, tiles), each in [0, 1]; None where it is not known of every tile.
        layout: Which tiles belong together; with folds, a row of the scores is a repeat.
        uncounted: Names of tiles that are left out, since no pixel of theirs counts.
    """

    tiles: tuple[str, ...]
    iou: Scores
    f1: Scores | None
    layout: Layout
    uncounted: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, trainings: Sequence[Sequence[ScoreRow]], layout: Callable[[Sequence[str]], Layout] | None = None
    ) -> SplitScores | None:
        """Put together trainings that were scored on the same tiles as the first one; None without any.

        Args:
            trainings: The scores of each training.
            layout: Says which of some tiles belong together; None is none.
        """
        each = [{one.tile: one for one in scores} for scores in trainings]
        if not each or not each[0]:
            return None
        alike = [found for found in each if found.keys() == each[0].keys()]
        uncounted = tuple(sorted(tile for tile in each[0] if any(isnan(found[tile].iou) for found in alike)))
        tiles = tuple(sorted(each[0].keys() - set(uncounted)))
        if not tiles:
            return None
        same = [[found[tile] for tile in tiles] for found in alike]
        iou = np.array([[one.iou for one in row] for row in same])
        f1 = np.array([[one.f1 for one in row] for row in same])
        placed = layout(tiles) if layout else Layout.apart(len(tiles))
        known = f1 if np.isfinite(f1).all() else None
        return cls(tiles=tiles, iou=iou, f1=known, layout=placed, uncounted=uncounted)


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A contender: an architecture, or an architecture on so many tiles.

    Attributes:
        row: Its row of the leaderboard.
        trainings: With their own scores; a trial that has not finished stands for a training that is missing.
        val: Scores of its trainings that finished; None before the first.
        test: Scores of those that have read test; None before the first.
    """

    row: LeaderboardRow
    trainings: tuple[ScoredTrial, ...]
    val: SplitScores | None
    test: SplitScores | None


class Readings:
    """An experiment's readings of test, those of an earlier training under the same name apart.

    Args:
        experiment: Whose.
        scores: The scores on test that are in it.
    """

    def __init__(self, experiment: Experiment, scores: Iterable[ScoreRow]) -> None:
        run = experiment.description.get("id", "")
        found = Ledger(experiment.storage).of(experiment.name, run)
        self._own = {name: [one for one in all_of if one.run == run] for name, all_of in found.items()}
        self._f1 = {(one.attempt, one.tile): one.f1 for one in scores}
        self.earlier = any(one.run != run for all_of in found.values() for one in all_of)
        """Whether there are any of an earlier training."""

    def of(self, attempt: str) -> list[Reading]:
        """Return an attempt's readings, the first one first."""
        return self._own.get(attempt, [])

    def scores(self, attempt: str) -> list[ScoreRow]:
        """Return the scores of an attempt's last reading; empty before the first."""
        return [
            ScoreRow(attempt=attempt, tile=tile, iou=iou, f1=self._f1.get((attempt, tile), np.nan))
            for reading in self.of(attempt)[-1:]
            for tile, iou in reading.tiles.items()
        ]


def folds_in(description: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the folds in an experiment's description; none in one without, or of an earlier version."""
    plan = description["plan"]
    trials = [*plan["trials"], *(study["template"] for study in plan["studies"])]
    return trials[0].get("folds", ()) if trials else ()


def val_layout(description: Mapping[str, Any], tiles: Sequence[str]) -> Layout:
    """Return which val tiles belong together: those of a scene, and of a fold where there are any.

    Args:
        description: The experiment's. An earlier version's names no scenes: each tile then stands alone.
        tiles: Names of its val tiles.
    """
    data, folds = description["data"], folds_in(description)
    scene_of = (description.get("scenes") or {}).get("of") or {tile: tile for tile in (*data["train"], *data["val"])}
    fold_of = {tile: number for number, fold in enumerate(folds) for tile in fold["val"]}
    scenes = [scene_of.get(tile, tile) for tile in tiles]
    others = len(set(scene_of.values()) - set(scenes))
    return Layout.of(scenes, [fold_of.get(tile) for tile in tiles], other_scenes=others)


def read_contenders(
    description: Mapping[str, Any], trials: Sequence[TrialResult], val_scores: Iterable[ScoreRow], readings: Readings
) -> list[Contender]:
    """Put an experiment's trainings together into contenders.

    Args:
        description: The experiment's.
        trials: Its trials.
        val_scores: Their scores on val.
        readings: Its readings of test.

    Returns:
        In the order in which they were planned.
    """
    won = winners(trials)
    val: dict[str, list[ScoreRow]] = {}
    for score in val_scores:
        val.setdefault(score.attempt, []).append(score)
    contests: dict[str, dict[str, list[TrialResult]]] = {}
    for row in trials:
        if row.preliminary and row.contest in won:
            continue  # the search that found what has been confirmed
        contests.setdefault(row.contender, {}).setdefault(row.contest, []).append(row)
    layout = partial(val_layout, description)
    return [_contender(name, found, won, val, layout, readings) for name, found in contests.items()]


def _contender(
    name: str,
    contests: Mapping[str, list[TrialResult]],
    won: Mapping[str, list[TrialResult]],
    val: Mapping[str, Sequence[ScoreRow]],
    layout: Callable[[Sequence[str]], Layout],
    readings: Readings,
) -> Contender:
    finished: list[TrialResult] = []
    missing: list[TrialResult] = []
    for contest, rows in contests.items():
        trainings = won.get(contest, [])
        finished += trainings
        if trainings:
            missing += [row for row in rows if row.candidate == trainings[0].candidate and row not in trainings]
        else:
            missing.append(next((row for row in rows if row.status == "failed"), rows[0]))
    failed = sum(row.status == "failed" for row in missing)
    scores = SplitScores.of([val[row.attempt] for row in finished if row.attempt in val], layout)
    read = [row.attempt for row in finished if readings.of(row.attempt)]
    test = SplitScores.of([readings.scores(attempt) for attempt in read])
    repeats = len(finished) + len(missing)
    candidates = {one.candidate for one in finished or missing}
    on_val, on_test = _means(scores), _means(test)
    row = LeaderboardRow.of_trial(
        (finished or missing)[0],
        **_typical(finished),
        contender=name,
        candidate=candidates.pop() if len(candidates) == 1 else "",
        attempts=tuple(one.attempt for one in finished),
        repeats=repeats,
        repeats_failed=failed,
        unranked=_why_unranked(len(finished), failed, repeats, missing),
        status=missing[0].status if missing else "finished",
        collapsed=_collapsed(finished) if has_collapsed(finished) else "",
        collapsed_trainings=sum(bool(one.collapsed) for one in finished),
        test_readings=max((len(readings.of(one.attempt)) for one in finished), default=0),
        test_trainings=len(read),
        val=on_val,
        test=on_test,
        **on_val.plain("val"),
        **on_test.plain("test"),
    )
    each = tuple(
        ScoredTrial.of_trial(one, **_means(SplitScores.of([readings.scores(one.attempt)])).plain("test"))
        for one in (*finished, *missing)
    )
    return Contender(row=row, trainings=each, val=scores, test=test)


def _means(scores: SplitScores | None) -> Means:
    if scores is None:
        return Means()
    interval = partial(mean_interval, layout=scores.layout)
    return Means(iou=interval(scores.iou), f1=None if scores.f1 is None else interval(scores.f1))


def _typical(finished: Sequence[TrialResult]) -> dict[str, Any]:
    """Return what a training of several took, and each way that probes took; a mean time, an epoch that one had."""
    if len(finished) < 2:
        return {}
    return {
        "seconds": fmean(one.seconds or 0.0 for one in finished),
        "epochs": median_low(one.epochs for one in finished),
        "best_epoch": median_low(one.best_epoch or 0 for one in finished),
        "fitted": " and ".join(sorted({one.fitted for one in finished if one.fitted})) or None,
    }


def _collapsed(finished: Iterable[TrialResult]) -> str:
    """Name what trainings that have collapsed predict everywhere."""
    return " or ".join(sorted({one.collapsed or "" for one in finished}))


def _why_unranked(finished: int, failed: int, repeats: int, missing: Iterable[TrialResult]) -> str:
    if failed:
        return f"{failed} of {repeats} trainings failed" if repeats > 1 else "failed"
    if finished < repeats:
        return f"{finished} of {repeats} trainings finished" if repeats > 1 else next(iter(missing)).status
    return ""
