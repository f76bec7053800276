"""Writing a dataset: whole at its place, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sweep.records.leftovers import dataset_name, settle_datasets
from trainables.data.imagery import RGB, Imagery
from trainables.data.manifest import MANIFEST_FILE
from trainables.data.tiffs import encode_tiff
from trainables.data.tiles import SPLITS
from trainables.errors import DataError
from trainables.owners import Owner
from trainables.task import Task

JPEG_QUALITY = 90


@contextmanager
def new_dataset(destination: Path, *, force: bool) -> Iterator[Path]:
    """Give a temporary folder with the layout, and move it to its place when the block ends well.

    Raises:
        DataError: Something is there, or the place cannot be written.
    """
    settle_datasets(destination.parent)
    if destination.exists() and any(destination.iterdir() if destination.is_dir() else [destination]):
        is_dataset = (destination / MANIFEST_FILE).exists() or all((destination / split).is_dir() for split in SPLITS)
        if not force:
            raise DataError(f"--dst {destination}: exists already; choose another folder, or --force to replace it")
        if not is_dataset:
            raise DataError(
                f"--dst {destination}: is no dataset, so --force does not replace it; choose another folder"
            )
    owner = Owner.here()
    temporary = destination.with_name(dataset_name(destination.name, owner, "new"))
    try:
        for split in SPLITS:
            for kind in ("images", "masks"):
                (temporary / split / kind).mkdir(parents=True)
        yield temporary
        if destination.exists():
            old = destination.with_name(dataset_name(destination.name, owner, "old"))
            destination.rename(old)
            temporary.rename(destination)
            shutil.rmtree(old)
        else:
            temporary.rename(destination)
    except DataError as error:
        shown = (fault.replace(str(temporary), str(destination)) for fault in error.faults)
        raise DataError(shown) from error
    except OSError as error:
        raise DataError(f"--dst {destination}: cannot be written ({error.strerror}); choose another folder") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_tile(
    root: Path,
    split: str,
    name: str,
    image: NDArray[Any],
    mask: NDArray[np.uint8],
    task: Task,
    imagery: Imagery = RGB,
) -> None:
    """Write a tile: its image, and a PNG of 0 and 255, or of class indices.

    8-bit RGB becomes a JPEG of quality 90 without chroma subsampling, anything else a TIFF without loss.

    Args:
        root: The dataset.
        split: Which split.
        name: The tile's name.
        image: (H, W, C), of the dtype that ``imagery`` stores.
        mask: (H, W) class indices; 255 does not count.
        task: What they mean.
        imagery: What the image holds.
    """
    images = root / split / "images"
    if imagery == RGB:
        Image.fromarray(image).save(images / f"{name}.jpg", quality=JPEG_QUALITY, subsampling=0)
    else:
        (images / f"{name}.tif").write_bytes(encode_tiff(image))
    values = mask.astype(np.uint8)
    if task.binary and not task.ignores_pixels:
        values = values * np.uint8(255)
    Image.fromarray(values).save(root / split / "masks" / f"{name}.png")
