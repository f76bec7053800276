"""One raster from its file to its map: checked, predicted part by part, written, remembered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sweep.cli.counting import WindowProgress
from sweep.predict.claims import Claims, GoneError
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
from sweep.rasters.qgis import mask_style, polygon_style, share_style
from sweep.rasters.raster import Raster
from sweep.rasters.uncertainty_band import DISAGREEMENT, ENTROPY
from sweep.rasters.validity import BY_FILE, Validity
from sweep.results.ensemble import Ensemble
from sweep.results.model_rasters import (
    AS_IT_IS,
    Arrangement,
    alpha_warning,
    collar_warning,
    open_for_model,
    size_warning,
)
from trainables.errors import ExperimentError
from trainables.uncertainty import with_disagreement


class BusyError(Exception):
    """Other processes are at the same raster."""


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
        progress: Called after every window.
        validity: What of a raster counts as no data beside what the file says.
        arrangement: How the pixels of files become those that the models see.
    """

    ensemble: Ensemble
    settings: MapSettings
    out: Path
    skip_bad: bool
    progress: WindowProgress
    validity: Validity = BY_FILE
    arrangement: Arrangement = AS_IT_IS

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
            arrangement=self.arrangement,
        ) as raster:
            if options := settings.polygon_options(one.name):
                ground_under(raster, unsigned(one.path), options)
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

    def warnings(self, one: Input) -> list[str]:
        """Say what of a raster is unlike the training data: the size of its pixels, its alpha, black that is no data.

        Raises:
            ExperimentError: It cannot be used as it is.
        """
        path = unsigned(one.path)
        with self.open(one) as raster:
            found = [
                size_warning(path, raster, self.ensemble, fix="--resample model brings it to the model's"),
                alpha_warning(path, raster),
                collar_warning(path, raster),
            ]
        return [text for text in found if text]

    def map(self, one: Input, record: Record, *, join: bool = True) -> Mapped | None:
        """Predict a raster and write its map; resumes after the parts that an earlier run finished.

        Several processes share the work; the first of them to find it finished writes the map.

        Args:
            one: The raster.
            record: What is in the folder of results.
            join: Whether to help other processes that are at this raster.

        Returns:
            What was made; None where another process has finished it meanwhile.

        Raises:
            BusyError: Other processes are at this raster, and are not to be helped.
            ExperimentError: The raster is damaged or changes meanwhile, or polygons cannot be written.
            StorageError: There is no room.
        """
        with self.open(one) as raster:
            before = stamp(raster.dataset, one.identity)
            cover = Cover.of(raster.height, raster.width, self.ensemble.window)
            changed = f"{one.path}: was changed while it was predicted; run the same command again"
            with ExitStack() as stack:
                with record.predicting(one, wait=join) as ours:
                    if not ours:
                        raise BusyError
                    if record.has(one, before, skip_bad=self.skip_bad):
                        return None
                    identity = self._identity(before, raster, cover)
                    parts = Parts(self.out / f".{one.name}.parts", cover, identity, keep_bad=self.skip_bad)
                    if parts.others_at_work and not join:
                        raise BusyError
                    stack.enter_context(parts.at_work())
                with suppress(GoneError):
                    self._predict(one.name, raster, cover, parts)
                seconds = round(self.progress.seconds, 2)
                stack.enter_context(record.predicting(one, wait=True))
                if record.has(one, before, skip_bad=self.skip_bad):
                    return None
                if stamp(raster.dataset, one.identity) != before or not parts.is_there:
                    parts.remove()
                    raise ExperimentError(changed)
                bad = parts.bad
                files, facts = self._write(one.name, raster, parts)
                facts = {"windows": cover.windows, "seconds": seconds, "bad": bad, **facts}
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
            **({"uncertainty": True} if self.settings.uncertainty else {}),
            **self.validity.settings,
            **self.arrangement.settings,
        }

    def _predict(self, name: str, raster: Raster, cover: Cover, parts: Parts) -> None:
        """Predict what is missing and nobody else predicts.

        Raises:
            GoneError: Another process has finished the map, or thrown its parts away.
        """
        self.progress.begin(name, cover.windows)
        kind = self.uncertainty
        forward = self.ensemble.forward
        mapper = Mapper(
            forward=with_disagreement(forward, self.ensemble.members()) if kind == "disagreement" else forward,
            device=self.ensemble.device,
            batch_size=self.ensemble.batch_size,
            threshold=self.settings.threshold,
            channels=self.ensemble.best.task.channels,
            uncertainty=kind,
            progress=self.progress.advance,
        )
        claims = Claims(parts, cover)
        wide = {stripe.number: len(stripe.columns.starts) for stripe in cover.stripes}
        known = 0
        for stripe, first, rows in claims.streams():
            elsewhere = sum(wide[number] for _, number in parts.finished()) - known
            self.progress.skip(elsewhere - (wide[stripe.number] if first else 0))  # the row above comes again
            known += elsewhere
            for part in mapper.predict(raster, cover, stripe, first, rows):
                parts.add(part, raster.bad)
                claims.finished(part)
                known += wide[stripe.number]

    @property
    def uncertainty(self) -> Literal["entropy", "disagreement"] | None:
        """What is kept of how unsure the models are; None where nothing is kept."""
        if not self.settings.uncertainty:
            return None
        return "disagreement" if self.ensemble.size > 1 else "entropy"

    def _write(self, name: str, raster: Raster, parts: Parts) -> tuple[list[Path], dict[str, Any]]:
        """Write the results; returns the files and facts about them."""
        files, facts = self._write_map(name, raster, parts)
        if kind := self.uncertainty:
            files.append(self.out / f"{name}_uncertainty.tif")
            meaning = ENTROPY if kind == "entropy" else DISAGREEMENT
            write_geotiff(parts, "uncertainty", raster, self.ensemble.best.task, files[-1], meaning)
            files.append(write_style(share_style("uncertainty"), files[-1]))
        return files, facts

    def _write_map(self, name: str, raster: Raster, parts: Parts) -> tuple[list[Path], dict[str, Any]]:
        """Write all but the uncertainty."""
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
            files += [probability, write_style(share_style("probability"), probability)]
        if (options := settings.polygon_options(name, out)) is None:
            return files, {}
        found = write_polygons(files[0], probability, options, scale=1 / PROBABILITY_STEPS, task=task)
        files.append(options.path)
        if options.path.suffix != ".gpkg":  # which has it inside
            files.append(write_style(polygon_style(task), options.path))
        return files, found.facts
