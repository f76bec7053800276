"""What the labels of a sample say of the map: error matrix, accuracies and areas, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from sweep.audit.maps.class_maps import DIFFER
from sweep.audit.maps.drawing import SamplePoint
from sweep.audit.maps.intervals import Counted, Estimate, effective_points, share_limits
from sweep.audit.maps.sample import MapSample


@dataclass(frozen=True, kw_only=True)
class ClassAccuracy:
    """How right a map is about a class.

    Attributes:
        name: The class.
        mapped: Its share of the map's ground, in [0, 1].
        area: Its share of the ground by the labels.
        users: Of the ground that the map shows as it, the share that is it.
        producers: Of the ground that is it, the share that the map shows as it.
    """

    name: str
    mapped: float
    area: Estimate
    users: Estimate
    producers: Estimate


@dataclass(frozen=True, kw_only=True)
class MapAccuracy:
    """How right a map is.

    Attributes:
        overall: The share of the ground that it shows rightly.
        classes: In the order of their values.
        counts: Map's class to label's class to number of points.
        shares: Likewise, to the estimated share of the ground.
    """

    overall: Estimate
    classes: tuple[ClassAccuracy, ...]
    counts: tuple[tuple[int, ...], ...]
    shares: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """Which of two maps is better, by the points where they differ.

    Attributes:
        first: Points where the first one is right and the second one is wrong.
        second: The other way round.
        neither: Points where both are wrong, in two ways.
        differing: Share of the ground where they differ, in [0, 1].
        difference: Share of the ground that the first one shows rightly less that of the second one.
        low: Lower end of its 95 % interval.
        high: Upper end.
        probability: Two-sided p-value of the exact test.
    """

    first: int
    second: int
    neither: int
    differing: float
    difference: float
    low: float
    high: float
    probability: float


Right = Callable[[SamplePoint, int], bool]
"""Takes a point and its label."""


class MapEstimator:
    """Computes estimates of a sample with labels.

    Args:
        sample: What was drawn.
        labels: Number of a point to the value of its class; None for who cannot tell: such points are left out, as if
            they had not been drawn.
    """

    def __init__(self, sample: MapSample, labels: Mapping[int, int | None]) -> None:
        self._sample = sample
        self._labels = {number: value for number, value in labels.items() if value is not None}
        self._points = [one for one in sample.points if one.number in self._labels]
        self._weights = np.array([one.area / sample.area for one in sample.strata])
        self._pixels = np.array([float(one.pixels) for one in sample.strata])
        self._place = {one.number: place for place, one in enumerate(sample.strata)}
        self._drawn = self._count(lambda *_: True)

    @property
    def empty_strata(self) -> list[int]:
        """Strata of which no point has a label: nothing is known of their ground."""
        return [one.number for one, drawn in zip(self._sample.strata, self._drawn, strict=True) if not drawn]

    def accuracy(self, number: int) -> MapAccuracy:
        """Return how right a map is.

        Args:
            number: Which one of the sample's maps, from 0.
        """
        return MapAccuracy(
            overall=self._ratio(lambda point, label: point.values[number] == label),
            classes=tuple(self._of_class(number, value) for value in self._sample.names),
            counts=tuple(
                tuple(self._cell(number, mapped, label)[0] for label in self._sample.names)
                for mapped in self._sample.names
            ),
            shares=tuple(
                tuple(self._cell(number, mapped, label)[1] for label in self._sample.names)
                for mapped in self._sample.names
            ),
        )

    def _of_class(self, number: int, value: int) -> ClassAccuracy:
        def is_right(point: SamplePoint, label: int) -> bool:
            return label == value == point.values[number]

        return ClassAccuracy(
            name=self._sample.names[value],
            mapped=self._sample.class_areas[number].get(value, 0.0) / self._sample.area,
            area=self._ratio(lambda _, label: label == value),
            users=self._ratio(is_right, lambda point, _: point.values[number] == value, own=value, others=False),
            producers=self._ratio(is_right, lambda _, label: label == value, own=value),
        )

    def _cell(self, number: int, mapped: int, label: int) -> tuple[int, float]:
        counts = self._count(lambda point, found: point.values[number] == mapped and found == label)
        shares = np.divide(counts, self._drawn, out=np.zeros(len(counts)), where=self._drawn > 0)
        return int(counts.sum()), float(self._weights @ shares)

    def compare(self) -> PairedTest:
        """Test whether the first map is better than the second one.

        Both are right or wrong together where they say the same. Where they differ, points are a simple random sample,
        so of those at which one of the two is right, half would favour each if they were equally good: the exact
        binomial test, which is McNemar's (1947, Psychometrika 12) on the points that differ.
        """
        from scipy.stats import binomtest

        place = self._place.get(DIFFER)
        if place is None or not self._drawn[place]:
            share = float(self._weights[place]) if place is not None else 0.0
            return PairedTest(
                first=0, second=0, neither=0, differing=share, difference=0.0, low=-share, high=share, probability=1.0
            )
        first, second = (self._right_alone(number) for number in (0, 1))
        points, share = float(self._drawn[place]), float(self._weights[place])
        lead = estimate_difference(first, second, points, self._pixels[place])
        test = binomtest(first, first + second).pvalue if first + second else 1.0
        return PairedTest(
            first=first,
            second=second,
            neither=int(points) - first - second,
            differing=share,
            difference=share * lead[0],
            low=share * lead[1],
            high=share * lead[2],
            probability=float(test),
        )

    def _right_alone(self, number: int) -> int:
        """Return at how many points where the maps differ one of them is right."""
        return int(self._count(lambda point, label: point.stratum == DIFFER and point.values[number] == label).sum())

    def _count(self, counts: Right) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Return (strata,) the points of each stratum that count."""
        found = np.zeros(len(self._sample.strata))
        for point in self._points:
            if counts(point, self._labels[point.number]):
                found[self._place[point.stratum]] += 1
        return found

    def _ratio(
        self, hit: Right, case: Right = lambda *_: True, own: int | None = None, *, others: bool = True
    ) -> Estimate:
        """Estimate a ratio.

        Args:
            hit: What counts as one.
            case: Of what.
            own: The class of which a hit is shown rightly: in its own stratum nothing but that is a case of the label.
            others: Whether there are cases in the strata of other classes.
        """
        strata = np.array([one.number for one in self._sample.strata])
        mixed = strata == DIFFER
        can_hit = mixed | (strata == own) if own is not None else np.ones(len(strata), bool)
        can_miss = can_hit if not others else mixed | (strata != own) if own is not None else can_hit
        return Counted(
            weights=self._weights,
            points=self._drawn,
            hits=self._count(hit),
            cases=self._count(case),
            can_hit=can_hit,
            can_miss=can_miss,
            pixels=self._pixels,
        ).estimate()


def estimate_difference(first: int, second: int, points: float, pixels: float) -> tuple[float, float, float]:
    """Return the difference of two shares of the same points, and its 95 % interval (Zou and Donner 2008).

    Args:
        first: Points of the one kind.
        second: Points of the other kind; no point is of both.
        points: All of them.
        pixels: From which they were drawn without replacement.
    """
    shares = np.array([first, second]) / points
    low, high = share_limits(shares, effective_points(np.full(2, points), np.full(2, pixels)))
    rest = float(np.prod(1 - shares))
    correlation = -float(np.sqrt(np.prod(shares) / rest)) if rest > 1e-12 else -1.0
    lead = float(shares[0] - shares[1])
    down, up = shares - low, high - shares
    below = np.sqrt(down[0] ** 2 + up[1] ** 2 - 2 * correlation * down[0] * up[1])
    above = np.sqrt(up[0] ** 2 + down[1] ** 2 - 2 * correlation * up[0] * down[1])
    return lead, max(-1.0, lead - float(below)), min(1.0, lead + float(above))
