"""Finished parts of a map on disk: a killed prediction resumes after the last of them."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from sweep.predict.cover import Cover, Stripe
from sweep.predict.mapper import NODATA, PROBABILITY_STEPS, Part
from sweep.rasters.raster import Raster
from trainables.documents import DamagedError, parse_json, read_bounded
from trainables.errors import StorageError
from trainables.task import Task

JOB_FILE, BAD_FILE = "job.json", "bad.json"
LAYERS = ("mask", "probability")
"""What a part's bands hold."""
LOOKUP = {"mask": "0:0,1:255,255:0", "probability": f"0:0,{PROBABILITY_STEPS}:255,{NODATA}:0"}
"""Stored to shown values, between which GDAL interpolates."""


class Parts:
    """The folder of one raster's finished parts.

    Args:
        folder: Is made if it is not there; parts of another job in it are thrown away.
        cover: How windows cover the raster.
        job: All that decides what a part holds.
        keep_bad: Parts that leave damaged blocks out are kept, too.

    Attributes:
        folder: Where they are.
        bad: What parts leave out as it could not be read, in words.

    Raises:
        StorageError: It cannot be written.
    """

    def __init__(self, folder: Path, cover: Cover, job: Mapping[str, Any], *, keep_bad: bool = True) -> None:
        self.folder = folder
        self._cover = cover
        self.bad: dict[str, None] = {}
        text = json.dumps(job, indent=1, sort_keys=True)
        with write_faults(folder):
            try:
                if read_bounded(folder / JOB_FILE) == text.encode():
                    found = folder / BAD_FILE
                    bad = parse_json(read_bounded(found), list[str]) if found.exists() else []
                    if keep_bad or not bad:
                        self.bad = dict.fromkeys(bad)
                        return
            except (FileNotFoundError, DamagedError):  # none yet, or nothing that could be continued
                pass
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / JOB_FILE).write_text(text, encoding="utf-8")

    def first_missing(self, stripe: Stripe) -> int:
        """Return the first row of windows of a stripe that has no part; the number of rows when all have."""
        rows = len(self._cover.rows.starts)
        return next((row for row in range(rows) if not self._path(row, stripe.number).exists()), rows)

    def add(self, part: Part, bad: Iterable[str] = ()) -> None:
        """Write a part, whole or not at all.

        Raises:
            StorageError: It cannot be written.
        """
        import rasterio
        from rasterio.errors import RasterioError

        path = self._path(part.row, part.stripe.number)
        temporary = path.with_suffix(".tmp")
        height, width = part.mask.shape
        with write_faults(self.folder, RasterioError):
            before = len(self.bad)
            self.bad.update(dict.fromkeys(bad))
            if len(self.bad) > before:
                temporary.write_text(json.dumps(list(self.bad)), encoding="utf-8")
                temporary.replace(self.folder / BAD_FILE)
            with rasterio.open(
                temporary,
                "w",
                driver="GTiff",
                height=height,
                width=width,
                count=2,
                dtype="uint8",
                compress="deflate",
                zlevel=1,
                photometric="minisblack",
            ) as file:
                file.write(part.mask, 1)
                file.write(part.probability, 2)
            with rasterio.open(temporary) as file:  # GDAL does not always notice that a disk is full
                if not np.array_equal(file.read(), np.stack([part.mask, part.probability])):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            temporary.replace(path)

    def layer(self, layer: str, raster: Raster, task: Task, *, picture: bool = False) -> Path:
        """Write a virtual raster of the whole map; returns its path.

        Args:
            layer: ``mask`` or ``probability``.
            raster: Whose size, place on earth and reference system the map has.
            task: What the mask's values mean: a colour table, and of several classes their names as metadata.
            picture: For people to look at: foreground is 255, and so is a probability of 1; what is not known is 0.
        """
        classes = layer == "mask" and not (picture and task.binary)
        colours = _colour_table(task) if classes else []
        dataset = raster.dataset
        lines = [f'<VRTDataset rasterXSize="{raster.width}" rasterYSize="{raster.height}">']
        if picture:
            lookup = "" if colours else LOOKUP[layer]
            lines += ['<VRTRasterBand dataType="Byte" band="1">', *colours]
            return self._write(f"{layer}_picture", [*lines, *self._sources(layer, lookup)])
        if dataset.crs is not None:
            lines.append(f"<SRS>{escape(dataset.crs.to_wkt())}</SRS>")
        if not dataset.transform.is_identity:
            lines.append(f"<GeoTransform>{', '.join(map(repr, dataset.transform.to_gdal()))}</GeoTransform>")
        if colours and not task.binary:
            names = ",".join(f"{index}={name}" for index, name in enumerate(task.classes))
            lines.append(f'<Metadata><MDI key="CLASSES">{escape(names)}</MDI></Metadata>')
        lines.append(f'<VRTRasterBand dataType="Byte" band="1"><NoDataValue>{NODATA}</NoDataValue>')
        lines += colours
        if layer == "probability":
            lines.append(f"<Scale>{1 / PROBABILITY_STEPS!r}</Scale>")
        return self._write(layer, [*lines, f"<Description>{layer}</Description>", *self._sources(layer)])

    def _write(self, name: str, lines: list[str]) -> Path:
        path = self.folder / f"{name}.vrt"
        with write_faults(self.folder):
            path.write_text("\n".join([*lines, "</VRTRasterBand></VRTDataset>"]), encoding="utf-8")
        return path

    def _sources(self, layer: str, lookup: str = "") -> Iterator[str]:
        kind = "ComplexSource" if lookup else "SimpleSource"
        table = f"<LUT>{lookup}</LUT>" if lookup else ""
        for stripe in self._cover.stripes:
            left, width = stripe.own[0], stripe.own[1] - stripe.own[0]
            for row in range(len(self._cover.rows.starts)):
                top, bottom = self._cover.finished(row)
                size = f'xSize="{width}" ySize="{bottom - top}"'
                yield (
                    f'<{kind}><SourceFilename relativeToVRT="1">{self._path(row, stripe.number).name}'
                    f'</SourceFilename><SourceBand>{LAYERS.index(layer) + 1}</SourceBand><SrcRect xOff="0" yOff="0" '
                    f'{size}/><DstRect xOff="{left}" yOff="{top}" {size}/>{table}</{kind}>'
                )

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, row: int, stripe: int) -> Path:
        return self.folder / f"row{row:06d}-stripe{stripe:03d}.tif"


def _colour_table(task: Task) -> list[str]:
    """Return a band's colour table as VRT has it: black for what is not known."""
    colours = [*task.shown_colours, *[(0, 0, 0)] * (256 - len(task.classes))]
    entries = "".join(f'<Entry c1="{red}" c2="{green}" c3="{blue}" c4="255"/>' for red, green, blue in colours)
    return ["<ColorInterp>Palette</ColorInterp>", f"<ColorTable>{entries}</ColorTable>"]


@contextmanager
def write_faults(place: Path, *kinds: type[Exception]) -> Iterator[None]:
    """Turn what goes wrong in the block into one line: a place cannot be written.

    Raises:
        StorageError: As said.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, (OSError, *kinds)):
            raise
        reason = getattr(error, "strerror", None) or str(error.__cause__ or error) or type(error).__name__
        raise StorageError(
            f"--out {place}: cannot be written ({' '.join(reason.split())}); make room or choose another folder, "
            f"then the same command resumes"
        ) from error
