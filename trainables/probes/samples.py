"""Pixels of the train tiles with their features, of which a probe is fitted."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.scenes import guess_scenes
from trainables.data.tiles import Tile
from trainables.task import IGNORE_INDEX
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
        depths: Features of each level; their sum is D.
    """

    features: Tensor
    classes: Tensor
    weights: Tensor
    groups: Tensor
    grouped_by: str
    depths: tuple[int, ...]

    @property
    def number_of_groups(self) -> int:
        """How many groups there are."""
        return int(self.groups.max()) + 1


@dataclass(frozen=True, kw_only=True)
class _Window:
    tile: int
    image: Tensor
    mask: Tensor


def draw_samples(
    tiles: Sequence[Tile], scenes: Mapping[str, str], levels: Levels, *, window: int, windows: int, seed: int
) -> Samples:
    """Draw pixels of train tiles, of each class in a window as many as there is room for.

    Of a class that is rare in a window all pixels are taken; weights make up for that.

    Args:
        tiles: Train tiles; some pixel of each counts.
        scenes: Tile name to scene, where it is known.
        levels: Makes the features.
        window: Side of a window in pixels, a multiple of 32.
        windows: Most windows that are looked at, at least 1 per tile: those of all tiles in turn.
        seed: Decides which windows and pixels.

    Returns:
        On the device of the features.
    """
    chosen = _choose(tiles, window, max(windows, len(tiles)), seed)
    generator = torch.Generator().manual_seed(seed)
    groups, grouped_by = _groups(tiles, scenes)
    found: list[tuple[Tensor, ...]] = []
    depths: tuple[int, ...] = ()
    for one in chosen:
        maps = levels(one.image[None])
        depths = tuple(level.shape[1] for level in maps)
        most = max(LEAST_PIXELS, MOST_NUMBERS // sum(depths)) // len(chosen) + 1
        places, weights = _draw(one.mask, most, generator)
        rows = places // one.mask.shape[1]
        group = rows * BANDS // one.mask.shape[0] if groups is None else torch.full_like(places, groups[one.tile])
        features = at_places(maps, places, one.mask.shape)
        device = features.device
        classes = one.mask.flatten()[places].long()
        found.append((features, *(value.to(device) for value in (classes, weights, group))))
    features, classes, weights, group = (torch.cat(parts) for parts in zip(*found, strict=True))
    _, group = torch.unique(group, return_inverse=True)  # a group of which no pixel was drawn is none
    return Samples(
        features=features,
        classes=classes,
        weights=weights,
        groups=group,
        grouped_by=grouped_by,
        depths=depths,
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


def _choose(tiles: Sequence[Tile], window: int, most: int, seed: int) -> list[_Window]:
    """Return windows in which a pixel counts, of each tile in turn until there are enough.

    In what order those of a tile come does not depend on the others, so that features are kept for other budgets.
    """
    queues: list[list[_Window]] = []
    for number, tile in enumerate(tiles):
        image = torch.tensor(tile.image).permute(2, 0, 1)
        sides = [Side.of(length, window) for length in tile.shape]
        rows, columns = (side.starts[-1] + side.window - side.length for side in sides)
        mask = F.pad(torch.tensor(tile.mask), (0, columns, 0, rows), value=IGNORE_INDEX)
        masks = [
            mask[top : top + sides[0].window, left : left + sides[1].window]
            for top in sides[0].starts
            for left in sides[1].starts
        ]
        found = [
            _Window(tile=number, image=cut, mask=part)
            for cut, part in zip(cut_windows(image, *sides), masks, strict=True)
            if bool((part != IGNORE_INDEX).any())
        ]
        random = np.random.default_rng([seed, zlib.crc32(tile.name.encode())])
        queues.append([found[place] for place in random.permutation(len(found))])
    chosen: list[_Window] = []
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


def _groups(tiles: Sequence[Tile], scenes: Mapping[str, str]) -> tuple[list[int] | None, str]:
    """Return each tile's group, and what groups are made of; None where a single tile has to be divided."""
    names = [tile.name for tile in tiles]
    if len(names) == 1:
        return None, "parts of the only tile"
    known = scenes if all(name in scenes for name in names) else guess_scenes(names)
    of = {name: known.get(name, name) for name in names}
    grouped_by = "scenes"
    if len(set(of.values())) == 1:
        of, grouped_by = {name: name for name in names}, "tiles"
    sizes: dict[str, int] = {}
    for name in names:
        sizes[of[name]] = sizes.get(of[name], 0) + 1
    filled = [0] * min(MOST_GROUPS, len(sizes))
    group_of = {}
    for scene in sorted(sizes, key=lambda one: (-sizes[one], one)):  # large ones first, each where there are fewest
        group_of[scene] = filled.index(min(filled))
        filled[group_of[scene]] += sizes[scene]
    return [group_of[of[name]] for name in names], grouped_by
