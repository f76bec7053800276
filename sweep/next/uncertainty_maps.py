"""``--uncertainty-map``: what ``predict --uncertainty`` made of the same rasters is how unsure their windows are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.next.windows import CandidateWindow, Unlabelled
from sweep.rasters.addresses import unsigned
from sweep.rasters.gdal import gdal
from sweep.rasters.inputs import result_name
from sweep.rasters.uncertainty_band import MEANING, NODATA
from trainables.data.tiles import same_name
from trainables.errors import ExperimentError
from trainables.invocation import command


@dataclass(frozen=True, kw_only=True)
class UncertaintyMaps:
    """The maps of rasters.

    Attributes:
        paths: Number of a raster to its map.
        meaning: What they say of themselves.
    """

    paths: Mapping[int, Path]
    meaning: str

    @classmethod
    def find(cls, folder: Path, rasters: Mapping[int, Unlabelled], model: str) -> UncertaintyMaps:
        """Find the map of each raster by its name.

        Args:
            folder: The ``--out`` of the prediction.
            rasters: Number to raster, those that windows are cut from.
            model: The user's, for the command that makes what is missing.

        Raises:
            ExperimentError: Some have none, or one of another size; all of them listed.
        """
        import rasterio
        from rasterio.errors import RasterioError

        paths, faults, meanings = {}, [], set()
        for number, one in rasters.items():
            name = result_name(one.path)
            apart = f"{same_name(Path(one.path).resolve().parent.name)}-{name}"
            candidates = [folder / f"{which}_uncertainty.tif" for which in (name, apart)]
            path = next((file for file in candidates if file.is_file()), None)
            if path is None:
                make = command("predict", one.path, "--model", model, "--out", str(folder), "--uncertainty")
                faults.append(f"--uncertainty-map {folder}: has no {candidates[0].name}; make it with {make}")
                continue
            try:
                with gdal(), rasterio.open(path) as made, rasterio.open(one.path) as raster:
                    if made.shape != raster.shape or made.transform != raster.transform:
                        faults.append(
                            f"{path}: is on another grid than {unsigned(one.path)}; predict that raster again into "
                            f"another folder"
                        )
                    meanings.add(made.tags(1).get(MEANING, ""))
            except RasterioError as error:
                faults.append(f"{path}: cannot be read as a raster ({error}); predict it again")
            paths[number] = path
        if not faults and len(meanings) > 1:
            faults.append(
                f"--uncertainty-map {folder}: some of its maps are of one model, others of several; predict all alike"
            )
        if faults:
            raise ExperimentError(faults)
        return cls(paths=paths, meaning=min(meanings, default=""))

    def of(self, windows: Sequence[CandidateWindow]) -> NDArray[np.float32]:
        """Return the (N,) mean uncertainty of windows, over the pixels where something is known, in [0, 1].

        Args:
            windows: Raster by raster.

        Raises:
            ExperimentError: A map is damaged.
        """
        import rasterio
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        found: list[float] = []
        for number, some in groupby(windows, key=lambda window: window.source):
            try:
                with gdal(), rasterio.open(self.paths[number]) as file:
                    for one in some:
                        values = file.read(1, window=Window(one.left, one.top, one.width, one.height))
                        known = values[values != NODATA]
                        found.append(float(known.mean() * file.scales[0]) if known.size else 0.0)
            except RasterioError as error:
                raise ExperimentError(f"{self.paths[number]}: is damaged ({error}); predict it again") from error
        return np.array(found, np.float32)
