"""How small a difference between two contenders can be seen, by a design and by what differences vary by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sweep.results.layout import Layout, Scores
from sweep.results.statistics import LEAST_LEAD, pair_level
from sweep.results.variances import Variation

SEEN = 0.8
"""How often a difference has to be seen for it to count as one that can be."""
CELLS = 2_000_000
"""Scores that are simulated, at most, in 2,000 sweeps or fewer."""
MOST = 50
"""Contenders that are simulated, at most: more know the variance no better."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """What a sweep scores.

    Attributes:
        contenders: How many, two at least.
        units: Scored scenes, or tiles where each is a scene; of unequal sizes, as many equal ones as say the same.
        folds: In how many parts they are; 0 for one split.
        repeats: Trainings of a contender, of each fold with folds.
    """

    contenders: int
    units: float
    folds: int = 0
    repeats: int = 1


@dataclass(frozen=True, kw_only=True)
class Spread:
    """What differences vary by.

    Attributes:
        unit: Variance, from scene to scene (or tile to tile), of the difference of two contenders.
        training: Variance of a contender's mean from training to training.
        origin: Where both are known from, as a part of a sentence.
    """

    unit: float
    training: float
    origin: str

    @classmethod
    def measured(cls, contenders: Sequence[Scores], layout: Layout, where: str = "here") -> Spread:
        """Measure it from scores; trainings are assumed to differ as usual where there is one of each.

        Args:
            contenders: (trainings, tiles) each, two at least, on the same tiles; with folds, (repeats, tiles).
            layout: Of the tiles; several scenes and, if any, several folds.
            where: The scores are from.
        """
        repeats = float(np.mean([len(scores) for scores in contenders]))
        variation, units = Variation.of(contenders, layout), layout.units
        of_means = [2.0 / (len(contenders) - 1) * float(np.trace(covariance)) for covariance, _ in variation.units]
        unit = of_means[0] * units[0].effective
        if layout.folds is None:
            if max(len(scores) for scores in contenders) == 1:
                return cls(unit=unit, training=USUAL.training, origin=f"measured {where}, but {SEEDS_ASSUMED}")
            luck = float(np.mean(variation.luck * [len(scores) for scores in contenders]))
            return cls(unit=unit, training=luck, origin=f"measured {where}")
        apart = 1.0 / units[1].effective - 1.0 / units[0].effective
        luck = max(0.0, of_means[1] - of_means[0]) * repeats / 2.0 / apart if apart > 1e-9 else 0.0
        return cls(unit=max(0.0, unit - 2.0 * luck / repeats), training=luck, origin=f"measured {where}")


SEEDS_ASSUMED = "another seed assumed to change 0.015 IoU"
USUAL = Spread(
    unit=0.05**2,
    training=0.015**2,
    origin=f"two contenders assumed to differ by 0.05 IoU from tile to tile, {SEEDS_ASSUMED}",
)
"""What a sweep is planned by where nothing has been measured: standard deviations as docs/statistics.md states them."""


def smallest_seen(design: Design, spread: Spread) -> float | None:
    """Return the difference, in IoU, that is seen in ``SEEN`` of sweeps: the lower contender is called worse.

    Sweeps of such a design are simulated and judged as ``compare`` judges: all differences at once.

    Args:
        design: What is scored.
        spread: What differences vary by.

    Returns:
        None where no difference can be seen, however large: one training each on one split, or one scene.
    """
    units = round(design.units)
    folds = min(design.folds, units)
    if units < 2 or folds == 1 or (not folds and design.repeats < 2):
        return None
    contenders = min(design.contenders, MOST)
    studies = int(np.clip(CELLS / (contenders * units * design.repeats), 200, 2_000))
    random, shape = np.random.default_rng(0), (studies, contenders)
    layout = Layout(scenes=np.arange(units), folds=np.arange(units) % folds if folds else None)
    groups = np.zeros(units, dtype=np.int64) if layout.folds is None else layout.folds
    usual = random.normal(0.0, (spread.unit / 2) ** 0.5, (*shape, 1, units))
    luck = random.normal(0.0, spread.training**0.5, (*shape, design.repeats, max(1, folds)))[..., groups]
    scores = usual + luck
    means = scores.mean(axis=(2, 3))
    variation = Variation.of(list(np.moveaxis(scores, 1, 0)), layout)
    halves = variation.half_widths(np.zeros(studies, dtype=np.int64), pair_level(design.contenders))[:, 1]
    least = max(LEAST_LEAD, float(np.quantile(halves + means[:, 1] - means[:, 0], SEEN)))
    return least if least < 1.0 else None


@dataclass(frozen=True, kw_only=True)
class Power:
    """What a design can see, and what others could.

    Attributes:
        design: The present one.
        spread: What differences vary by.
        labelled: Units that train and val have together; 0 where folds make no sense.
    """

    design: Design
    spread: Spread
    labelled: float

    @cached_property
    def least(self) -> float | None:
        """The smallest difference that can be seen, in IoU; None where none can."""
        return smallest_seen(self.design, self.spread)

    @cached_property
    def wider(self) -> dict[str, tuple[Design, float]]:
        """Designs that see smaller ones, and which: ``folds`` of all labelled tiles, more ``repeats`` or ``tiles``."""
        design = self.design
        repeats = 2 * design.repeats if design.folds or design.repeats > 1 else 3
        asked = {"repeats": replace(design, repeats=repeats), "tiles": replace(design, units=2 * design.units)}
        if not design.folds and self.labelled >= 2:
            folds = replace(design, units=self.labelled, folds=int(min(5, self.labelled)), repeats=1)
            asked = {"folds": folds, **asked}
        found = {name: (one, smallest_seen(one, self.spread)) for name, one in asked.items()}
        most = self.least or 1.0
        return {name: (one, least) for name, (one, least) in found.items() if least is not None and least < most}
