"""``diverse``: typical windows of kinds that no labelled tile shows yet.

Points in the encoder's space are divided into as many clusters as there will be labelled tiles. Of the clusters with
the fewest labelled tiles, the largest first, the most typical window is taken: the one whose neighbours are nearest.
With few labels that is better than what is farthest from everything, which is mostly an oddity.

Source: Hacohen, Dekel and Weinshall 2022, "Active Learning on a Budget: Opposite Strategies Suit High and Low Budgets"
(TypiClust).
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from sweep.next.strategies.strategy import Pool, Strategy

DIMENSIONS = 32
"""Principal components in which points are compared."""
NEIGHBOURS = 20
"""By whose mean distance a window is typical."""
MOST_CLUSTERS = 200
ITERATIONS = 20


def choose_diverse(pool: Pool, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Choose as the module says; see ``Choose``."""
    points = _reduced(np.concatenate([pool.features, pool.labelled_features]))
    own, labelled = points[: len(pool)], points[len(pool) :]
    kinds = len(np.unique(points.round(6), axis=0))
    clusters = min(MOST_CLUSTERS, len(labelled) + count, kinds)
    cluster = _clusters(points, clusters, random)
    covered = np.bincount(cluster[len(own) :], minlength=clusters)
    mine = cluster[: len(own)]
    typical = {one: _by_typicality(own, np.flatnonzero(mine == one)) for one in np.unique(mine).tolist()}
    chosen: list[int] = []
    while len(chosen) < count:
        one = min(typical, key=lambda name: (covered[name], -len(typical[name]), name))
        chosen.append(typical[one].pop(0))
        covered[one] += 1
        if not typical[one]:
            del typical[one]
    return np.array(chosen, np.int64)


def _reduced(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return standardised points along their main directions, (N, d)."""
    spread = points.std(axis=0, dtype=np.float64)
    centred = (points - points.mean(axis=0, dtype=np.float64)) / np.where(spread > 1e-9, spread, 1.0)
    values, directions = np.linalg.eigh(centred.T @ centred)
    kept: NDArray[np.float64] = centred @ directions[:, np.argsort(-values)[:DIMENSIONS]]
    return kept


def _clusters(points: NDArray[np.float64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return each point's cluster, by k-means."""
    from scipy.cluster.vq import kmeans2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a cluster may be left empty
        _, labels = kmeans2(points, count, iter=ITERATIONS, minit="++", rng=random)
    return np.asarray(labels, np.int64)


def _by_typicality(points: NDArray[np.float64], members: NDArray[np.int64]) -> list[int]:
    """Return members of a cluster, the one with the nearest neighbours first."""
    from scipy.spatial import cKDTree

    neighbours = min(NEIGHBOURS, len(members) - 1)
    if not neighbours:
        return [int(one) for one in members]
    found, _ = cKDTree(points[members]).query(points[members], k=neighbours + 1)
    distances = np.asarray(found)
    return [int(one) for one in members[np.argsort(distances[:, 1:].mean(axis=1), kind="stable")]]


DIVERSE = Strategy(
    name="diverse",
    about="typical windows of kinds that are not labelled yet",
    needs_model=False,
    choose=choose_diverse,
)
