"""Finished parts of a map on disk: a killed prediction resumes after the last of them."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from filelock import FileLock, Timeout

from sweep.predict.cover import Cover, Stripe
from sweep.predict.mapper import LAYERS, NODATA, PROBABILITY_STEPS, Part
from sweep.rasters.raster import Raster
from sweep.rasters.uncertainty_band import MEANING
from trainables.documents import DamagedError, parse_json, read_bounded
from trainables.errors import ExperimentError, StorageError
from trainables.task import Task

JOB_FILE = "job.json"
PART = re.compile(r"row(\d{6})-stripe(\d{3})\.tif")
LOOKUP = {"mask": "0:0,1:255,255:0", "probability": f"0:0,{PROBABILITY_STEPS}:255,{NODATA}:0"}
"""Stored to shown values, between which GDAL interpolates."""


class Parts:
    """The folder of one raster's finished parts, which several processes may fill.

    Args:
        folder: Is made if it is not there; parts of another job in it are thrown away.
        cover: How windows cover the raster.
        job: All that decides what a part holds.
        keep_bad: Parts that leave damaged blocks out are kept, too.

    Attributes:
        folder: Where they are.

    Raises:
        ExperimentError: Other processes fill it by another job.
        StorageError: It cannot be written.
    """

    def __init__(self, folder: Path, cover: Cover, job: Mapping[str, Any], *, keep_bad: bool = True) -> None:
        self.folder = folder
        self._cover = cover
        self._own = uuid.uuid4().hex[:12]
        self._bad: dict[str, None] = {}
        self._job = json.dumps(job, indent=1, sort_keys=True).encode()
        with write_faults(folder):
            if self.is_there:
                try:
                    bad = self.bad
                    if keep_bad or not bad:
                        return
                except DamagedError:  # nothing that could be continued
                    pass
            if self.others_at_work:
                name = folder.name[1:].removesuffix(".parts")
                raise ExperimentError(
                    f"--out {folder.parent}: another command predicts {name} there in another way; wait for it, or "
                    f"choose another folder"
                )
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / JOB_FILE).write_bytes(self._job)

    @property
    def is_there(self) -> bool:
        """Whether the folder is there, and of the same job."""
        try:
            return read_bounded(self.folder / JOB_FILE) == self._job
        except (OSError, DamagedError):
            return False

    @property
    def bad(self) -> list[str]:
        """What parts leave out as it could not be read, in words, by whomever they were made."""
        found: dict[str, None] = {}
        for path in sorted(self.folder.glob("bad*.json")):
            found |= dict.fromkeys(parse_json(read_bounded(path), list[str]))
        return list(found)

    @property
    def others_at_work(self) -> bool:
        """Whether other processes that live fill it."""
        for path in self.folder.glob("at-work-*.lock"):
            lock = FileLock(path)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                return True
            _release(lock)
        return False

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let other processes know, during the block, that this one fills it.

        Raises:
            StorageError: It cannot be written.
        """
        lock = FileLock(self.folder / f"at-work-{self._own}.lock")
        with write_faults(self.folder):
            lock.acquire()
        try:
            yield
        finally:
            _release(lock)

    def finished(self) -> set[tuple[int, int]]:
        """Return which parts are there: rows of windows, and numbers of stripes."""
        with write_faults(self.folder):
            names = [path.name for path in self.folder.iterdir()]
        return {(int(one[1]), int(one[2])) for name in names if (one := PART.fullmatch(name))}

    def has(self, row: int, stripe: Stripe) -> bool:
        """Whether a part is there."""
        return self._path(row, stripe.number).exists()

    def first_missing(self, stripe: Stripe) -> int:
        """Return the first row of windows of a stripe that has no part; the number of rows when all have."""
        rows = len(self._cover.rows.starts)
        return next((row for row in range(rows) if not self._path(row, stripe.number).exists()), rows)

    def add(self, part: Part, bad: Iterable[str] = ()) -> None:
        """Write a part, whole or not at all.

        Raises:
            StorageError: It cannot be written.
        """
        from rasterio.errors import RasterioError
        from rasterio.io import MemoryFile

        path = self._path(part.row, part.stripe.number)
        temporary = path.with_suffix(f".{self._own}.tmp")
        found = [part.mask, part.probability, *([] if part.uncertainty is None else [part.uncertainty])]
        height, width = part.mask.shape
        with write_faults(self.folder, RasterioError):
            before = len(self._bad)
            self._bad.update(dict.fromkeys(bad))
            if len(self._bad) > before:
                temporary.write_text(json.dumps(list(self._bad)), encoding="utf-8")
                temporary.replace(self.folder / f"bad-{self._own}.json")
            with MemoryFile() as memory:  # GDAL does not always notice that a disk is full, and prints what it does
                with memory.open(
                    driver="GTiff",
                    height=height,
                    width=width,
                    count=len(found),
                    dtype="uint8",
                    compress="deflate",
                    zlevel=1,
                    photometric="minisblack",
                ) as file:
                    file.write(np.stack(found))
                content = memory.read()
            try:
                temporary.write_bytes(content)
                temporary.replace(path)
            except OSError:
                temporary.unlink(missing_ok=True)  # the room is needed
                raise

    def layer(self, layer: str, raster: Raster, task: Task, *, picture: bool = False, meaning: str = "") -> Path:
        """Write a virtual raster of the whole map; returns its path.

        Args:
            layer: One of ``LAYERS``.
            raster: Whose size, place on earth and reference system the map has.
            task: What the mask's values mean: a colour table, and of several classes their names as metadata.
            picture: For people to look at: foreground is 255, and so is a probability of 1; what is not known is 0.
            meaning: What an uncertainty is.
        """
        classes = layer == "mask" and not (picture and task.binary)
        colours = _colour_table(task) if classes else []
        lines = [f'<VRTDataset rasterXSize="{raster.width}" rasterYSize="{raster.height}">']
        if picture:
            lookup = "" if colours else LOOKUP[layer]
            lines += ['<VRTRasterBand dataType="Byte" band="1">', *colours]
            return self._write(f"{layer}_picture", [*lines, *self._sources(layer, lookup)])
        if raster.crs is not None:
            lines.append(f"<SRS>{escape(raster.crs.to_wkt())}</SRS>")
        if not raster.transform.is_identity:
            lines.append(f"<GeoTransform>{', '.join(map(repr, raster.transform.to_gdal()))}</GeoTransform>")
        if colours and not task.binary:
            names = ",".join(f"{index}={name}" for index, name in enumerate(task.classes))
            lines.append(f'<Metadata><MDI key="CLASSES">{escape(names)}</MDI></Metadata>')
        lines.append(f'<VRTRasterBand dataType="Byte" band="1"><NoDataValue>{NODATA}</NoDataValue>')
        lines += colours
        if meaning:
            lines.append(f'<Metadata><MDI key="{MEANING}">{escape(meaning)}</MDI></Metadata>')
        if layer != "mask":
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
        """Delete the folder; to other processes it is gone at once."""
        away = self.folder.with_name(f"{self.folder.name}-{self._own}")
        with suppress(OSError):
            self.folder.replace(away)
            shutil.rmtree(away, ignore_errors=True)

    def forget(self, lock: Path) -> None:
        """Delete a lock of ours, and the folder if that is all of it: it was made again after its end."""
        with suppress(OSError):
            lock.unlink(missing_ok=True)
            self.folder.rmdir()

    def _path(self, row: int, stripe: int) -> Path:
        return self.folder / f"row{row:06d}-stripe{stripe:03d}.tif"


def _release(lock: FileLock) -> None:
    """Give a lock back and leave no file behind."""
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


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
