"""Batches of augmented views, each a pure function of (seed, epoch, draw index)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.augment.device import augment_batch
from trainables.augment.host import augment
from trainables.augment.parameters import Sampler, ViewParameters
from trainables.data.crops import pad
from trainables.data.tiles import Tile
from trainables.recipe import Recipe

CPU = torch.device("cpu")
View = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch before it is on the training's device.

    Attributes:
        images: (B, C, S, S) uint8 in channels-last memory, on the CPU; of views that trainings share, on the device.
        masks: (B, 1, S, S) uint8, where the images are.
        augmentations: What is still to be done to each view, on the device; empty where it was done on the CPU.
        colours: Whether the first three bands are red, green and blue.
        features: What a fixed encoder made of the images, each (B, D, h, w) on the device; empty where nobody asked it.
    """

    images: Tensor
    masks: Tensor
    augmentations: tuple[ViewParameters, ...] = ()
    colours: bool = True
    features: tuple[Tensor, ...] = ()

    def to(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return images and masks on a device, augmented, both uint8; a GPU is not waited for."""
        images = self.images.to(device, non_blocking=True)
        masks = self.masks.to(device, non_blocking=True)
        if not self.augmentations:
            return images, masks
        return augment_batch(images, masks, self.augmentations, colours=self.colours)


def batch_sizes(draws: int, batch_size: int) -> list[int]:
    """Split an epoch's draws into batches of nearly equal size.

    Sizes differ by at most one, and no batch holds a single draw: DeepLabV3+'s pooled branch is 1x1, where
    BatchNorm has no statistics over one sample. To that end a batch may hold one draw more than asked.

    Args:
        draws: Sample draws per epoch, at least 2.
        batch_size: The size aimed at, at least 2.

    Returns:
        The sizes, summing to ``draws``.
    """
    steps = -(-draws // batch_size)
    if draws // steps < 2:
        steps = draws // 2
    return [draws // steps + (step < draws % steps) for step in range(steps)]


def views_repeat(tiles: Sequence[Tile], recipe: Recipe) -> bool:
    """Tell whether the same few views come again and again: the eight symmetries of whole tiles."""
    whole = all(max(tile.mask.shape) <= recipe.crop_size for tile in tiles)
    return whole and recipe.augmentation == "LIGHT"


class Batches:
    """The views of a training, batch by batch, prepared ahead by a few threads.

    numpy and OpenCV release the interpreter lock, so threads suffice and nothing is copied between processes. A GPU
    augments the views itself: what is done to each is drawn here either way, so the views are the same up to rounding.

    Args:
        tiles: The train tiles that the trial may see.
        recipe: Uses ``augmentation``, ``crop_size``, ``draws_per_epoch``, ``batch_size`` and ``seed``.
        device: Where the views are augmented: the CPU, or the GPU that trains on them.
        workers: Threads, at least 1. Their number does not change the views.
        colours: Whether the tiles' first three bands are red, green and blue, on which alone what is about colour acts.
    """

    def __init__(
        self,
        tiles: Sequence[Tile],
        recipe: Recipe,
        device: torch.device = CPU,
        *,
        workers: int = 2,
        colours: bool = True,
    ) -> None:
        self._tiles = tiles
        self._colours = colours
        self._recipe = recipe
        self._on_device = device.type == "cuda"
        self._workers = workers
        self._local = threading.local()

    def choose(self, epoch: int, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], ViewParameters]:
        """Choose one sample draw, and what is to be done to it.

        Args:
            epoch: From 1.
            index: Position in the epoch, from 0.

        Returns:
            (S, S, C) and (S, S) uint8 of a tile, S the crop size, and the augmentation's parameters. Where the tile is
            smaller it is padded, with 255 in the mask.
        """
        random, tile = self._begin(epoch, index)
        height, width = tile.mask.shape
        crop = self._recipe.crop_size
        top, left = (int(random.integers(max(0, side - crop) + 1)) for side in (height, width))
        window = (slice(top, top + crop), slice(left, left + crop))
        if not hasattr(self._local, "sampler"):
            self._local.sampler = Sampler(self._recipe.augmentation)  # it holds random state: one a thread
        parameters = self._local.sampler(int(random.integers(2**31)), crop)
        return *pad(tile.image[window], tile.mask[window], crop), parameters

    def _begin(self, epoch: int, index: int) -> tuple[np.random.Generator, Tile]:
        random = np.random.default_rng([self._recipe.seed, epoch, index])
        return random, self._tiles[int(random.integers(len(self._tiles)))]

    def tile_of(self, epoch: int, index: int) -> str:
        """Return the name of the tile that a sample draw shows."""
        return self._begin(epoch, index)[1].name

    def draw(self, epoch: int, index: int) -> View:
        """Make one sample draw on the CPU.

        Args:
            epoch: From 1.
            index: Position in the epoch, from 0.

        Returns:
            (S, S, C) and (S, S) uint8, S the crop size.
        """
        return augment(*self.choose(epoch, index), colours=self._colours)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch in order.

        Args:
            epoch: From 1.
        """
        indices = iter(range(self._recipe.draws_per_epoch))
        sizes = batch_sizes(self._recipe.draws_per_epoch, self._recipe.batch_size)
        yield from self.of(epoch, [list(islice(indices, size)) for size in sizes])

    def of(self, epoch: int, groups: Iterable[Sequence[int]]) -> Iterator[Batch]:
        """Yield batches of chosen sample draws in order.

        Args:
            epoch: From 1.
            groups: The indices of each batch's draws, at least one.
        """
        waiting = deque(groups)
        ready: deque[Future[Batch]] = deque()
        with (
            ThreadPoolExecutor(self._workers, thread_name_prefix="draws") as views,
            ThreadPoolExecutor(1, thread_name_prefix="batches") as batches,
        ):
            while waiting or ready:
                while waiting and len(ready) < 2:  # the batch in use and the next one
                    drawn = [views.submit(self._prepare, epoch, index) for index in waiting.popleft()]
                    ready.append(batches.submit(self._collate, drawn))
                yield ready.popleft().result()

    def _prepare(self, epoch: int, index: int) -> tuple[View, ViewParameters | None]:
        if not self._on_device:
            return self.draw(epoch, index), None
        image, mask, parameters = self.choose(epoch, index)
        return (image, mask), parameters

    def _collate(self, drawn: Sequence[Future[tuple[View, ViewParameters | None]]]) -> Batch:
        done = [future.result() for future in drawn]
        images = torch.from_numpy(np.stack([image for (image, _), _ in done])).permute(0, 3, 1, 2)
        masks = torch.from_numpy(np.stack([mask for (_, mask), _ in done])).unsqueeze(1)
        if self._on_device:
            images, masks = images.pin_memory(), masks.pin_memory()
        todo = tuple(parameters for _, parameters in done if parameters is not None)
        return Batch(images=images, masks=masks, augmentations=todo, colours=self._colours)
