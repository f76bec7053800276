"""``Strategy``: takes what is known of unlabelled windows, and chooses some of them, the best first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Pool:
    """What is known of N unlabelled windows, and of what is labelled already.

    Attributes:
        features: (N, D) float32: what an encoder makes of each, a point in its space.
        entropy: (N,) float32: the prediction's mean entropy per pixel, as a share of its largest value, in [0, 1].
        disagreement: (N,) float32: mean mutual information between a pixel's class and the model that is asked, in the
            same unit; zeros for a single model.
        shares: (N, C) float32: predicted share of each class, rows add up to 1.
        labelled_features: (L, D) float32 of the labelled tiles; L may be 0.
        labelled_shares: (L, C) float32 shares of the classes in their masks.

    Raises:
        ValueError: Numbers that do not belong together, or are not finite.
    """

    features: NDArray[np.float32]
    entropy: NDArray[np.float32]
    disagreement: NDArray[np.float32]
    shares: NDArray[np.float32]
    labelled_features: NDArray[np.float32]
    labelled_shares: NDArray[np.float32]

    def __post_init__(self) -> None:
        count = len(self.features)
        if not len(self.entropy) == len(self.disagreement) == len(self.shares) == count:
            raise ValueError("a pool needs as many features as scores")
        for one in vars(self).values():
            if not np.isfinite(one).all():
                raise ValueError("a pool holds a number that is not finite")

    def __len__(self) -> int:
        return len(self.features)

    def only(self, chosen: NDArray[np.int64]) -> Pool:
        """Return the pool with some of its windows."""
        return Pool(
            features=self.features[chosen],
            entropy=self.entropy[chosen],
            disagreement=self.disagreement[chosen],
            shares=self.shares[chosen],
            labelled_features=self.labelled_features,
            labelled_shares=self.labelled_shares,
        )

    @property
    def uncertainty(self) -> NDArray[np.float64]:
        """(N,) mean of the ranks by entropy and by disagreement, in [0, 1]; the ranks by entropy for a single model."""
        ranks = _ranks(self.entropy)
        return (ranks + _ranks(self.disagreement)) / 2 if self.disagreement.any() else ranks


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the place of each value among all, from 0 to 1; equal values share theirs."""
    from scipy.stats import rankdata

    found: NDArray[np.float64] = (rankdata(values) - 1) / max(1, len(values) - 1)
    return found


Choose = Callable[[Pool, int, np.random.Generator], NDArray[np.int64]]
"""Takes a pool, how many are wanted (from 1 to its size) and what decides among equals; gives (count,) different
indices, the one to label first first."""


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """A way to choose.

    Attributes:
        name: What ``--strategy`` calls it.
        about: What it looks for, in a line.
        needs_model: Whether it asks a model that was trained on what is labelled.
        choose: Does it.
    """

    name: str
    about: str
    needs_model: bool
    choose: Choose
