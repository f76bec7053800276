"""Source rasters of any size, with masks in several codings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.data.masks import classify
from trainables.errors import DataError
from trainables.task import Task

IMAGE_FOLDERS, MASK_FOLDERS = ("imgs", "images"), ("msks", "masks")
ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg")


@dataclass(frozen=True, kw_only=True)
class Source:
    """An image raster and what its truth is read from: its mask raster, or a file of polygons."""

    name: str
    image: Path
    mask: Path


def find_images(folder: Path, labels: Path) -> dict[str, Source]:
    """Find the image rasters of a folder whose truth lies in polygons.

    Args:
        folder: Holds ``imgs/`` (or ``images/``), or the images themselves.
        labels: The polygons' file or folder, which errors name.

    Raises:
        DataError: No such folder, or no image in it.
    """
    if not folder.is_dir():
        raise DataError(f"--src {folder}: no such folder; it holds the images")
    place = _child(folder, IMAGE_FOLDERS) or folder
    found = {name: Source(name=name, image=path, mask=labels) for name, path in _rasters(place).items()}
    if not found:
        raise DataError(f"--src {folder}: holds no image ({', '.join(ENDINGS)}); put the labelled images there")
    return found


def find_sources(folder: Path) -> dict[str, Source]:
    """Find the rasters of a folder, or of the scene folders in it.

    Args:
        folder: Holds ``imgs/`` (or ``images/``) and ``msks/`` (or ``masks/``), or folders that do; the tiles of a scene
            folder are called ``SCENE_NAME``.

    Returns:
        Name to source.

    Raises:
        DataError: Images without mask, masks without image, or nothing at all.
    """
    if not folder.is_dir():
        raise DataError(f"--src {folder}: no such folder; it holds imgs/ and msks/")
    scenes = {"": folder} if _child(folder, IMAGE_FOLDERS) else {f"{p.name}_": p for p in sorted(folder.iterdir())}
    found: dict[str, Source] = {}
    faults: list[str] = []
    for prefix, scene in scenes.items():
        images, masks = _child(scene, IMAGE_FOLDERS), _child(scene, MASK_FOLDERS)
        if not images or not masks:
            continue
        image_files, mask_files = _rasters(images), _rasters(masks)
        faults += [f"{image_files[name]}: has no mask in {masks}; add it" for name in image_files.keys() - mask_files]
        faults += [f"{mask_files[name]}: has no image in {images}; add it" for name in mask_files.keys() - image_files]
        for name in image_files.keys() & mask_files.keys():
            found[prefix + name] = Source(name=prefix + name, image=image_files[name], mask=mask_files[name])
    if faults:
        raise DataError(sorted(faults))
    if not found:
        raise DataError(f"--src {folder}: holds no imgs/NAME.tif with msks/NAME.tif; see --help")
    return found


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an (H, W, 3) uint8 RGB raster.

    Raises:
        DataError: Damaged or not 8-bit RGB.
    """
    pixels = _read(path)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        bands = pixels.shape[2] if pixels.ndim == 3 else 1
        raise DataError(f"{path}: has {bands} band(s) of {pixels.dtype}, not 3 of uint8; convert it to 8-bit RGB")
    return pixels


def read_foreground(path: Path, foreground: str) -> NDArray[np.bool_]:
    """Read a mask raster as (H, W) bool.

    Args:
        path: The raster.
        foreground: Empty for a mask of 0 and one other value; an index (``3``); or a colour (``60,16,152``), compared
            in RGB also where the file has a palette.

    Raises:
        DataError: Damaged, or not of the coding that ``foreground`` says.
    """
    wanted = parse_foreground(foreground)
    pixels = _read(path, colours=isinstance(wanted, tuple))
    if isinstance(wanted, tuple):
        if pixels.ndim != 3 or pixels.shape[2] < 3:
            raise DataError(f"{path}: has no colours; give --foreground as an index")
        matches: NDArray[np.bool_] = (pixels[..., :3] == np.array(wanted)).all(-1)
        return matches
    if pixels.ndim == 3 and not (pixels == pixels[..., :1]).all():
        raise DataError(f"{path}: is a mask in colours; say which one is foreground: --foreground R,G,B")
    values = pixels if pixels.ndim == 2 else pixels[..., 0]
    if wanted is not None:
        return np.asarray(values == wanted)
    found = np.unique(values)
    if len(found) > 2 or (len(found) == 2 and found[0] != 0):
        raise DataError(f"{path}: holds {len(found)} values; say which one is foreground: --foreground INDEX")
    return np.asarray(values > 0)


def read_classes(path: Path, task: Task) -> NDArray[np.uint8]:
    """Read a mask raster as (H, W) uint8 class indices, 255 for pixels that do not count.

    Args:
        path: The raster: indices, a palette, or colours.
        task: What its values mean.

    Raises:
        DataError: Damaged, or not what the task says.
    """
    pixels = _read(path, colours=True)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8)
    if pixels.dtype != np.uint8 or (pixels.ndim == 3 and pixels.shape[2] != 3) or pixels.ndim > 3:
        bands = pixels.shape[2] if pixels.ndim == 3 else 1
        raise DataError(f"{path}: has {bands} band(s) of {pixels.dtype}, not 1 or 3 of uint8; save it as 8-bit indices")
    return classify(Image.fromarray(pixels), task, str(path))


def parse_foreground(text: str) -> int | tuple[int, int, int] | None:
    """Parse ``--foreground``: empty, an index, or a colour.

    Raises:
        DataError: Something else.
    """
    if not text:
        return None
    parts = text.split(",")
    if all(part.strip().isdigit() and int(part) <= 255 for part in parts) and len(parts) in (1, 3):
        numbers = [int(part) for part in parts]
        return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2])
    raise DataError(f"--foreground {text}: give an index (3) or a colour (60,16,152), each number from 0 to 255")


def _child(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _rasters(folder: Path) -> Mapping[str, Path]:
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in ENDINGS}


def _read(path: Path, *, colours: bool = False) -> NDArray[np.uint8]:
    """Read a raster's pixels; a palette gives indices, or colours when asked."""
    if not path.is_file():  # a pipe would never end
        raise DataError(f"{path}: is not a file; replace it")
    try:
        if path.suffix.lower() in (".tif", ".tiff"):
            import tifffile

            with tifffile.TiffFile(path) as raster:
                colour_map = raster.pages.first.colormap if colours else None
                pixels = raster.asarray()
            if colour_map is not None:  # (3, 256) of 16 bits
                return np.asarray((colour_map >> 8).astype(np.uint8).T[pixels])
            return np.asarray(pixels)
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB") if colours and picture.mode == "P" else picture)
    except Exception as error:  # decoders raise many kinds on damaged input
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: damaged or not a raster ({reason}); replace it") from error
