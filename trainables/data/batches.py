"""Batches of augmented views, each a pure function of (seed, epoch, draw index)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.data.augment import Augmentation
from trainables.data.tiles import Tile
from trainables.recipe import Recipe

View = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def batch_sizes(draws: int, batch_size: int) -> list[int]:
    """Split an epoch's draws into batches of nearly equal size.

    Sizes differ by at most one, and no batch holds a single draw: DeepLabV3+'s pooled branch is 1x1, where
    BatchNorm has no statistics over one sample. To that end a batch may hold one draw more than asked.

    Args:
        draws: Sample draws an epoch, at least 2.
        batch_size: The size aimed at, at least 2.

    Returns:
        The sizes, summing to ``draws``.
    """
    steps = -(-draws // batch_size)
    if draws // steps < 2:
        steps = draws // 2
    return [draws // steps + (step < draws % steps) for step in range(steps)]


class Batches:
    """The augmented views of a training, batch by batch, prepared ahead by a few threads.

    numpy and OpenCV release the interpreter lock, so threads suffice and nothing is copied between processes.

    Args:
        tiles: The train tiles that the trial may see.
        recipe: Uses ``augmentation``, ``crop_size``, ``draws_per_epoch``, ``batch_size`` and ``seed``.
        workers: Threads, at least 1. Their number does not change the views.
    """

    def __init__(self, tiles: Sequence[Tile], recipe: Recipe, *, workers: int = 2) -> None:
        self._tiles = tiles
        self._recipe = recipe
        self._workers = workers
        self._local = threading.local()
        # Views of one batch share a shape: no view is larger than the smallest tile.
        self._crop = min([recipe.crop_size, *(side for tile in tiles for side in tile.mask.shape)])

    def draw(self, epoch: int, index: int) -> View:
        """Make one sample draw.

        Args:
            epoch: From 1.
            index: Position in the epoch, from 0.

        Returns:
            (S, S, 3) and (S, S) uint8, S the crop size.
        """
        random = np.random.default_rng([self._recipe.seed, epoch, index])
        tile = self._tiles[int(random.integers(len(self._tiles)))]
        height, width = tile.mask.shape
        top = int(random.integers(height - self._crop + 1))
        left = int(random.integers(width - self._crop + 1))
        window = (slice(top, top + self._crop), slice(left, left + self._crop))
        if not hasattr(self._local, "augmentation"):
            self._local.augmentation = Augmentation(self._recipe.augmentation)
        image, mask = self._local.augmentation(tile.image[window], tile.mask[window], int(random.integers(2**31)))
        return image, mask

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch in order.

        Args:
            epoch: From 1.

        Yields:
            Images (B, 3, S, S) uint8 in channels-last memory and masks (B, 1, S, S) uint8, on the CPU.
        """
        sizes = deque(batch_sizes(self._recipe.draws_per_epoch, self._recipe.batch_size))
        ready: deque[list[Future[View]]] = deque()
        index = 0
        with ThreadPoolExecutor(self._workers, thread_name_prefix="draws") as pool:
            while sizes or ready:
                while sizes and len(ready) < 2:  # the batch in use and the next one
                    size = sizes.popleft()
                    ready.append([pool.submit(self.draw, epoch, index + offset) for offset in range(size)])
                    index += size
                views = [future.result() for future in ready.popleft()]
                images = torch.from_numpy(np.stack([image for image, _ in views])).permute(0, 3, 1, 2)
                masks = torch.from_numpy(np.stack([mask for _, mask in views])).unsqueeze(1)
                yield images, masks
