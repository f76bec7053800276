"""``--from``: polygons, and masks at another threshold, of a map that is there, without predicting it again."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from sweep.cli.marks import flag
from sweep.cli.output import Output, say
from sweep.predict.mapper import NODATA, PROBABILITY_STEPS
from sweep.predict.outputs import GEOTIFF, RESAMPLING, copy_raster, write_style
from sweep.predict.parts import write_faults
from sweep.predict.polygons import write_polygons
from sweep.predict.record import Record
from sweep.predict.saying import made_in_words, say_removed
from sweep.predict.settings import MapSettings
from sweep.rasters.files import Stamp
from sweep.rasters.gdal import gdal
from sweep.rasters.inputs import Input
from sweep.rasters.libtiff import libtiff_faults
from sweep.rasters.qgis import mask_style, polygon_style
from sweep.records.predictions import RECORD_FILE, Document, read_document
from trainables.errors import ExperimentError
from trainables.escaping import visible
from trainables.task import Task

STRIP_ROWS = 512
NEEDS_PREDICTION = (
    *("inputs", "model", "fold", "refit", "ensemble", "tta", "probability", "bands", "scale", "batch_size", "mosaic"),
    *(
        "on_top",
        "skip_bad",
        "patches",
        "nodata",
        "ignore_alpha",
        "clip",
        "resample",
        "workers",
        "band_files",
        "calibrated",
        "uncertainty",
    ),
)
"""Options that decide what a model sees and says."""


@dataclass(frozen=True, kw_only=True)
class FinishedMap:
    """A map of ``sweep.predict`` on this machine.

    Attributes:
        folder: Where it is.
        document: Its record.
    """

    folder: Path
    document: Document

    @classmethod
    def open(cls, folder: Path) -> FinishedMap:
        """Read its record.

        Raises:
            ExperimentError: There is none, it is damaged, or nothing of the map has polygons.
        """
        if not (folder / RECORD_FILE).is_file():
            raise ExperimentError(f"--from {folder}: holds no {RECORD_FILE}; name the --out of an earlier prediction")
        found = cls(folder=folder, document=read_document(folder / RECORD_FILE))
        if not found.names:
            raise ExperimentError(
                f"--from {folder}: holds no map with a place on earth, of which polygons could be made"
            )
        return found

    @property
    def names(self) -> list[str]:
        """Of its rasters that have a place on earth."""
        inputs = self.document["inputs"]
        return [name for name, entry in inputs.items() if f"{name}_mask.tif" in entry["files"]]

    @property
    def threshold(self) -> float:
        """At which its masks were made."""
        value = self.document["settings"].get("threshold", 0.5)
        return float(value) if isinstance(value, (int, float)) else 0.5

    def mask(self, name: str) -> Path:
        """Return where a raster's mask is."""
        return self.folder / f"{name}_mask.tif"

    def probability(self, name: str) -> Path | None:
        """Return where its probabilities are; None where none were kept."""
        path = self.folder / f"{name}_probability.tif"
        kept = path.name in self.document["inputs"][name]["files"]
        return path if kept and path.is_file() else None

    def require(self, settings: MapSettings) -> None:
        """Refuse what this map does not hold enough for.

        Raises:
            ExperimentError: Another threshold is wanted, and there are no probabilities, or several classes.
        """
        if settings.threshold != self.threshold:
            for name in self.names:
                if _classes(self.mask(name)):
                    raise ExperimentError(
                        f"--threshold {settings.threshold:g}: decides on one foreground class, but {self.mask(name)} "
                        f"distinguishes several classes; leave it out"
                    )
                if self.probability(name) is None:
                    raise ExperimentError(
                        f"--threshold {settings.threshold:g}: {self.folder} has no probabilities of {name}, whose mask "
                        f"was made at {self.threshold:g}; predict it again with --probability"
                    )

    def inputs(self) -> Iterator[Input]:
        """Yield what is made again."""
        for name in self.names:
            if not self.mask(name).is_file():
                raise ExperimentError(f"{self.mask(name)}: is not there any more; predict it again")
            yield Input(path=str(self.mask(name)), name=name)

    def make(self, one: Input, settings: MapSettings, out: Path) -> tuple[list[Path], dict[str, Any]]:
        """Write a raster's mask, where the threshold is another one, and its polygons.

        Returns:
            The files, and facts about them.

        Raises:
            ExperimentError: The mask has no place on earth.
            StorageError: There is no room.
        """
        mask, probability = self.mask(one.name), self.probability(one.name)
        files = []
        if settings.threshold != self.threshold:
            assert probability is not None
            mask = out / f"{one.name}_mask.tif"
            _threshold(probability, settings.threshold, mask, _task(self.mask(one.name)))
            style = self.mask(one.name).with_suffix(".qml")
            text = style.read_text(encoding="utf-8") if style.is_file() else mask_style(_task(self.mask(one.name)))
            files += [mask, write_style(text, mask)]
        if (options := settings.polygon_options(one.name, out)) is None:
            return files, {}
        task = _task(self.mask(one.name))
        found = write_polygons(mask, probability, options, scale=1 / PROBABILITY_STEPS, task=task)
        files.append(options.path)
        if options.path.suffix != ".gpkg":  # which has it inside
            files.append(write_style(polygon_style(task), options.path))
        return files, found.facts


def _classes(mask: Path) -> tuple[str, ...]:
    """Return the classes of a mask of several; none of a binary one."""
    import rasterio

    with gdal(), rasterio.open(mask) as file:
        text = file.tags().get("CLASSES", "")
    return tuple(one.partition("=")[2] for one in re.split(r",(?=\d+=)", text)) if text else ()


def _task(mask: Path) -> Task:
    """Return what a mask says of its classes and their colours; an earlier version's binary one says nothing."""
    import rasterio

    classes = _classes(mask)
    with gdal(), rasterio.open(mask) as file:
        table = file.colormap(1) if file.colorinterp[0].name == "palette" else {}
    colours = tuple(table[value][:3] for value in range(len(classes) or 2)) if table else ()
    return Task(kind="multiclass", classes=classes, colours=colours) if classes else Task(colours=colours)


def _threshold(probability: Path, threshold: float, mask: Path, task: Task) -> None:
    """Write the mask of what has at least this probability, in steps of 250ths as they are stored."""
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    least = int(np.ceil(threshold * PROBABILITY_STEPS - 1e-9))
    temporary = mask.with_name(f".{mask.name}.whole.tif")
    with write_faults(mask, RasterioError), gdal():
        try:
            with rasterio.open(probability) as source:
                profile = {**source.profile, "driver": "GTiff", "nodata": NODATA, "bigtiff": "if_safer"}
                profile = {key: value for key, value in profile.items() if key not in ("blocksize", "interleave")}
                wanted = {**profile, "compress": "deflate", "zlevel": 1}
                with libtiff_faults(), rasterio.open(temporary, "w", **wanted) as target:
                    target.write_colormap(1, dict(enumerate(task.shown_colours)))
                    for top in range(0, source.height, STRIP_ROWS):
                        window = Window(0, top, source.width, min(STRIP_ROWS, source.height - top))
                        steps = source.read(1, window=window)
                        found = np.where(steps == NODATA, NODATA, steps >= least).astype(np.uint8)
                        target.write(found, 1, window=window)
            copy_raster(temporary, mask, "COG", {**GEOTIFF, "overview_resampling": RESAMPLING["mask"]})
        finally:
            temporary.unlink(missing_ok=True)


def require_no_prediction(options: Any) -> None:
    """Refuse options that decide what a model sees and says.

    Args:
        options: The command's, a dataclass.

    Raises:
        ExperimentError: One is not at its default.
    """
    defaults = {one.name: one.default for one in fields(options)}
    for name in NEEDS_PREDICTION:
        if getattr(options, name) != defaults[name]:
            shown = "INPUT" if name == "inputs" else flag(name)
            raise ExperimentError(f"{shown}: needs a new prediction; leave it out, or leave out --from")


def make_again(
    folder: Path, out: Path, settings: MapSettings, output: Output, *, threshold: float | None, overwrite: bool
) -> None:
    """Make polygons and masks of a finished map into another folder; what is there already is not made twice.

    Args:
        folder: The map.
        out: Where results go.
        settings: What is made.
        output: Where to say so.
        threshold: That of its masks; None for the map's own.
        overwrite: Replace what ``out`` holds of other settings.

    Raises:
        ExperimentError: Nothing would be made, or it cannot be made of this map.
        StorageError: There is no room.
    """
    found = FinishedMap.open(folder)
    settings = replace(settings, threshold=threshold or found.threshold)
    if folder.resolve() == out.resolve():
        raise ExperimentError(
            f"--out {out}: is the map itself, whose record says how it was made; choose another folder"
        )
    if settings.polygons is None and settings.threshold == found.threshold:
        raise ExperimentError(f"--from {folder}: say what to make of it: --polygons gpkg, or another --threshold")
    found.require(settings)
    record = Record(out, {"from": str(folder.resolve()), **asdict(settings)}, overwrite=overwrite)
    inputs = list(found.inputs())
    for one in inputs:
        record.require_free(one)
    say_removed(record.begin(), output)
    for one in inputs:
        with record.predicting(one, wait=True):
            sources = [found.mask(one.name), found.probability(one.name)]
            state: Stamp = {str(path): [path.stat().st_size, path.stat().st_mtime_ns] for path in sources if path}
            if record.has(one, state):
                output.console.print(f"{visible(one.name)}: is there already")
                continue
            started = time.monotonic()
            files, facts = found.make(one, settings, out)
            facts["seconds"] = round(time.monotonic() - started, 2)
            record.add(one, state, files, facts)
            output.results.print(made_in_words(one.name, files, facts))
            output.events.emit("predicted", input=one.path, files=[str(file) for file in files], **facts)
    say(output.results, "results", str(out))
