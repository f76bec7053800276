"""Tiles: one image with its mask, read strictly, and the data that tuning may see."""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trainables.data.dataset_faults import absent_classes, class_faults, cross_split_faults, manifest_faults
from trainables.data.decoding import decode_image, decode_mask, read_file
from trainables.data.imagery import RGB, Imagery, picture_of
from trainables.data.manifest import Leak, Manifest
from trainables.data.masks import count_values
from trainables.data.remote import local_copy
from trainables.errors import DataError, nearest
from trainables.task import Task

SPLITS = ("train", "val", "test")
TRAIN = "train"
"""The one split that every dataset has: folds make up for val, and without test there is no score of it."""
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".tif")
MAX_NAME = 200
"""Bytes of a file's name; filesystems allow 255, and temporary names are longer."""
MIN_SIDE = 64
SIDE_MULTIPLE = 32
"""Every side of a tile is a multiple of this many pixels: encoders halve it five times."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One labelled image.

    Attributes:
        name: File name without its ending.
        image: (H, W, C) uint8; red, green and blue first where they are among its bands.
        mask: (H, W) uint8 class indices (0 background, 1 foreground in a binary task); 255 does not count.
    """

    name: str
    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.mask.shape[0], self.mask.shape[1]

    @property
    def values(self) -> NDArray[np.int64]:
        """(256,) how many pixels of the mask have each value."""
        return count_values(self.mask)

    @property
    def picture(self) -> NDArray[np.uint8]:
        """What a person is shown, (H, W, 3) uint8: the first three bands, or the first one as grey."""
        return picture_of(self.image)


@dataclass(frozen=True, kw_only=True)
class TileFiles:
    """Where a tile is and what its files' content hashes to.

    Attributes:
        tile: The decoded tile.
        image: Path of the image inside the dataset, with ``/``.
        mask: Path of the mask inside the dataset, with ``/``.
        image_sha256: Hex digest of the image file.
        mask_sha256: Hex digest of the mask file.
    """

    tile: Tile
    image: str
    mask: str
    image_sha256: str
    mask_sha256: str

    @property
    def name(self) -> str:
        """The tile's name."""
        return self.tile.name

    @property
    def values(self) -> NDArray[np.int64]:
        """(256,) how many pixels of the mask have each value."""
        return self.tile.values


@dataclass(frozen=True, kw_only=True)
class ListedTile:
    """Where a tile is that was not opened yet.

    Attributes:
        name: Its name.
        image: Its image.
        mask: Its mask.
    """

    name: str
    image: Path
    mask: Path


@dataclass(frozen=True, kw_only=True)
class TuningData:
    """All that a trial may see. It has no test field: a trial cannot reach the test split.

    Attributes:
        train: The train tiles.
        val: The val tiles.
        name: The dataset's name, from its manifest or folder.
        synthetic: Whether the manifest says that the tiles were drawn by a program.
        fingerprint: Hex sha256 over split, name and content of every train and val file.
        sheet: What the manifest says of the dataset: origin, licence, version, metres per pixel, where they are known.
        leaks: Tiles of different splits that show the same ground: identical files, and what the manifest names.
        leaks_checked: Whether the manifest says that somebody has looked for all kinds of them.
        scenes: Name of a train or val tile to its scene, as the manifest says; missing where it is not known.
        same_ground: Names of two tiles, of train and val or of different scenes, that show the same ground.
        same_ground_checked: Whether the manifest says that somebody has looked for all kinds of them within a split.
        published_split: Whether the manifest says that whoever published the tiles divided them into train and val.
        task: What the masks mean.
        imagery: What the images hold.
        unlabelled: Windows of images without labels; their masks are 0, and 255 where the image holds nothing.
    """

    train: tuple[Tile, ...]
    val: tuple[Tile, ...]
    name: str
    synthetic: bool
    fingerprint: str
    sheet: Mapping[str, str] = field(default_factory=dict)
    leaks: tuple[Leak, ...] = ()
    leaks_checked: bool = False
    scenes: Mapping[str, str] = field(default_factory=dict)
    same_ground: tuple[tuple[str, str], ...] = ()
    same_ground_checked: bool = False
    published_split: bool = False
    task: Task = field(default_factory=Task)
    imagery: Imagery = field(default_factory=Imagery)
    unlabelled: tuple[Tile, ...] = ()

    @classmethod
    def read(cls, root: Path) -> TuningData:
        """Read the train and val tiles of a dataset; nothing under ``test/`` is opened.

        Args:
            root: Folder with ``{train,val}/{images,masks}/`` and maybe a manifest; or a URI, see ``local_copy``.

        Raises:
            DataError: Everything that is wrong, all at once.
        """
        root = local_copy(root, ("train", "val"))
        faults: list[str] = []
        found: dict[str, tuple[TileFiles, ...]] = {"train": (), "val": ()}
        manifest = None
        try:
            manifest = Manifest.read(root)
        except DataError as error:
            faults += error.faults
        task, imagery = (manifest.task, manifest.imagery) if manifest else (Task(), RGB)
        for split in found:
            found[split], missing = scan_split(root, split, task, imagery)
            faults += missing
        faults += cross_split_faults(root, found)
        if manifest:
            faults += manifest_faults(root, manifest, found)
        faults += class_faults(root, task, found["train"])
        if faults:
            raise DataError(dict.fromkeys(faults))
        digest = hashlib.sha256()
        for split, tiles in found.items():
            for files in tiles:
                digest.update(f"{split}/{files.tile.name} {files.image_sha256} {files.mask_sha256}\n".encode())
        if task != Task():
            digest.update(json.dumps(task.to_dict(), sort_keys=True).encode())
        if imagery != RGB:
            digest.update(json.dumps(imagery.to_dict(), sort_keys=True).encode())
        leaks = _known_leaks(found, manifest)
        return cls(
            train=tuple(files.tile for files in found["train"]),
            val=tuple(files.tile for files in found["val"]),
            name=manifest.name if manifest else root.resolve().name,
            synthetic=manifest.synthetic if manifest else False,
            fingerprint=digest.hexdigest(),
            sheet=manifest.sheet if manifest else {},
            leaks=leaks,
            leaks_checked=manifest is not None and manifest.leaks is not None,
            scenes=_known_scenes(found, manifest) if manifest else {},
            same_ground=_same_ground(found, (*leaks, *(manifest.same_ground or () if manifest else ()))),
            same_ground_checked=manifest is not None and manifest.same_ground is not None,
            published_split=manifest is not None and manifest.split_origin == "published",
            task=task,
            imagery=imagery,
        )

    @property
    def absent_classes(self) -> tuple[str, ...]:
        """The classes that no train tile shows, so that nothing can learn them."""
        return absent_classes(self.task, self.train)

    def only(self, train: Sequence[str] = (), *, val: Sequence[str] = ()) -> TuningData:
        """Return the same data with some of the tiles.

        Args:
            train: Names of train tiles; none keeps them all.
            val: Names of val tiles; none keeps them all.

        Raises:
            DataError: A name that is no such tile.
        """
        return replace(self, train=self._named("train", train), val=self._named("val", val))

    def _named(self, split: Literal["train", "val"], names: Sequence[str]) -> tuple[Tile, ...]:
        tiles: tuple[Tile, ...] = getattr(self, split)
        if not names:
            return tiles
        by_name = {tile.name: tile for tile in tiles}
        if unknown := [name for name in names if name not in by_name]:
            raise DataError(f"{self.name}: no {split} tile {unknown[0]!r}; {nearest(unknown[0], by_name)}")
        return tuple(by_name[name] for name in names)

    def pooled(self) -> TuningData:
        """Return the same data with all tiles both as train and as val, of which ``Fold.of`` takes its own."""
        tiles = tuple(sorted((*self.train, *self.val), key=lambda tile: natural_order(tile.name)))
        return replace(self, train=tiles, val=tiles)


def scan_split(root: Path, split: str, task: Task, imagery: Imagery = RGB) -> tuple[tuple[TileFiles, ...], list[str]]:
    """Read what can be read of a split.

    Args:
        root: The dataset.
        split: Which split.
        task: What the masks mean.
        imagery: What the images hold.

    Returns:
        The sound tiles, in the natural order of their names, and one line for everything that is wrong.
    """
    found, faults = list_split(root, split)
    tiles = []
    for listed in found:
        try:
            tiles.append(read_tile(root, listed, task, imagery))
        except DataError as error:
            faults += error.faults
    return tuple(tiles), sorted(faults)


def read_tile(root: Path, listed: ListedTile, task: Task, imagery: Imagery = RGB) -> TileFiles:
    """Read a tile's files.

    Args:
        root: The dataset.
        listed: Where they are.
        task: What the mask means.
        imagery: What the image holds.

    Raises:
        DataError: Everything that is wrong with them.
    """
    image_path, mask_path = listed.image, listed.mask
    image_bytes, mask_bytes = read_file(image_path), read_file(mask_path)
    faults: list[str] = []
    image = mask = None
    try:
        image = decode_image(image_bytes, image_path, imagery)
    except DataError as error:
        faults += error.faults
    try:
        mask = decode_mask(mask_bytes, mask_path, task)
    except DataError as error:
        faults += error.faults
    if image is not None:
        height, width = image.shape[:2]
        if min(height, width) < MIN_SIDE:
            faults.append(
                f"{image_path}: is {width}x{height}, and a side is a multiple of {SIDE_MULTIPLE} from {MIN_SIDE} up; "
                f"remove the tile"
            )
        elif height % SIDE_MULTIPLE or width % SIDE_MULTIPLE:
            faults.append(
                f"{image_path}: is {width}x{height}; crop it so that each side is a multiple of {SIDE_MULTIPLE} "
                f"from {MIN_SIDE} up"
            )
        if mask is not None and mask.shape != (height, width):
            faults.append(
                f"{mask_path}: is {mask.shape[1]}x{mask.shape[0]} but its image is {width}x{height}; make them match"
            )
    if faults or image is None or mask is None:
        raise DataError(faults)
    return TileFiles(
        tile=Tile(name=listed.name, image=image, mask=mask),
        image=image_path.relative_to(root).as_posix(),
        mask=mask_path.relative_to(root).as_posix(),
        image_sha256=hashlib.sha256(image_bytes).hexdigest(),
        mask_sha256=hashlib.sha256(mask_bytes).hexdigest(),
    )


def list_split(root: Path, split: str) -> tuple[list[ListedTile], list[str]]:
    """List the tiles of a split by the names of their files; none is opened.

    Returns:
        Those whose files come in pairs, in the natural order of their names, and one line for everything that is wrong.
    """
    folder = root / split
    if not folder.is_dir():
        missing = f"{folder}: split folder is missing; create it with images/ and masks/, or correct --patches"
        return [], [missing] if split == TRAIN else []
    faults: list[str] = []
    images = _by_name(folder / "images", IMAGE_ENDINGS, faults)
    masks = _by_name(folder / "masks", (".png",), faults)
    for name in images.keys() - masks.keys():
        faults.append(f"{images[name]}: has no mask; add {folder / 'masks' / name}.png or remove the image")
    for name in masks.keys() - images.keys():
        faults.append(f"{masks[name]}: has no image; add {folder / 'images' / name}.jpg or remove the mask")
    if not images and not masks and not faults and split == TRAIN:
        faults.append(f"{folder}: holds no tiles; put images/NAME.jpg and masks/NAME.png there")
    names = sorted(images.keys() & masks.keys(), key=natural_order)
    return [ListedTile(name=name, image=images[name], mask=masks[name]) for name in names], sorted(faults)


def same_name(name: str) -> str:
    """Return a name in the form (NFC) in which names are compared: macOS stores letters with accents in another."""
    return unicodedata.normalize("NFC", name)


def natural_order(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Sort key under which ``synth2`` comes before ``synth10``."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdigit(), int(part) if part.isdecimal() else 0, part) for part in parts], name


def _known_leaks(splits: dict[str, tuple[TileFiles, ...]], manifest: Manifest | None) -> tuple[Leak, ...]:
    """Return the leaks that the manifest names, and identical files in two splits, whatever it says."""
    recorded = manifest.leaks or () if manifest else ()
    known = {(leak.first, leak.second) for leak in recorded}
    contents = {
        entry["sha256"]: path
        for path, entry in (manifest.files if manifest else {}).items()
        if path.split("/")[0] not in splits and "/images/" in path
    }
    identical = []
    for tiles in splits.values():
        for files in tiles:
            twin = contents.setdefault(files.image_sha256, files.image)
            if twin.split("/")[0] != files.image.split("/")[0] and not known & {
                (twin, files.image),
                (files.image, twin),
            }:
                identical.append(Leak(first=twin, second=files.image, how="identical files"))
    return (*recorded, *identical)


def _known_scenes(splits: Mapping[str, Sequence[TileFiles]], manifest: Manifest) -> dict[str, str]:
    scenes = {files.tile.name: manifest.scene(files.image) for found in splits.values() for files in found}
    return {name: scene for name, scene in scenes.items() if scene is not None}


def _same_ground(splits: Mapping[str, Sequence[TileFiles]], pairs: Iterable[Leak]) -> tuple[tuple[str, str], ...]:
    """Return the names of the pairs of which both are tiles of these splits."""
    names = {files.image: files.tile.name for found in splits.values() for files in found}
    known = ((names[pair.first], names[pair.second]) for pair in pairs if {pair.first, pair.second} <= names.keys())
    return tuple(dict.fromkeys(known))


def _by_name(folder: Path, endings: tuple[str, ...], faults: list[str]) -> dict[str, Path]:
    """List a folder's pictures by name; what does not belong there is a fault."""
    if not folder.is_dir():
        faults.append(f"{folder}: folder is missing; create it")
        return {}
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.suffix.lower() not in endings or not path.is_file():
            faults.append(f"{path}: not a {' or '.join(endings)} file; move it elsewhere")
        elif not _is_plain(path.name):
            faults.append(f"{str(path)!r}: a name of more than {MAX_NAME} bytes or with unprintable letters; rename it")
        elif (twin := found.setdefault(same_name(path.stem), path)) != path:
            faults.append(f"{path}: same name as {twin.name}; remove one")
    return found


def _is_plain(name: str) -> bool:
    """Whether a file's name can be shown on any terminal and be lengthened for another file."""
    return name.isprintable() and len(os.fsencode(name)) <= MAX_NAME
