"""The leaderboard's rows, and the trainings that they are means of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from sweep.records.trial_result import TrialResult
from sweep.results.statistics import Interval


def mean_of(interval: Interval | None) -> float | None:
    """Return an interval's mean, if there is one."""
    return interval.mean if interval else None


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a contender scores on a split: the means over tiles, and over trainings where there are several.

    Attributes:
        iou: In [0, 1]; None before the first score.
        f1: In [0, 1]; None where it is not known of every tile.
    """

    iou: Interval | None = None
    f1: Interval | None = None

    def plain(self, split: str) -> dict[str, float | None]:
        """Return the means under the names that a row of a split has for them."""
        return {f"{split}_iou": mean_of(self.iou), f"{split}_f1": mean_of(self.f1)}


@dataclass(frozen=True, kw_only=True)
class ScoredTrial(TrialResult):
    """A trial with its scores on test.

    Attributes:
        test_iou: Mean IoU over the test tiles, in [0, 1]; None before it has read them.
        test_f1: Mean F1 over them.
    """

    test_iou: float | None
    test_f1: float | None

    @classmethod
    def of_trial(cls, trial: TrialResult, **more: Any) -> Self:
        """Return a trial with what is added to it, or is another value of a field."""
        return cls(**{**vars(trial), **more})

    def iou_on(self, split: str) -> float | None:
        """Return the mean IoU on ``val`` or ``test``."""
        return self.test_iou if split == "test" else self.val_iou


@dataclass(frozen=True, kw_only=True)
class LeaderboardRow(ScoredTrial):
    """A contender: what its first training has, and the following of all of them.

    Attributes:
        attempts: Its trainings that finished.
        repeats: How many trainings it takes.
        repeats_failed: How many of them failed.
        unranked: Why it has no rank; empty where it may have one.
        collapsed_trainings: How many predict a single class everywhere on val.
        test_readings: How often a training has read test, at most.
        test_trainings: How many have read test.
        val: Means over the val tiles.
        test: Means over the test tiles.
        rank: Among those of the same conditions, from 1; None without one.
        tied: Whether its difference to the first one may be zero; for the first one, whether another is tied with it.
        probability_best: How probable it is that it is the best, in [0, 1]; None where that cannot be known.
        difference: To the first one's val IoU; None for that.
        over_probe: To the val IoU of the probe on the same encoder; None where there is none.
    """

    attempts: tuple[str, ...]
    repeats: int
    repeats_failed: int
    unranked: str
    collapsed_trainings: int
    test_readings: int
    test_trainings: int
    val: Means
    test: Means
    rank: int | None = None
    tied: bool = False
    probability_best: float | None = None
    difference: Interval | None = None
    over_probe: Interval | None = None

    def on(self, split: str) -> Means:
        """Return the means on ``val`` or ``test``."""
        return self.test if split == "test" else self.val

    def to_dict(self) -> dict[str, Any]:
        """Return the row of ``leaderboard.parquet``: an interval is ``NAME``, ``NAME_low`` and ``NAME_high``."""
        plain = super().to_dict()
        intervals = {name: plain.pop(name) for name in ("difference", "over_probe")}
        for split in ("val", "test"):
            means = plain.pop(split)
            intervals |= {f"{split}_iou": means.iou, f"{split}_f1": means.f1}
        for name, one in intervals.items():
            ends = (one.mean, one.low, one.high) if one else (None, None, None)
            plain |= dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
        return plain
