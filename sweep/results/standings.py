"""Which contenders differ: they are ranked together only where their numbers mean the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sweep.results.contenders import Contender
from sweep.results.layout import Layout, Scores
from sweep.results.power import Design, Power, Spread
from sweep.results.rows import LeaderboardRow
from sweep.results.statistics import Inconclusive, compare, inconclusive


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What has to be the same for two contenders to be ranked together.

    Attributes:
        data: Fingerprint of the train and val tiles, which is the split, too.
        metric: What a score is.
        tiles: How many train tiles a training saw, the fewest of its folds.
        division: Hash of its folds; empty for none.
    """

    data: str
    metric: str
    tiles: int
    division: str = ""

    @classmethod
    def of(cls, row: LeaderboardRow) -> Conditions:
        """Return a row's."""
        return cls(data=row.data_fingerprint, metric=row.metric, tiles=row.tiles, division=row.division)

    def differences(self, other: Conditions) -> list[str]:
        """Say in what these and others differ."""
        return [
            text
            for name, text in (
                ("data", "other train or val tiles"),
                ("metric", "another definition of the metric"),
                ("tiles", f"{self.tiles} train tiles instead of {other.tiles}"),
                ("division", "other folds" if self.division and other.division else "folds on one side alone"),
            )
            if getattr(self, name) != getattr(other, name)
        ]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Contenders that are ranked together.

    Attributes:
        conditions: What they share.
        rows: Their lines, the best val IoU first; then those that predict a single class everywhere, whose IoU is no
            merit of a model; those that are not ranked at the end.
        inconclusive: Why none of several can be called better than another; None where that is possible.
        power: How small a difference can be seen; None where nothing is compared, or no tile says anything of others.
        scored: How many tiles a contender is scored on.
    """

    conditions: Conditions
    rows: tuple[LeaderboardRow, ...]
    inconclusive: Inconclusive | None = None
    power: Power | None = None
    scored: int = 0

    @property
    def ranked(self) -> list[LeaderboardRow]:
        """Those that have a rank; the winner first."""
        return [row for row in self.rows if row.rank is not None]

    @property
    def tied(self) -> list[LeaderboardRow]:
        """The first one and those that are tied with it, if there are any; else none."""
        return [row for row in self.ranked if row.tied]

    @property
    def collapsed(self) -> list[LeaderboardRow]:
        """Those that have a rank, and predict a single class everywhere; the highest val IoU first."""
        return [row for row in self.ranked if row.collapsed]


def stand(contenders: Iterable[Contender]) -> list[Standing]:
    """Rank contenders, those of the same conditions together.

    Every row gets ``rank``, ``tied``, ``probability_best`` and ``difference`` with its interval.

    Returns:
        The most train tiles first; else in the order of the contenders.
    """
    found: dict[Conditions, list[Contender]] = {}
    for contender in contenders:
        found.setdefault(Conditions.of(contender.row), []).append(contender)
    ordered = sorted(found.items(), key=lambda item: -item[0].tiles)
    return [_rank(conditions, those) for conditions, those in ordered]


def _rank(conditions: Conditions, contenders: Sequence[Contender]) -> Standing:
    complete = [contender for contender in contenders if contender.val is not None and not contender.row.unranked]
    complete.sort(key=lambda contender: (bool(contender.row.collapsed), -contender.row.final_iou))
    placed = {id(contender) for contender in complete}  # to compare whole contenders would take hours with thousands
    rest = [contender for contender in contenders if id(contender) not in placed]
    rest.sort(key=lambda one: -1.0 if one.row.val_iou is None else one.row.val_iou, reverse=True)
    vals = [contender.val for contender in complete if contender.val is not None]
    scores, layout = [val.iou for val in vals], vals[0].layout if vals else None
    reason = inconclusive(scores, layout) if len(scores) > 1 else None
    if complete and _no_model([contender.row for contender in complete]):
        reason = Inconclusive.NO_MODEL
    compared = compare(scores, layout=layout, best=0, decidable=reason is None)
    ranked = [
        replace(contender.row, rank=rank, **vars(one))
        for rank, (contender, one) in enumerate(zip(complete, compared, strict=True), start=1)
    ]
    return Standing(
        conditions=conditions,
        rows=(*ranked, *(one.row for one in rest)),
        inconclusive=reason,
        power=_power(scores, layout) if layout and reason in (None, Inconclusive.ONE_TRAINING) else None,
        scored=layout.tiles if layout else 0,
    )


def _power(scores: Sequence[Scores], layout: Layout) -> Power | None:
    """Return what can be seen with so many scores."""
    if len(scores) < 2:
        return None
    units, repeats = layout.units[0].effective, min(len(one) for one in scores)
    return Power(
        design=Design(contenders=len(scores), units=units, folds=layout.number_of_folds, repeats=repeats),
        spread=Spread.measured(scores, layout),
        labelled=units + layout.other_scenes,
    )


def _no_model(rows: Sequence[LeaderboardRow]) -> bool:
    """Whether none of the ranked rows, the first one first, is above those that predict a single class everywhere."""
    highest = max((row.final_iou for row in rows if row.collapsed), default=-1.0)
    return bool(rows[0].collapsed) or rows[0].final_iou <= highest
