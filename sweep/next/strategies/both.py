"""``both``: diverse windows among the uncertain ones, so that they do not all ask the same question.

Source: Zhdanov 2019, "Diverse mini-batch Active Learning" (cluster the most uncertain ones).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sweep.next.strategies.diverse import choose_diverse
from sweep.next.strategies.strategy import Pool, Strategy

TIMES = 10
"""So many times the wanted number are looked at, or a tenth of all where that is more, and at most half of all."""


def _choose(pool: Pool, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    kept = max(count, min(max(TIMES * count, len(pool) // TIMES), -(-len(pool) // 2)))
    uncertain = np.sort(np.argsort(-pool.uncertainty, kind="stable")[:kept])
    found: NDArray[np.int64] = uncertain[choose_diverse(pool.only(uncertain), count, random)]
    return found


BOTH = Strategy(
    name="both", about="different kinds of windows among those that are uncertain", needs_model=True, choose=_choose
)
