"""Views of unlabelled images: each a weak one, and what makes a strong one of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from trainables.augment.parameters import Sampler, ViewParameters
from trainables.data.batches import CPU, Batch, Batches
from trainables.data.tiles import Tile
from trainables.recipe import Recipe

STREAM = 2**31
"""Tells the seed of unlabelled draws from that of labelled ones, and from those of folds."""
STRONG = 1


@dataclass(frozen=True, kw_only=True)
class UnlabelledBatch:
    """A batch of unlabelled views.

    Attributes:
        weak: The weak views; their masks are 0, and 255 where there is no image.
        strong: What makes a strong view of each.
    """

    weak: Batch
    strong: tuple[ViewParameters, ...]


class UnlabelledViews:
    """The unlabelled views of a training: as many batches per epoch as it has labelled ones, of the same sizes.

    Each is a function of (seed, epoch, draw index) alone, as labelled ones are.

    Args:
        tiles: Windows of the images.
        recipe: Uses what ``Batches`` does, and the presets of weak and strong views.
        seed: Of the training.
        device: Where the views are augmented.
        workers: Threads that prepare them, at least 1.
        colours: Whether the first three bands are red, green and blue.
    """

    def __init__(
        self,
        tiles: Sequence[Tile],
        recipe: Recipe,
        seed: int,
        device: torch.device = CPU,
        *,
        workers: int = 2,
        colours: bool = True,
    ) -> None:
        self._seed = int(np.random.SeedSequence([seed, STREAM]).generate_state(1)[0])
        self._crop = recipe.crop_size
        self._sampler = Sampler(recipe.strong_augmentation)
        weak = recipe.replace(augmentation=recipe.weak_augmentation, seed=self._seed)
        self._batches = Batches(tiles, weak, device, workers=workers, colours=colours)

    def epoch(self, epoch: int) -> Iterator[UnlabelledBatch]:
        """Yield the batches of an epoch in order.

        Args:
            epoch: From 1.
        """
        first = 0
        for weak in self._batches.epoch(epoch):
            indices = range(first, first + len(weak.images))
            yield UnlabelledBatch(weak=weak, strong=tuple(self._strong(epoch, index) for index in indices))
            first = indices.stop

    def _strong(self, epoch: int, index: int) -> ViewParameters:
        random = np.random.default_rng([self._seed, epoch, index, STRONG])
        return self._sampler(int(random.integers(2**31)), self._crop)
