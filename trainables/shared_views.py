"""Views that several trainings share: made and encoded once, and seen by each training whose tile they show."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from trainables.data.batches import CPU, Batch, Batches, batch_sizes, views_repeat
from trainables.data.tiles import Tile
from trainables.fixed_encoder import FixedEncoder
from trainables.recipe import Recipe

View = tuple[Tensor, Tensor, list[Tensor]]
"""(3, S, S) image, (1, S, S) mask, and (C, h, w) features."""


@dataclass(frozen=True, kw_only=True)
class SharedBatch:
    """The next step of one of the trainings.

    Attributes:
        training: Its number, from 0.
        batch: On the device, with features.
        waited: Seconds for which views were waited for.
        encoding: Seconds in which views were encoded that no step has had before.
    """

    training: int
    batch: Batch
    waited: float
    encoding: float


class SharedViews:
    """The steps of several trainings whose decoders read one fixed encoder.

    There is one sequence of sample draws from all tiles, each a pure function of (seed, epoch, index). A training takes
    the first ``draws_per_epoch`` of them that show a tile of its own, so its draws are distributed as if they were made
    from its tiles alone; but a draw that several trainings take is one view, which is augmented and encoded once. With
    K equal folds K/(K-1) times as many views as those of a single training are needed, instead of K times as many.

    Steps come in the order in which the sequence completes their batches, so a view is held for a few steps only.

    Args:
        tiles: The train tiles of all trainings.
        own: Names of the tiles that each training sees.
        recipe: Uses what ``Batches`` does.
        device: Where the trainings are.
        encoder: Theirs.
        colours: Whether the tiles' first three bands are red, green and blue.
        workers: Threads that prepare views, at least 1.
    """

    def __init__(
        self,
        tiles: Sequence[Tile],
        own: Sequence[Collection[str]],
        recipe: Recipe,
        device: torch.device,
        encoder: FixedEncoder,
        *,
        colours: bool = True,
        workers: int,
    ) -> None:
        seen = frozenset[str]().union(*own)
        tiles = [tile for tile in tiles if tile.name in seen]
        self._own = [frozenset(names) for names in own]
        self._recipe = recipe
        self._device = device
        # Kept features are found by the pixels of a view, which therefore is made on the CPU.
        kept = encoder.keeps and views_repeat(tiles, recipe)
        self._encode = encoder.encode_kept if kept else encoder.encode
        self._kept = kept
        self._batches = Batches(tiles, recipe, CPU if kept else device, workers=workers, colours=colours)

    def draws(self, epoch: int) -> list[list[int]]:
        """Return the indices of each training's draws in an epoch."""
        found: list[list[int]] = [[] for _ in self._own]
        wanted, index = self._recipe.draws_per_epoch, 0
        while any(len(one) < wanted for one in found):
            tile = self._batches.tile_of(epoch, index)
            for one, own in zip(found, self._own, strict=True):
                if tile in own and len(one) < wanted:
                    one.append(index)
            index += 1
        return found

    def epoch(self, epoch: int) -> Iterator[SharedBatch]:
        """Yield the steps of all trainings in an epoch, each training's in order.

        Args:
            epoch: From 1.
        """
        steps = sorted(self._steps(epoch), key=lambda step: (step[1][-1], step[0]))
        uses = Counter(index for _, indices in steps for index in indices)
        fresh = _first_seen([indices for _, indices in steps])
        prepared = self._batches.of(epoch, filter(None, fresh))
        views: dict[int, View] = {}
        for (training, indices), new in zip(steps, fresh, strict=True):
            asked = ready = time.perf_counter()
            if new:
                batch = next(prepared)
                ready = time.perf_counter()
                views |= zip(new, self._views(batch), strict=True)
            encoding = time.perf_counter() - ready
            yield SharedBatch(
                training=training,
                batch=_together([views[index] for index in indices]),
                waited=ready - asked,
                encoding=encoding,
            )
            uses.subtract(indices)
            for index in indices:
                if not uses[index]:
                    del views[index]

    def _steps(self, epoch: int) -> Iterator[tuple[int, list[int]]]:
        sizes = batch_sizes(self._recipe.draws_per_epoch, self._recipe.batch_size)
        for training, drawn in enumerate(self.draws(epoch)):
            indices = iter(drawn)
            for size in sizes:
                yield training, list(islice(indices, size))

    def _views(self, batch: Batch) -> Iterator[View]:
        images, masks = batch.to(self._device)
        features = self._encode(batch.images if self._kept else images)
        for image, mask, *parts in zip(images, masks, *features, strict=True):
            yield image, mask, parts


def _first_seen(groups: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return of each group what no group before it has."""
    seen: set[int] = set()
    found = []
    for group in groups:
        found.append([one for one in group if one not in seen])
        seen.update(group)
    return found


def _together(views: Sequence[View]) -> Batch:
    images, masks, features = zip(*views, strict=True)
    return Batch(
        images=torch.stack(images).contiguous(memory_format=torch.channels_last),
        masks=torch.stack(masks),
        features=tuple(torch.stack(parts) for parts in zip(*features, strict=True)),
    )
