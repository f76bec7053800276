"""How probable it is that a contender is the best one, allowing for that all may be equally good."""

from __future__ import annotations

import numpy as np
from scipy import linalg, stats

from sweep.results.layout import Floats

DRAWS = 10_000
SHARES = (np.arange(40) + 0.5) / 40
"""Shares of the variance of differences that may be luck; beforehand a share is as likely as it is large."""
SCALES = (np.arange(15) + 0.5) / 15
"""Quantiles of how far a measured variance may be from the true one."""


def probabilities_best(means: Floats, covariance: Floats, freedom: float, draws: int = DRAWS) -> Floats:
    """Draw true means that could have given these, and count who is first.

    True means are taken to be normal around one that is common to all, by a spread that is not known: one that leads by
    no more than luck explains is pulled back to the others, and the more contenders there are, the more one of them
    leads by luck. The spread comes from the share that luck has in what differs (Daniels, 1999, "A prior for the
    variance in hierarchical models"), of which large ones are held likelier here, so that little is said of equals.

    Args:
        means: (contenders,), two at least.
        covariance: (contenders, contenders) of the means; only that of their differences counts.
        freedom: Its degrees of freedom.
        draws: How many.

    Returns:
        (contenders,) shares that sum to 1.
    """
    random = np.random.default_rng(0)
    contrasts = linalg.helmert(len(means))
    variances, axes = np.linalg.eigh(contrasts @ covariance @ contrasts.T)
    basis = axes.T @ contrasts  # (contenders - 1, contenders)
    variances, differences = np.maximum(variances, 1e-12), basis @ means
    scale = freedom / stats.chi2.ppf(SCALES, freedom)
    luck = scale[:, None, None] * variances  # (scales, 1, contrasts)
    spread = variances.mean() * scale[:, None] * (1.0 - SHARES) / SHARES  # (scales, shares)
    total = luck + spread[..., None]
    logs = np.log(SHARES) - 0.5 * (np.log(total) + differences**2 / total).sum(axis=-1)
    weights = np.exp(logs - logs.max()).ravel()
    chosen = random.choice(weights.size, draws, p=weights / weights.sum())
    kept = (spread[..., None] / total).reshape(-1, len(variances))[chosen]
    noise = np.broadcast_to(luck, total.shape).reshape(-1, len(variances))[chosen]
    # Drawn for contenders and then turned: which sign an axis has differs between processors, the result must not.
    unit = random.normal(size=(draws, len(means))) @ basis.T
    drawn = (kept * differences + np.sqrt(kept * noise) * unit) @ basis
    return np.asarray(np.bincount(drawn.argmax(axis=1), minlength=len(means)) / draws)
