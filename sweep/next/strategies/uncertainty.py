"""``uncertainty``: where the model's probabilities say little, or its folds disagree.

Source: Settles 2009, "Active Learning Literature Survey" (entropy); Houlsby et al. 2011, "Bayesian Active Learning for
Classification and Preference Learning" (mutual information between a prediction and the model).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sweep.next.strategies.strategy import Pool, Strategy


def _choose(pool: Pool, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    order = random.permutation(len(pool))  # decides among equals
    return order[np.argsort(-pool.uncertainty[order], kind="stable")][:count].astype(np.int64)


UNCERTAINTY = Strategy(
    name="uncertainty", about="where the model is least sure, or its folds disagree", needs_model=True, choose=_choose
)
