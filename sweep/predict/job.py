"""One raster from its file to its map: checked, predicted part by part, written, remembered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sweep.cli.counting import WindowProgress
from sweep.predict.cover import Cover
from sweep.predict.mapper import PROBABILITY_STEPS, Mapper
from sweep.predict.outputs import write_geotiff, write_overlay, write_picture, write_style
from sweep.predict.parts import Parts
from sweep.predict.polygons import ground_under, write_polygons
from sweep.predict.record import Record
from sweep.predict.settings import MapSettings
from sweep.rasters.addresses import unsigned
from sweep.rasters.files import Stamp, is_elsewhere, open_dataset, replace_or_skip, stamp
from sweep.rasters.gdal import gdal
from sweep.rasters.inputs import Input
from sweep.rasters.qgis import mask_style, polygon_style
from sweep.rasters.raster import Raster
from sweep.rasters.validity import BY_FILE, Validity
from sweep.results.ensemble import Ensemble
from sweep.results.model_rasters import alpha_warning, open_for_model, size_warning
from trainables.errors import ExperimentError


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """A raster that has been predicted.

    Attributes:
        files: What was written.
        facts: What is worth knowing of it, for the record and for programs.
        bad: What was left out as it could not be read, in words.
    """

    files: tuple[Path, ...]
    facts: dict[str, Any]
    bad: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is done with every raster.

    Attributes:
        ensemble: The models.
        settings: How they predict and what comes out.
        out: Folder of the results.
        skip_bad: Leave damaged blocks out.
        progress: Is told of every window.
        validity: What of a raster is taken for nothing beside what the file says.
    """

    ensemble: Ensemble
    settings: MapSettings
    out: Path
    skip_bad: bool
    progress: WindowProgress
    validity: Validity = BY_FILE

    @contextmanager
    def open(self, one: Input) -> Iterator[Raster]:
        """Open a raster for the duration of the block.

        Raises:
            ExperimentError: It cannot be used as it is.
        """
        settings = self.settings
        with open_for_model(
            one.path,
            self.ensemble,
            bands=settings.bands,
            scale=settings.scale,
            skip_bad=self.skip_bad,
            validity=self.validity,
        ) as raster:
            if options := settings.polygon_options(one.name):
                ground_under(raster.dataset, unsigned(one.path), options)
            yield raster

    def is_done(self, one: Input, record: Record) -> bool:
        """Whether a raster's results are there, and it has not changed since.

        Raises:
            ExperimentError: It cannot be opened, or the results are those of another raster.
        """
        if is_elsewhere(one.path):
            return record.has(one, {one.identity: []}, skip_bad=self.skip_bad)
        with gdal(), open_dataset(one.path, fix=replace_or_skip()) as dataset:
            return record.has(one, stamp(dataset, one.identity), skip_bad=self.skip_bad)

    def warning(self, one: Input) -> str:
        """Say that a raster's pixels are far from those of the training data; empty if they are not, or nobody knows.

        Raises:
            ExperimentError: It cannot be used as it is.
        """
        with self.open(one) as raster:
            return "; ".join(
                filter(None, (size_warning(one.path, raster, self.ensemble), alpha_warning(one.path, raster)))
            )

    def map(self, one: Input, record: Record) -> Mapped:
        """Predict a raster and write its map; resumes after the parts that an earlier run finished.

        Raises:
            ExperimentError: The raster is damaged or changes meanwhile, or polygons cannot be written.
            StorageError: There is no room.
        """
        with self.open(one) as raster:
            before = stamp(raster.dataset, one.identity)
            cover = Cover.of(raster.height, raster.width, self.ensemble.window)
            parts = Parts(
                self.out / f".{one.name}.parts", cover, self._identity(before, raster, cover), keep_bad=self.skip_bad
            )
            bad = self._predict(one.name, raster, cover, parts)
            if stamp(raster.dataset, one.identity) != before:
                parts.remove()
                raise ExperimentError(f"{one.path}: was changed while it was predicted; run the same command again")
            files, facts = self._write(one.name, raster, parts)
        facts = {"windows": cover.windows, "seconds": round(self.progress.seconds, 2), "bad": bad, **facts}
        record.add(one, before, files, facts)
        parts.remove()
        return Mapped(files=tuple(files), facts=facts, bad=tuple(bad))

    def _identity(self, stamp: Stamp, raster: Raster, cover: Cover) -> dict[str, Any]:
        """Return all that decides what a part holds."""
        return {
            "raster": stamp,
            "size": [raster.height, raster.width],
            "stripes": len(cover.stripes),
            "window": self.ensemble.window,
            "models": list(self.ensemble.hashes),
            "fold": self.ensemble.fold,
            "tta": self.ensemble.tta,
            **{name: value for name, value in asdict(self.settings).items() if name in ("threshold", "bands", "scale")},
            **({"temperature": self.settings.temperature} if self.settings.temperature else {}),
            **self.validity.settings,
        }

    def _predict(self, name: str, raster: Raster, cover: Cover, parts: Parts) -> list[str]:
        """Predict what is missing; returns the damaged blocks that were left out."""
        self.progress.begin(name, cover.windows)
        mapper = Mapper(
            forward=self.ensemble.forward,
            device=self.ensemble.device,
            batch_size=self.ensemble.batch_size,
            threshold=self.settings.threshold,
            channels=self.ensemble.best.task.channels,
            progress=self.progress.advance,
        )
        for stripe in cover.stripes:
            first = parts.first_missing(stripe)
            if first < len(cover.rows.starts):
                self.progress.skip(max(first - 1, 0) * len(stripe.columns.starts))
                for part in mapper.predict(raster, cover, stripe, first):
                    parts.add(part, raster.bad)
            else:
                self.progress.skip(first * len(stripe.columns.starts))
        return list(parts.bad)

    def _write(self, name: str, raster: Raster, parts: Parts) -> tuple[list[Path], dict[str, Any]]:
        """Write the results; returns the files and facts about them."""
        out, settings, task = self.out, self.settings, self.ensemble.best.task
        if not raster.georeferenced:
            files = [out / f"{name}_mask.png", out / f"{name}_overlay.jpg"]
            write_picture(parts, "mask", raster, task, files[0])
            write_overlay(parts, raster, task, files[1])
            if settings.probability:
                files.append(out / f"{name}_probability.png")
                write_picture(parts, "probability", raster, task, files[-1])
            return files, {}
        files = [out / f"{name}_mask.tif"]
        write_geotiff(parts, "mask", raster, task, files[0])
        files.append(write_style(mask_style(task), files[0]))
        probability = (out if settings.probability else parts.folder) / f"{name}_probability.tif"
        if settings.probability or settings.polygons:
            write_geotiff(parts, "probability", raster, task, probability)
        if settings.probability:
            files.append(probability)
        if (options := settings.polygon_options(name, out)) is None:
            return files, {}
        found = write_polygons(files[0], probability, options, scale=1 / PROBABILITY_STEPS, task=task)
        files.append(options.path)
        if options.path.suffix != ".gpkg":  # which has it inside
            files.append(write_style(polygon_style(task), options.path))
        return files, found.facts
