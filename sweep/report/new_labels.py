"""What newly labelled tiles brought: the same model trained before and after, paired by the val tiles that stayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from sweep.report.data import ReportData
from sweep.results.statistics import Interval, mean_interval
from trainables.wording import counted


@dataclass(frozen=True, kw_only=True)
class Brought:
    """A contender on a dataset's two versions.

    Attributes:
        title: What people call it.
        before: Its val IoU on the earlier version.
        after: On the later one.
        gain: Their difference, paired by tile, with its 95 % interval.
    """

    title: str
    before: float
    after: float
    gain: Interval


@dataclass(frozen=True, kw_only=True)
class NewLabels:
    """Two experiments of which the later one had more train tiles and the same val tiles.

    Attributes:
        earlier: The first one.
        later: The other one.
        tiles: How many train tiles were added.
        found: The contenders that both have, the best on the later version first.
    """

    earlier: ReportData
    later: ReportData
    tiles: int
    found: Sequence[Brought]

    @property
    def lines(self) -> list[str]:
        """Say it, a line for each contender."""
        names = f"{self.later.experiment.name} over {self.earlier.experiment.name}"
        head = f"What {counted(self.tiles, 'new train tile')} brought ({names}, paired on the same val tiles):"
        lines = [head]
        for one in self.found:
            sure = "" if one.gain.low is None or one.gain.low > 0 or (one.gain.high or 0) < 0 else ", not certain"
            ends = f", {one.gain.ends()}" if one.gain.ends() else ""
            both = f"{one.before:.3f} before, {one.after:.3f} after"
            lines.append(f"{one.title}: {both} ({one.gain.mean:+.3f}{ends}{sure})")
        return lines

    @property
    def fields(self) -> dict[str, Any]:
        """Say it to programs."""
        return {
            "earlier": self.earlier.experiment.name,
            "later": self.later.experiment.name,
            "tiles": self.tiles,
            "models": [
                {
                    "title": one.title,
                    "before": one.before,
                    "after": one.after,
                    "gain": {"mean": one.gain.mean, "low": one.gain.low, "high": one.gain.high},
                }
                for one in self.found
            ],
        }

    @property
    def headline(self) -> str:
        """Say it of the later one's best contender, and of how many others the gain is certain."""
        head, best, *others = self.lines
        if not others:
            return f"{head} {best}."
        gained = sum(one.gain.low is not None and one.gain.low > 0 for one in self.found[1:])
        return f"{head} {best}; of {counted(len(others), 'other')}, {gained} gained for certain."


def widest(found: Sequence[NewLabels]) -> NewLabels:
    """Return the pair with the most new tiles: of three versions the first and the last."""
    return max(found, key=lambda one: one.tiles)


def new_labels(sources: Sequence[ReportData]) -> list[NewLabels]:
    """Find the pairs of experiments that differ by added train tiles alone, and what these brought.

    The val tiles are taken to be the same where their names, their number of pixels and the metric are: what adds tiles
    leaves those that were there as they are.
    """
    found = []
    for earlier, later in permutations(sources, 2):
        before, after = earlier.description["data"], later.description["data"]
        added = set(after["train"]) - set(before["train"])
        same = all(before.get(one) == after.get(one) for one in ("metric", "task", "val_pixels"))
        grown = bool(added) and set(before["train"]) < set(after["train"])
        if not (grown and same and set(before["val"]) == set(after["val"]) and earlier.phase == later.phase):
            continue
        if pairs := _pairs(earlier, later):
            found.append(NewLabels(earlier=earlier, later=later, tiles=len(added), found=pairs))
    return found


def _pairs(earlier: ReportData, later: ReportData) -> list[Brought]:
    known = {one.row.contender: one for one in earlier.board.contenders if one.val is not None}
    found = []
    for one in later.board.contenders:
        other = known.get(one.row.contender)
        if one.val is None or other is None or other.val is None or one.row.unranked or other.row.unranked:
            continue
        if sorted(one.val.tiles) != sorted(other.val.tiles):
            continue
        order = [list(other.val.tiles).index(tile) for tile in one.val.tiles]
        before = other.val.iou[:, order]
        paired = one.val.iou - before.mean(0, keepdims=True)
        found.append(
            Brought(
                title=one.row.title,
                before=float(before.mean()),
                after=float(one.val.iou.mean()),
                gain=mean_interval(paired, (-1.0, 1.0), one.val.layout),
            )
        )
    return sorted(found, key=lambda one: -one.after)
