"""Which tiles belong together: those of a scene look alike, and those of a fold were scored by the same training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Scores = NDArray[np.float64]
"""(trainings, tiles), each in [0, 1]; with folds, a row is a repeat: every tile scored by its fold's training."""
Labels = NDArray[np.int64]
"""(tiles,) numbers of scenes or folds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """Which tiles belong together, in the order of the scores' columns.

    Attributes:
        scenes: (tiles,) the same number for tiles of one scene.
        folds: (tiles,) the same number for tiles that one training scored; None where each training scored all.
        other_scenes: How many other scenes there are among the labelled tiles.
    """

    scenes: Labels
    folds: Labels | None = None
    other_scenes: int = 0

    @classmethod
    def apart(cls, tiles: int) -> Layout:
        """Return that of so many tiles, each a scene of its own, without folds."""
        return cls(scenes=np.arange(tiles))

    @classmethod
    def of(cls, scenes: Sequence[str], folds: Sequence[int | None] | None = None, *, other_scenes: int = 0) -> Layout:
        """Number the scenes and folds of tiles.

        Raises:
            ValueError: Some tiles have a fold and some have none.
        """
        known = [fold for fold in folds or () if fold is not None]
        if known and len(known) < len(scenes):
            raise ValueError(f"{len(scenes) - len(known)} of {len(scenes)} tiles have no fold")
        numbers = np.unique(scenes, return_inverse=True)[1]
        return cls(scenes=numbers, folds=np.asarray(known) if known else None, other_scenes=other_scenes)

    @property
    def tiles(self) -> int:
        """How many tiles there are."""
        return len(self.scenes)

    @cached_property
    def number_of_scenes(self) -> int:
        """How many scenes the tiles show."""
        return len(np.unique(self.scenes))

    @cached_property
    def number_of_folds(self) -> int:
        """How many folds there are; 0 without folds."""
        return 0 if self.folds is None else len(np.unique(self.folds))

    @cached_property
    def units(self) -> tuple[Grouping, ...]:
        """What was drawn at random: scenes (tiles where there is one scene in all), then folds, if there are any."""
        alone = self.number_of_scenes == 1 and not self.other_scenes
        found = [Grouping.of(np.arange(self.tiles) if alone else self.scenes)]
        return (*found, Grouping.of(self.folds)) if self.folds is not None else tuple(found)


@dataclass(frozen=True, kw_only=True, eq=False)
class Grouping:
    """Tiles in groups that are drawn at random, whole.

    Attributes:
        averaging: (tiles, groups) what makes means of groups out of tiles.
        weights: (groups,) their shares of the tiles, which sum to 1.
    """

    averaging: Floats
    weights: Floats

    @classmethod
    def of(cls, labels: Labels) -> Grouping:
        """Group tiles with the same number."""
        _, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
        belongs = (place[:, None] == np.arange(len(counts))).astype(np.float64)
        return cls(averaging=belongs / counts, weights=counts / len(labels))

    @property
    def known(self) -> bool:
        """Whether there are several groups, so that something can be known of others."""
        return len(self.weights) > 1

    @property
    def effective(self) -> float:
        """How many groups of equal size would say as much."""
        return round(float(1.0 / (self.weights**2).sum()), 6)

    @cached_property
    def freedom(self) -> float:
        """Degrees of freedom of ``deviations``; the number of groups less 1 where they are of equal size.

        By Bell and McCaffrey (2002, "Bias reduction in standard errors for linear regression with multi-stage
        samples"), for tiles of a group that are the same or that have nothing in common, whichever gives fewer.
        """
        size, weights = len(self.weights), self.weights
        scaled = (np.eye(size) - weights) * (weights / np.sqrt(1.0 - weights))[:, None]
        found = []
        for variances in (np.ones(size), 1.0 / weights):
            matrix = scaled * variances @ scaled.T
            found.append(float(np.trace(matrix) ** 2 / np.trace(matrix @ matrix)))
        return min(found)

    def deviations(self, by_tile: Floats) -> Floats:
        """Return what groups differ by from the mean over tiles: the sum of squares is the variance of that mean.

        This is the variance that is robust to what tiles of a group have in common, unbiased where they have nothing
        in common (CR2 of Bell and McCaffrey; Imbens and Kolesar, 2016, "Robust standard errors in small samples").

        Args:
            by_tile: (..., tiles).

        Returns:
            (..., groups).
        """
        means = by_tile @ self.averaging
        centre = (means * self.weights).sum(axis=-1, keepdims=True)
        return np.asarray((means - centre) * self.weights / np.sqrt(1.0 - self.weights))
