"""``rare``: what promises most of the classes of which least is labelled.

A window's gain is the sum over classes of log((n + m) / n): n is how much of a class is labelled, m how much of it the
model expects in the window. Each chosen window counts as labelled for the next one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sweep.next.strategies.strategy import Pool, Strategy

LEAST = 0.01
"""Tiles of a class that count as labelled where there are none."""


def _choose(pool: Pool, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    labelled = pool.labelled_shares.sum(axis=0, dtype=np.float64) + LEAST
    order = random.permutation(len(pool))  # decides among equals
    expected = pool.shares[order].astype(np.float64)
    left = np.ones(len(pool), bool)
    chosen = []
    for _ in range(count):
        gain = np.where(left, np.log1p(expected / labelled).sum(axis=1), -np.inf)
        best = int(gain.argmax())
        chosen.append(best)
        left[best] = False
        labelled = labelled + expected[best]
    return order[chosen].astype(np.int64)


RARE = Strategy(
    name="rare", about="where most of the classes is expected that are labelled least", needs_model=True, choose=_choose
)
