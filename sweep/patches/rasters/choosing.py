"""``--bands`` and ``--scale``: how all images of a dataset are read, decided once, and what that leaves out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sweep.cli.counting import Watch, unwatched
from sweep.patches.layouts.sources import ReadTruth, SourceRaster
from sweep.patches.rasters.area import Area
from sweep.patches.rasters.images import Bands, ImageFile, ImageReading, as_image, chosen_bands
from sweep.patches.rasters.reader import RasterFile, open_raster, strips_of
from sweep.rasters.bands import band_names
from trainables.data.imagery import COLOURS, MAX_BANDS, RGB, Imagery, Scale
from trainables.errors import DataError, of_each
from trainables.escaping import visible
from trainables.task import IGNORE_INDEX, Task
from trainables.wording import counted

SAMPLE_PIXELS = 2**20
"""Of all images together, from which percentiles are taken."""
LEAST_SAMPLE = 256
"""Of each image."""
GRID = 8
"""Squares along each side of an image that its sample is taken from."""
SHOWN = 3
"""Names that a line lists."""
_NUMBER = r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)\s*"


@dataclass(frozen=True, kw_only=True)
class ScaleRule:
    """What ``--scale`` says.

    Attributes:
        low: The value that becomes 0, or its percentile.
        high: The value that becomes 255, or its percentile.
        percent: Whether they are percentiles of all images, each band's own.
    """

    low: float
    high: float
    percent: bool


def parse_scale(text: str) -> ScaleRule | None:
    """Parse ``--scale``: empty, ``LOW,HIGH`` or ``2%,98%``.

    Raises:
        DataError: Something else.
    """
    if not text:
        return None
    for percent, sign in ((False, ""), (True, "%")):
        if matched := re.fullmatch(f"{_NUMBER}{sign},{_NUMBER}{sign}", text, re.ASCII):
            low, high = float(matched[1]), float(matched[2])
            if low < high and math.isfinite(high - low) and (not percent or 0 <= low < high <= 100):
                return ScaleRule(low=low, high=high, percent=percent)
    raise DataError(
        f"--scale {visible(text[:40])}: give the values that become 0 and 255, such as 0,3000, or their percentiles, "
        f"such as 2%,98%; the smaller one comes first"
    )


def parse_bands(text: str) -> Bands:
    """Parse ``--bands``: empty, ``all``, or numbers from 1.

    Raises:
        DataError: Something else.
    """
    if text in ("", "all"):
        return "all" if text else ()
    parts = [part.strip() for part in text.split(",")]
    if len(parts) <= MAX_BANDS and all(re.fullmatch(r"\d{1,5}", part, re.ASCII) and int(part) for part in parts):
        return tuple(int(part) for part in parts)
    raise DataError(
        f"--bands {visible(text[:40])}: give all, or numbers from 1 with commas between them, such as 1,2,3,4"
    )


@dataclass(frozen=True, kw_only=True)
class SourceImages:
    """The images of the sources that become tiles.

    Attributes:
        reading: How they are read.
        files: Name of a source to the header of its image.
        holes: Names of the sources whose images have pixels that hold nothing.
        notes: What was taken for what, in lines for the user.
    """

    reading: ImageReading
    files: Mapping[str, ImageFile]
    holes: frozenset[str]
    notes: tuple[str, ...]

    def task(self, task: Task) -> Task:
        """Return what masks mean whose pixels without data are ignored."""
        return replace(task, ignores=True) if self.holes and not task.ignores_pixels else task

    def ignoring(self, truth: ReadTruth) -> ReadTruth:
        """Return what reads the same truth with 255 where an image holds nothing."""

        def read(source: SourceRaster, shape: tuple[int, int], area: Area) -> NDArray[np.uint8]:
            found = truth(source, shape, area)
            if source.name not in self.holes:
                return found
            with self.files[source.name].opened() as image:
                return np.where(image.valid(area), found, np.uint8(IGNORE_INDEX))

        return read if self.holes else truth


def look_at_images(
    sources: Sequence[SourceRaster],
    bands: str,
    scale: str,
    watch: Watch = unwatched,
    imagery: Imagery | None = None,
) -> SourceImages:
    """Decide how the images of a dataset are read.

    Args:
        sources: Those that become tiles.
        bands: What ``--bands`` says.
        scale: What ``--scale`` says.
        watch: Shows how many images are looked at.
        imagery: What the tiles of the dataset hold that these are added to; None for a new dataset.

    Raises:
        DataError: Flags of another form, or everything that is wrong with the images.
    """
    wanted, rule = parse_bands(bands), parse_scale(scale)
    if imagery is not None and not wanted and imagery.bands != COLOURS:
        wanted = tuple(range(1, len(imagery.bands) + 1))
    headers = of_each(
        {source.name: source.image for source in sources},
        open_raster,
        lambda images: watch("reading the headers of images", images, len(sources)),
    )
    chosen = of_each(headers, lambda header: chosen_bands(header, wanted))
    names = _names(headers, chosen, wanted)
    reading = ImageReading(bands=wanted, imagery=replace(RGB, bands=names))
    notes = _notes(headers, chosen, wanted)
    if rule:
        stored = {header.dtype for header in headers.values()}
        # A scale of its own so far: it is only there to open images that hold no bytes.
        unscaled = replace(reading, imagery=replace(reading.imagery, scale=((0.0, 1.0),) * len(names)))
        scales, said = _scales(headers, unscaled, rule, watch)
        imagery = Imagery(
            bands=names, scale=scales, stored="uint16" if {"uint16"} <= stored <= {"uint8", "uint16"} else "uint8"
        )
        reading, notes = replace(reading, imagery=imagery), [*notes, said]
    files = of_each(headers, lambda header: as_image(header, _as_in(header, reading, imagery)))
    if imagery is not None:
        reading = replace(reading, imagery=imagery)
    holes = of_each(files, has_holes, lambda images: watch("looking for pixels without data", images, len(files)))
    names_of_holes = [name for name, found in holes.items() if found]
    if names_of_holes:
        notes.append(
            f"{counted(len(names_of_holes), 'image')} with pixels that hold nothing (declared no data, transparent, "
            f"masked): these are ignored, 255 in the masks ({_listed(names_of_holes)})"
        )
    return SourceImages(reading=reading, files=files, holes=frozenset(names_of_holes), notes=tuple(notes))


def _as_in(header: RasterFile, reading: ImageReading, imagery: Imagery | None) -> ImageReading:
    """Return how an image is read so that its tiles are like those of a dataset.

    Raises:
        DataError: It has other bands, or values of another kind.
    """
    if imagery is None:
        return reading
    if len(imagery.bands) != len(reading.imagery.bands):
        raise DataError(
            f"{header.path}: has {header.words}, and the dataset's tiles have {len(imagery.bands)} bands "
            f"({', '.join(imagery.bands)}); give images of these, or say which they are by --bands"
        )
    if header.dtype == "uint8" and imagery.stored != "uint8":
        raise DataError(
            f"{header.path}: has {header.words}, and the dataset's tiles hold {imagery.stored}; give images of such "
            f"values"
        )
    if header.dtype == "uint8":  # bytes that were scaled before they were labelled
        return replace(reading, imagery=replace(imagery, scale=None))
    if reading.imagery.scale is not None and imagery.stored == "uint8":
        return replace(reading, imagery=replace(imagery, scale=reading.imagery.scale))
    return replace(reading, imagery=imagery)


def has_holes(image: ImageFile) -> bool:
    """Whether an image has a pixel that holds nothing; reads it strip by strip only if its header leaves that open."""
    if image.always_valid:
        return False
    with image.opened() as opened:
        pixel = np.dtype(image.dtype).itemsize * len(image.chosen)
        return any(not opened.valid(area).all() for area in strips_of(image.shape, pixel, opened.raster))


def _names(headers: Mapping[str, RasterFile], chosen: Mapping[str, tuple[int, ...]], bands: Bands) -> tuple[str, ...]:
    """Return what the tiles' bands are called: as the first image calls them."""
    name = next(iter(chosen))
    first, numbers = headers[name], chosen[name]
    if not bands or first.palette is not None:
        return COLOURS
    found = band_names(first.names, numbers)
    named = set(COLOURS) <= set(found)
    if bands == "all" or (named and found[:3] == COLOURS) or len(found) < len(COLOURS):
        return found
    rest = (one if one not in COLOURS else f"band {number}" for one, number in zip(found[3:], numbers[3:], strict=True))
    return (*COLOURS, *rest)


def _notes(headers: Mapping[str, RasterFile], chosen: Mapping[str, tuple[int, ...]], bands: Bands) -> list[str]:
    """Say what was taken without being asked for."""
    if bands:
        return []
    grey = [name for name, one in headers.items() if len(set(chosen[name])) == 1 and one.palette is None]
    more = [name for name, one in headers.items() if one.bands - one.alpha > len(COLOURS)]
    alpha = [name for name, one in headers.items() if one.alpha and one.bands == len(COLOURS) + 1]
    notes = []
    if grey:
        notes.append(f"{counted(len(grey), 'grey image')}: red, green and blue are alike ({_listed(grey)})")
    if more:
        notes.append(
            f"{counted(len(more), 'image')} with more bands: red, green and blue are taken; --bands all takes all "
            f"({_listed(more)})"
        )
    if alpha:
        notes.append(
            f"{counted(len(alpha), 'image')} with alpha: where it is 0 there is no data; if the fourth band is another "
            f"one, such as near infrared, --bands 1,2,3,4 takes it ({_listed(alpha)})"
        )
    return notes


def _scales(
    headers: Mapping[str, RasterFile], reading: ImageReading, rule: ScaleRule, watch: Watch
) -> tuple[tuple[Scale, ...], str]:
    """Return each band's scale, and what to say of it."""
    names = reading.imagery.bands
    if not rule.percent:
        return ((rule.low, rule.high),) * len(names), f"values {rule.low:g} to {rule.high:g} become 0 to 255"
    share = max(LEAST_SAMPLE, SAMPLE_PIXELS // len(headers))
    found = of_each(
        headers,
        lambda header: sample(as_image(header, reading), share),
        lambda images: watch("sampling the values of images", images, len(headers)),
    )
    pixels = np.concatenate(list(found.values()))
    if not len(pixels):
        raise DataError(
            "--scale: no image has a pixel that holds anything; correct the value that they declare to be no data"
        )
    ends = np.percentile(pixels, (rule.low, rule.high), axis=0).T
    scales = tuple((float(f"{low:.7g}"), float(f"{high:.7g}")) for low, high in ends.tolist())
    if flat := [name for name, (low, high) in zip(names, scales, strict=True) if low >= high]:
        raise DataError(
            f"--scale {rule.low:g}%,{rule.high:g}%: band {flat[0]} has one value between them; give --scale LOW,HIGH"
        )
    shown = ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in zip(names, scales, strict=True))
    return scales, (
        f"values at {rule.low:g} % and {rule.high:g} % of {len(pixels):,} pixels of {counted(len(found), 'image')} "
        f"become 0 and 255: {shown}"
    )


def sample(image: ImageFile, pixels: int) -> NDArray[np.float64]:
    """Return (N, C) values of pixels that hold anything, of squares spread evenly over an image.

    Args:
        image: The image.
        pixels: About how many.
    """
    height, width = image.shape
    side = max(1, int(math.sqrt(pixels)) // GRID)
    with image.opened() as opened:
        found = []
        for top, rows in _squares(height, side):
            for left, columns in _squares(width, side):
                values, valid = opened.raster.values((top, top + rows), (left, left + columns))
                found.append(np.moveaxis(values, 0, 2)[valid].astype(np.float64))
    return np.concatenate(found)


def _squares(length: int, side: int) -> list[tuple[int, int]]:
    """Return where squares begin along a side, and how long they are: all of it where they would meet."""
    if length <= side * GRID:
        return [(0, length)]
    return [(int(start), side) for start in np.linspace(0, length - side, GRID)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
