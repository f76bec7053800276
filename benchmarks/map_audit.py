"""How often the intervals of ``sweep.audit map`` hold the truth, beside the usual ones.

Maps of 2 to 6 classes, each 1 to 60 % of the ground, are right about 50 to 99.5 % of what they show as a class. 50 to
400 points are drawn and labelled. The usual interval is the estimate and 1.96 of its standard errors (Olofsson et al.
2014, equations 5 to 11); Wilson's takes the strata's own by Wilson, combined as ours are.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Report
from sweep.audit.maps import intervals
from sweep.audit.maps.drawing import LEAST

POINTS = (50, 100, 200, 400)
SHARES = ((0.01, 0.05), (0.05, 0.2), (0.2, 0.6))
Z = 1.959963984540054
Limits = Callable[[intervals.Counted], NDArray[np.float64]]


@dataclass(kw_only=True)
class Held:
    """How often intervals held the truth."""

    cases: int = 0
    inside: int = 0
    width: float = 0.0

    @property
    def share(self) -> float:
        """Of all cases."""
        return self.inside / max(1, self.cases)

    def add(self, truth: float, low: float, high: float) -> None:
        """Count an interval."""
        self.cases += 1
        self.inside += low - 1e-9 <= truth <= high + 1e-9
        self.width += high - low


def usual(counted: intervals.Counted) -> NDArray[np.float64]:
    """Return ratio and limits by 1.96 standard errors: the delta method for a combined ratio."""
    hit, case = counted.hits / counted.points, counted.cases / counted.points
    numerator, denominator = (counted.weights * hit).sum(-1), (counted.weights * case).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = numerator / denominator
        ratio = value[..., None]
        spread = hit * (1 - hit) + ratio**2 * case * (1 - case) - 2 * ratio * hit * (1 - case)
        error = np.sqrt((counted.weights**2 * spread / (counted.points - 1)).sum(-1)) / denominator
    return np.stack([value, value - Z * error, value + Z * error], axis=-1)


def wilson(counted: intervals.Counted) -> NDArray[np.float64]:
    """Return ratio and limits as ours are, but of Wilson's intervals of the strata."""
    own = intervals.share_limits

    def limits(share: Any, number: Any) -> Any:
        middle = (share * number + Z**2 / 2) / (number + Z**2)
        half = Z * np.sqrt(number) / (number + Z**2) * np.sqrt(share * (1 - share) + Z**2 / (4 * number))
        return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)

    intervals.share_limits = limits
    try:
        return counted.limits()
    finally:
        intervals.share_limits = own


WAYS: Mapping[str, Limits] = {"ours": intervals.Counted.limits, "usual": usual, "Wilson's": wilson}


def draw_map(random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (classes,) shares of a map, and (classes, classes) what is there, by what it shows."""
    while True:
        classes = int(random.integers(2, 7))
        shares = random.dirichlet(np.full(classes, random.choice([0.7, 1.0, 2.0])))
        if shares.min() >= SHARES[0][0] and shares.max() <= SHARES[-1][1]:
            break
    truth = random.dirichlet(np.full(classes, 0.5), size=classes)
    np.fill_diagonal(truth, 0)
    right = random.uniform(0.5, 0.995, classes)
    truth *= ((1 - right) / truth.sum(axis=1))[:, None]
    np.fill_diagonal(truth, right)
    return shares, truth


def allocated(shares: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Divide points among strata that are large, as ``sweep.audit.maps.drawing.allocate`` does."""
    floor = max(1, min(LEAST, count // (2 * len(shares))))
    left = count - floor * len(shares)
    more = np.floor(left * shares).astype(int)
    more[np.argsort(-shares, kind="stable")[: left - int(more.sum())]] += 1
    return more + floor


def coverage_of(maps: int, seed: int, each: bool = False) -> dict[tuple[str, str], Held]:
    """Simulate maps; returns (what, way) to how often its intervals held the truth.

    Args:
        maps: How many.
        seed: Decides.
        each: Also by number of points and by the class's share of the map.
    """
    random = np.random.default_rng(seed)
    found: dict[tuple[str, str], Held] = defaultdict(Held)
    for _ in range(maps):
        shares, truth = draw_map(random)
        count, classes = int(random.choice(POINTS)), len(shares)
        points = allocated(shares, count)
        matrix = np.stack([random.multinomial(number, row) for number, row in zip(points, truth, strict=True)])
        own, areas, every = np.eye(classes, dtype=bool), shares @ truth, np.ones(classes, bool)
        rows = [("overall accuracy", 0, float(shares @ np.diag(truth)), np.diag(matrix), points, every, every)]
        for one in range(classes):
            right, mine = own[one] * matrix[one, one], own[one]
            producers = float(shares[one] * truth[one, one] / areas[one])
            rows += [
                ("area", one, float(areas[one]), matrix[:, one], points, every, every),
                ("user's accuracy", one, float(truth[one, one]), right, mine * points, mine, mine),
                ("producer's accuracy", one, producers, right, matrix[:, one], mine, ~mine),
            ]
        hits, cases, can_hit, can_miss = (np.stack([row[place] for row in rows]) for place in (3, 4, 5, 6))
        counted = intervals.Counted(
            weights=shares, points=points, hits=hits, cases=cases, can_hit=can_hit, can_miss=can_miss
        )
        for way, limits in WAYS.items():
            for (what, one, true, *_), (value, low, high) in zip(rows, limits(counted).tolist(), strict=True):
                if np.isnan(value):
                    continue
                found[what, way].add(true, low, high)
                if each:
                    found[f"{what}, {count} points", way].add(true, low, high)
                    if what != "overall accuracy":
                        low_share, high_share = next(span for span in SHARES if shares[one] <= span[1])
                        span = f"{low_share:.0%} to {high_share:.0%} of the map"
                        found[f"{what}, class of {span}", way].add(true, low, high)
    return dict(found)


def run(maps: int) -> None:
    """Measure once."""
    found = coverage_of(maps, seed=1, each=True)
    report = Report(name="map_audit")
    for what in dict.fromkeys(name for name, _ in found):
        for way in WAYS:
            held = found[what, way]
            report.note(
                f"{what}: {way}: truth inside",
                f"{held.share:.3f} of {held.cases:,}, mean width {held.width / held.cases:.3f}",
            )
    report.write()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=int, default=10_000)
    run(parser.parse_args().maps)
