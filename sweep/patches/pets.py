"""The Oxford-IIIT Pet images and trimaps as tiles. Source: Parkhi, Vedaldi, Zisserman and Jawahar, CVPR 2012."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sweep.patches.folders import write_tile
from trainables.documents import DamagedError, read_bounded
from trainables.errors import DataError
from trainables.task import IGNORE_INDEX, Task
from trainables.wording import counted

Uncertain = Literal["foreground", "random", "background", "ignore"]
Fit = Literal["pad", "crop"]
PET, BACKGROUND, UNCERTAIN = 1, 2, 3
"""Values of a trimap."""
FOLDER = "oxford-iiit-pet"
"""What torchvision calls the folder."""
LISTS = ("trainval", "test")
ORIGIN = "Oxford-IIIT Pet (Parkhi et al. 2012), trimaps made binary by python -m sweep.patches import-pets"
LICENCE = "CC-BY-SA-4.0"


@dataclass(frozen=True, kw_only=True)
class PetsSettings:
    """How trimaps become masks, and images tiles.

    Attributes:
        size: Side of a tile in pixels.
        fit: Pad smaller sides, or leave such images out.
        uncertain: What pixels of value 3 become.
        seed: Of random uncertain pixels, at least 0.
    """

    size: int
    fit: Fit
    uncertain: Uncertain
    seed: int

    @property
    def task(self) -> Task:
        """What the masks mean."""
        return Task(classes=("background", "pet"), ignores=self.uncertain == "ignore")


@dataclass(frozen=True)
class Pet:
    """An image and its trimap."""

    name: str
    image: Path
    trimap: Path


def find_pets(source: Path) -> dict[str, list[Pet]]:
    """Find the images of the published layout.

    Args:
        source: Holds ``images/`` and ``annotations/trimaps/``, with or without ``annotations/trainval.txt`` and
            ``test.txt``; or a folder ``oxford-iiit-pet`` that does.

    Returns:
        ``trainval`` and ``test`` to images in the lists' order; without lists only ``all``, by name.

    Raises:
        DataError: Folders or one of the lists are missing, or a list is damaged.
    """
    folder = source / FOLDER if (source / FOLDER).is_dir() else source
    images, trimaps = folder / "images", folder / "annotations" / "trimaps"
    for needed in (images, trimaps):
        if not needed.is_dir():
            raise DataError(
                f"--src {source}: has no {needed.relative_to(folder)}/; unpack images and annotations there"
            )
    lists = {name: folder / "annotations" / f"{name}.txt" for name in LISTS}
    missing = [path for path in lists.values() if not path.is_file()]
    if len(missing) == 1:
        raise DataError(f"{missing[0]}: no such file, but the other list is there; unpack all of annotations")
    names = {"all": sorted(path.stem for path in trimaps.glob("[!.]*.png"))} if missing else {}
    names = names or {name: _listed(path) for name, path in lists.items()}
    return {
        list_name: [Pet(name, images / f"{name}.jpg", trimaps / f"{name}.png") for name in found]
        for list_name, found in names.items()
    }


def _listed(path: Path) -> list[str]:
    try:
        lines = [line.split() for line in read_bounded(path).decode().splitlines()]
    except (OSError, ValueError, DamagedError) as error:
        raise DataError(f"{path}: cannot be read ({error}); unpack it again") from error
    if any(len(line) != 4 or Path(line[0]).name != line[0] for line in lines):
        raise DataError(f"{path}: no list of lines NAME CLASS SPECIES BREED; unpack it again")
    if not lines:
        raise DataError(f"{path}: names no image; unpack it again")
    return [line[0] for line in lines]


def choose_splits(
    lists: Mapping[str, Sequence[Pet]],
    *,
    counts: tuple[int, ...] | None,
    subset: int | None,
    val_share: float,
    seed: int,
) -> dict[str, list[Pet]]:
    """Choose who is train, val and test, by the seed alone.

    Args:
        lists: What ``find_pets`` gave.
        counts: How many of each, all but test out of ``trainval`` where there are lists; None follows the lists.
        subset: How many in all, divided as the lists are; None is all.
        val_share: Share of ``trainval`` that becomes val.
        seed: At least 0.

    Returns:
        Split to images.

    Raises:
        DataError: More than there are, or a split would be empty.
    """
    random = np.random.default_rng(seed)
    shuffled = {name: [pets[index] for index in random.permutation(len(pets))] for name, pets in lists.items()}
    learn = shuffled.get("all", shuffled.get("trainval", []))
    lengths = {name: len(pets) for name, pets in lists.items()}
    train, val, test = counts or _sizes(lengths, subset, val_share)
    rest = learn[train + val :] if "all" in lists else shuffled["test"]
    if train + val > len(learn) or test > len(rest):
        there = " and ".join(f"{len(pets)} in {name}" for name, pets in lists.items())
        raise DataError(f"--counts {train},{val},{test}: there are only {there}; give smaller counts")
    return {"train": learn[:train], "val": learn[train : train + val], "test": rest[:test]}


def _sizes(lengths: Mapping[str, int], subset: int | None, val_share: float) -> tuple[int, int, int]:
    """Divide all images, or ``subset`` of them, as the lists and the share of val say."""
    total = sum(lengths.values())
    if subset is not None and not 3 <= subset <= total:
        raise DataError(f"--subset {subset}: must be 3 to {total}, the number of images in the lists")
    wanted = subset or total
    test = min(max(1, round(wanted * lengths["test"] / total)), wanted - 2)
    val = min(max(1, round((wanted - test) * val_share)), wanted - test - 1)
    train = wanted - test - val
    if train < 1 or train + val > lengths["trainval"]:
        raise DataError(
            f"--src: {counted(lengths['trainval'], 'image')} of trainval.txt cannot be train and val; list two"
        )
    return train, val, test


def write_pets(
    root: Path, splits: Mapping[str, Sequence[Pet]], reading: PetsSettings
) -> tuple[dict[str, str], list[str]]:
    """Write every image as a tile.

    Returns:
        Name to where it comes from, for the manifest; and why images were left out, a line each.

    Raises:
        DataError: Everything that is wrong with the files, all at once.
    """
    sources: dict[str, str] = {}
    left_out: list[str] = []
    faults: list[str] = []
    for split, pets in splits.items():
        for pet in pets:
            try:
                image, trimap = read_pet(pet)
            except DataError as error:
                faults += error.faults
                continue
            name, (height, width) = pet.name, trimap.shape
            mask = binary_mask(name, trimap, reading)
            tile, tile_mask = fit_tile(image, reading, 0), fit_tile(mask, reading, IGNORE_INDEX)
            if reading.fit == "crop" and min(height, width) < reading.size:
                left_out.append(f"{name}: is {width}x{height}, smaller than --size {reading.size}")
            elif reading.task.ignores and (tile_mask == IGNORE_INDEX).all():
                left_out.append(f"{name}: all pixels of its tile are ignored")
            else:
                write_tile(root, split, name, tile, tile_mask, reading.task)
                sources[name] = f"images/{name}.jpg {width}x{height}"
    if faults:
        raise DataError(faults)
    return sources, left_out


def read_pet(pet: Pet) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read an image and its trimap.

    Returns:
        (H, W, 3) uint8 RGB, and (H, W) uint8 of 1 (pet), 2 (background) and 3 (uncertain).

    Raises:
        DataError: A file is missing or damaged, or the trimap holds something else.
    """
    image, trimap = np.asarray(_decoded(pet.image).convert("RGB")), np.asarray(_decoded(pet.trimap))
    if trimap.ndim != 2 or trimap.dtype != np.uint8 or image.shape[:2] != trimap.shape:
        raise DataError(f"{pet.trimap}: is no 8-bit trimap of its image's size; unpack it again")
    if odd := sorted(set(np.unique(trimap).tolist()) - {PET, BACKGROUND, UNCERTAIN}):
        raise DataError(
            f"{pet.trimap}: holds the value {odd[0]}; a trimap holds 1 (pet), 2 (background) and 3 (uncertain), "
            f"restore it"
        )
    return image, trimap


def _decoded(path: Path) -> Image.Image:
    try:
        picture = Image.open(path)
        picture.load()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; unpack the archives again") from error
    except Exception as error:  # Pillow's decoders raise many kinds on damaged input
        raise DataError(f"{path}: damaged ({' '.join(str(error).split())}); unpack it again") from error
    return picture


def binary_mask(name: str, trimap: NDArray[np.uint8], reading: PetsSettings) -> NDArray[np.uint8]:
    """Turn a trimap into a mask.

    Args:
        name: The image's name; with the seed it decides random pixels.
        trimap: (H, W) uint8 of 1, 2 and 3.
        reading: What uncertain pixels become.

    Returns:
        (H, W) uint8 of 0 (background), 1 (pet) and, where uncertain pixels are ignored, 255.
    """
    mask: NDArray[np.uint8] = (trimap == PET).astype(np.uint8)
    uncertain = trimap == UNCERTAIN
    if reading.uncertain == "random":
        random = np.random.default_rng([reading.seed, zlib.crc32(name.encode())])
        mask[uncertain] = random.integers(0, 2, int(uncertain.sum()), dtype=np.uint8)
    else:
        mask[uncertain] = {"foreground": 1, "background": 0, "ignore": IGNORE_INDEX}[reading.uncertain]
    return mask


def fit_tile(pixels: NDArray[np.uint8], reading: PetsSettings, ignored: int) -> NDArray[np.uint8]:
    """Crop larger sides around the centre and pad smaller ones on both sides; pixels keep their values.

    Args:
        pixels: (H, W) or (H, W, 3) uint8.
        reading: The size, and whether masks may ignore pixels.
        ignored: What padding holds then; else it is 0.

    Returns:
        (size, size) or (size, size, 3) uint8.
    """
    size = reading.size
    top, left = (max(0, (side - size) // 2) for side in pixels.shape[:2])
    part = pixels[top : top + size, left : left + size]
    missing = [size - side for side in part.shape[:2]]
    width = [(one // 2, one - one // 2) for one in missing] + [(0, 0)] * (pixels.ndim - 2)
    fitted: NDArray[np.uint8] = np.pad(part, width, constant_values=ignored if reading.task.ignores else 0)
    return fitted
