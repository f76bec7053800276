"""``random``: what every other strategy is measured against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sweep.next.strategies.strategy import Pool, Strategy


def _choose(pool: Pool, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    return random.permutation(len(pool))[:count].astype(np.int64)


RANDOM = Strategy(name="random", about="by chance", needs_model=False, choose=_choose)
