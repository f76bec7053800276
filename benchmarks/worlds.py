"""Simulated studies whose truth is known: contenders, tiles, scenes, trainings and folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweep.results.layout import Floats, Layout

KINDS = ("alike", "skewed", "one in five hard", "scenes of 3 to 9")
"""How hard tiles are: all much the same; mostly easy; of two kinds; or by scene."""
MEANS = {"alike": 0.75, "skewed": 0.75, "one in five hard": 0.72, "scenes of 3 to 9": 0.75}
"""The mean over all tiles there are, of a contender whose merit is 0."""
MODEL_SPREAD, NOISE = 0.03, 0.02
"""Standard deviations in IoU: of a contender from tile to tile, and of a single score."""
HARD_SPREAD = 2.5
"""Times which contenders differ more on hard tiles."""
SCENE_SPREAD, WITHIN_SCENE, MODEL_BY_SCENE = 0.1, 0.05, 0.02
"""Standard deviations in IoU: of scenes, of tiles of one scene, and of a contender from scene to scene."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Contenders whose true order is known.

    Attributes:
        merits: Their true means less the usual one, in IoU.
        tiles: Val tiles; with folds, labelled tiles.
        trainings: Of each contender, on all train tiles or on each fold's.
        seeds: Standard deviation between trainings, in IoU: of all contenders, or of each.
        kind: One of ``KINDS``.
        folds: How many, at most as many as there are scenes; 0 for one split.
        balanced: Whether each fold gets its share of hard and of easy tiles, as well as that can be.
    """

    merits: tuple[float, ...]
    tiles: int
    trainings: int = 1
    seeds: float | tuple[float, ...] = 0.015
    kind: str = "skewed"
    folds: int = 0
    balanced: bool = False

    def layout(self, random: np.random.Generator) -> Layout:
        """Draw which tiles are of one scene and of one fold."""
        sizes = _scene_sizes(random, self.tiles) if self.kind == "scenes of 3 to 9" else [1] * self.tiles
        scenes = np.repeat(np.arange(len(sizes)), sizes)
        if not self.folds or len(sizes) < 2:
            return Layout(scenes=scenes, other_scenes=1)
        return Layout(scenes=scenes, folds=_folds(random, sizes, self.folds)[scenes], other_scenes=1)

    def draw(self, random: np.random.Generator, layout: Layout, merits: Floats) -> tuple[list[Floats], Floats]:
        """Draw every contender's scores.

        Args:
            random: What draws.
            layout: One of ``layout``.
            merits: (studies, contenders) true means less the usual one.

        Returns:
            (studies, trainings, tiles) each, and what the luck of its trainings adds to a mean, (studies, contenders).
        """
        studies, shape, scenes = len(merits), (len(merits), self.tiles), layout.scenes
        hard = np.zeros(shape, dtype=np.bool_)
        by_scene = np.zeros((studies, len(self.merits), self.tiles))
        if self.kind == "alike":
            difficulty = random.normal(0.75, 0.03, shape)
        elif self.kind == "skewed":
            difficulty = random.beta(6.0, 2.0, shape)
        elif self.kind == "one in five hard":
            hard = random.random(shape) < 0.2
            difficulty = np.where(hard, 0.4, 0.8) + random.uniform(-0.1, 0.1, shape)
        else:
            of_scenes = random.normal(0.0, 1.0, (studies, 1 + len(self.merits), scenes.max() + 1))[..., scenes]
            difficulty = 0.75 + SCENE_SPREAD * of_scenes[:, 0] + random.normal(0.0, WITHIN_SCENE, shape)
            by_scene = MODEL_BY_SCENE * of_scenes[:, 1:]
        if self.balanced and layout.folds is not None:
            difficulty = _balance(difficulty, layout.folds)
        groups = np.zeros(self.tiles, dtype=np.int64) if layout.folds is None else layout.folds
        seeds = np.broadcast_to(self.seeds, len(self.merits))
        found, lucks = [], []
        for number, spread in enumerate(seeds):
            of_tile = random.normal(0.0, MODEL_SPREAD, shape) * np.where(hard, HARD_SPREAD, 1.0)
            luck = random.normal(0.0, spread, (studies, self.trainings, groups.max() + 1))[..., groups]
            usual = difficulty + merits[:, number, None] + of_tile + by_scene[:, number]
            found.append(usual[:, None] + luck + random.normal(0.0, NOISE, luck.shape))
            lucks.append(luck.mean(axis=(1, 2)))
        return found, np.stack(lucks, axis=1)

    def __str__(self) -> str:
        trained = f"{self.folds} folds" if self.folds else f"x {self.trainings}"
        return f"{len(self.merits)} contenders, {self.tiles} tiles {trained}, seeds {self.seeds}, tiles {self.kind}"


def _scene_sizes(random: np.random.Generator, tiles: int) -> list[int]:
    """Draw scenes of 3 to 9 tiles each that have so many tiles together, at least 3."""
    sizes: list[int] = []
    while left := tiles - sum(sizes):
        sizes.append(int(random.choice([size for size in range(3, 10) if size == left or left - size >= 3])))
    return sizes


def _folds(random: np.random.Generator, sizes: Sequence[int], folds: int) -> NDArray[np.int64]:
    """Deal scenes into folds of much the same number of tiles, (scenes,)."""
    load, found = np.zeros(min(folds, len(sizes))), np.zeros(len(sizes), dtype=np.int64)
    for scene in sorted(random.permutation(len(sizes)), key=lambda one: -sizes[one]):
        found[scene] = load.argmin()
        load[found[scene]] += sizes[scene]
    return found


def _balance(difficulty: Floats, folds: NDArray[np.int64]) -> Floats:
    """Deal tiles by difficulty to the folds in turn, to and fro."""
    rounds = np.zeros(len(folds), dtype=np.int64)
    for fold in np.unique(folds):
        rounds[folds == fold] = np.arange((folds == fold).sum())
    number = folds.max() + 1
    turn = rounds * number + np.where(rounds % 2, number - 1 - folds, folds)
    return np.asarray(np.sort(difficulty, axis=-1)[:, turn.argsort().argsort()])
