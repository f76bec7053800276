"""Pixels of the train tiles with their features, of which a probe is fitted."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.folds import split_folds
from trainables.data.scenes import guess_scenes
from trainables.data.tiles import Tile
from trainables.task import IGNORE_INDEX, Task
from trainables.windows import Side, cut_windows

MOST_NUMBERS = 2**24
"""Features of all pixels together, 64 MiB in float32: on 36 real tiles four times as many pixels gave the same IoU."""
LEAST_PIXELS = 2**14
"""That are drawn in all, however many features a pixel has."""
MOST_GROUPS = 5
"""Groups of scenes of which each is left out once."""
BANDS = 4
"""Horizontal bands of a single tile, each a group."""

Levels = Callable[[Tensor], Sequence[Tensor]]
"""Maps a (1, N, S, S) uint8 window on the CPU to maps of features, (1, C, h, w) each, the finest first."""


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Pixels that stand for all labelled pixels of some windows.

    Attributes:
        features: (n, D) float32: each pixel's features of all levels, interpolated to full resolution.
        classes: (n,) int64 true classes.
        weights: (n,) float32: for how many pixels each stands, at least 1.
        groups: (n,) int64 number of each pixel's group; groups are left out one by one.
        grouped_by: What a group is made of, for people: ``scenes``, ``tiles`` or ``parts of the only tile``.
    """

    features: Tensor
    classes: Tensor
    weights: Tensor
    groups: Tensor
    grouped_by: str

    @property
    def number_of_groups(self) -> int:
        """How many groups there are."""
        return int(self.groups.max()) + 1

    @cached_property
    def statistics(self) -> tuple[Tensor, Tensor]:
        """(D,) mean and (D,) standard deviation, at least 1e-6, of each feature over all that the pixels stand for."""
        total = self.weights.sum()
        mean = (self.weights @ self.features) / total
        spread = ((self.weights @ (self.features - mean).square()) / total).sqrt().clamp(min=1e-6)
        return mean, spread


def draw_samples(
    tiles: Sequence[Tile],
    scenes: Mapping[str, str],
    task: Task,
    levels: Levels,
    *,
    window: int,
    windows: int,
    seed: int,
) -> Samples:
    """Draw pixels of train tiles, of each class in a window as many as there is room for.

    Of a class that is rare in a window all pixels are taken; weights make up for that.

    Args:
        tiles: Train tiles; some pixel of each counts.
        scenes: Tile name to scene, where it is known.
        task: What the masks mean.
        levels: Makes the features.
        window: Side of a window in pixels, a multiple of 32.
        windows: Most windows that are looked at, at least 1 per tile: those of all tiles in turn.
        seed: Decides which windows and pixels.

    Returns:
        On the device of the features.
    """
    chosen = _choose(tiles, window, max(windows, len(tiles)), seed)
    generator = torch.Generator().manual_seed(seed)
    groups, grouped_by = _groups(tiles, scenes, task, seed)
    found: list[tuple[Tensor, ...]] = []
    for tile, number in chosen:
        image, mask = (next(islice(part, number, None)) for part in _windows(tile, window))
        maps = levels(image[None])
        most = max(LEAST_PIXELS, MOST_NUMBERS // sum(level.shape[1] for level in maps)) // len(chosen) + 1
        places, weights = _draw(mask[0], most, generator)
        rows = places // mask.shape[2]
        group = torch.full_like(places, groups[tile.name]) if groups else rows * BANDS // mask.shape[1]
        features = at_places(maps, places, mask.shape[1:])
        device = features.device
        classes = mask.flatten()[places].long()
        found.append((features, *(value.to(device) for value in (classes, weights, group))))
    features, classes, weights, group = (torch.cat(parts) for parts in zip(*found, strict=True))
    _, group = torch.unique(group, return_inverse=True)  # a group of which no pixel was drawn is none
    return Samples(
        features=features,
        classes=classes,
        weights=weights,
        groups=group,
        grouped_by=grouped_by,
    )


def at_places(maps: Sequence[Tensor], places: Tensor, shape: Sequence[int]) -> Tensor:
    """Return what bilinear interpolation of feature maps to full resolution has at some pixels.

    Args:
        maps: (1, C, h, w) each, of an image of ``shape``.
        places: (n,) numbers of pixels, row by row.
        shape: Height and width of the image in pixels.

    Returns:
        (n, D) float32, all maps' features one after the other.
    """
    height, width = shape
    rows, columns = (places // width).float(), (places % width).float()
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1)[None, None]
    parts = [
        F.grid_sample(one.float(), grid.to(one.device), mode="bilinear", padding_mode="border", align_corners=False)
        for one in maps
    ]
    return torch.cat([part[0, :, 0] for part in parts]).T.contiguous()


def _windows(tile: Tile, window: int) -> tuple[Iterator[Tensor], Iterator[Tensor]]:
    """Return a tile's windows, (N, S, S) each, and their masks, (1, S, S); pixels beyond the tile do not count."""
    image, mask = torch.tensor(tile.image).permute(2, 0, 1), torch.tensor(tile.mask)
    rows, columns = (Side.of(length, window) for length in tile.shape)
    down, right = (side.starts[-1] + side.window - side.length for side in (rows, columns))
    padded = F.pad(mask, (0, right, 0, down), value=IGNORE_INDEX)
    return cut_windows(image, rows, columns), cut_windows(padded[None], *(Side.of(one, window) for one in padded.shape))


def _choose(tiles: Sequence[Tile], window: int, most: int, seed: int) -> list[tuple[Tile, int]]:
    """Return windows in which a pixel counts, by tile and number, of each tile in turn until there are enough.

    In what order those of a tile come does not depend on the others, so that features are kept for other budgets.
    """
    queues: list[list[tuple[Tile, int]]] = []
    for tile in tiles:
        _, masks = _windows(tile, window)
        found = [(tile, number) for number, mask in enumerate(masks) if bool((mask != IGNORE_INDEX).any())]
        random = np.random.default_rng([seed, zlib.crc32(tile.name.encode())])
        queues.append([found[place] for place in random.permutation(len(found))])
    chosen: list[tuple[Tile, int]] = []
    for turn in range(max(map(len, queues))):
        chosen += [queue[turn] for queue in queues if turn < len(queue)][: most - len(chosen)]
    return chosen


def _draw(mask: Tensor, most: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw pixels that count: half of them in proportion, the others the same number of each class.

    Returns:
        (n,) numbers of pixels and the (n,) float32 pixels that each stands for.
    """
    flat = mask.flatten()
    present = torch.unique(flat[flat != IGNORE_INDEX])
    counted = int((flat != IGNORE_INDEX).sum())
    places, weights = [], []
    for number in present:
        own = (flat == number).nonzero().flatten()
        wanted = most * len(own) // (2 * counted) + most // (2 * len(present)) + 1
        drawn = own[torch.randperm(len(own), generator=generator)[:wanted]]
        places.append(drawn)
        weights.append(torch.full((len(drawn),), len(own) / len(drawn)))
    return torch.cat(places), torch.cat(weights)


def _groups(tiles: Sequence[Tile], scenes: Mapping[str, str], task: Task, seed: int) -> tuple[dict[str, int], str]:
    """Return each tile's group, and what groups are made of; no group where a single tile has to be divided."""
    names = [tile.name for tile in tiles]
    if len(names) == 1:
        return {}, "parts of the only tile"
    known = scenes if all(name in scenes for name in names) else guess_scenes(names)
    of, grouped_by = {name: known.get(name, name) for name in names}, "scenes"
    if len(set(of.values())) == 1:
        of, grouped_by = {name: name for name in names}, "tiles"
    folds = split_folds(tiles, of, min(MOST_GROUPS, len(set(of.values()))), seed, task)
    return {name: number for number, fold in enumerate(folds) for name in fold.val}, grouped_by
