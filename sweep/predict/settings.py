"""How a prediction is made and what comes out of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sweep.predict.polygons import PolygonOptions
from sweep.results.ensemble import Ensemble
from trainables.errors import ExperimentError

OF_THE_MODEL = "model"


@dataclass(frozen=True, kw_only=True)
class MapSettings:
    """What the user decided about every raster.

    Attributes:
        threshold: Probability from which on a pixel is foreground, in (0, 1).
        probability: Write probabilities, too.
        polygons: Write polygons, too, in this format.
        min_area: Square metres below which a polygon is dropped and a hole filled.
        simplify: Metres by which a polygon's edge may move.
        regularise: Polygons that are nearly rectangles become ones.
        bands: Numbers of the bands that the model sees, from 1; empty takes those of its tiles' names.
        scale: The values that become 0 and 255; None for those of the model's tiles.
        temperature: Logits are divided by it; None leaves them as they are, as 1 does.
        temperature_not_applied: One that was fitted and makes probabilities of other tiles worse; else None.
        uncertainty: Write how unsure the models are, too.

    Raises:
        ExperimentError: A value outside its range, or one that has nothing to act on.
    """

    threshold: float = 0.5
    probability: bool = False
    polygons: Literal["gpkg", "geojson"] | None = None
    min_area: float = 0.0
    simplify: float = 0.0
    regularise: bool = False
    bands: tuple[int, ...] = ()
    scale: tuple[float, float] | None = None
    temperature: float | None = None
    temperature_not_applied: float | None = None
    uncertainty: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ExperimentError(f"--threshold {self.threshold:g}: must be between 0 and 1")
        for flag, value in (("--min-area", self.min_area), ("--simplify", self.simplify)):
            if value and self.polygons is None:
                raise ExperimentError(f"{flag} {value:g}: acts on polygons; add --polygons gpkg")
        if self.regularise and self.polygons is None:
            raise ExperimentError("--regularise: acts on polygons; add --polygons gpkg")
        self.polygon_options("any")  # refuses values outside their range
        if self.scale is not None and not -math.inf < self.scale[0] < self.scale[1] < math.inf:
            low, high = self.scale
            raise ExperimentError(f"--scale {low:g},{high:g}: the value of black comes first and is the smaller one")

    @property
    def fitted(self) -> dict[str, float]:
        """What was fitted to the models: empty without calibration."""
        if self.temperature is None:
            return {}
        unused = self.temperature_not_applied
        kept = {} if unused is None else {"temperature_not_applied": unused}
        return {"temperature": self.temperature, "threshold": self.threshold, **kept}

    def polygon_options(self, name: str, out: Path = Path()) -> PolygonOptions | None:
        """Return what becomes of a raster's polygons; None where none are asked for."""
        if self.polygons is None:
            return None
        path = out / f"{name}_polygons.{self.polygons}"
        return PolygonOptions(
            path=path, min_area_m2=self.min_area, simplify_m=self.simplify, regularise=self.regularise
        )


def metres_of(resample: str | None, ensemble: Ensemble) -> float | None:
    """Return the metres per pixel that are wanted; None for those of each raster.

    Args:
        resample: A number, or ``model`` for those of the models' tiles.
        ensemble: The models.

    Raises:
        ExperimentError: It is no such number, or nobody has said how large the tiles' pixels are.
    """
    if resample is None:
        return None
    if resample == OF_THE_MODEL:
        if ensemble.metres_per_pixel is None:
            raise ExperimentError(
                f"--resample model: nobody has said at how many metres per pixel {ensemble.names[0]} was trained; say "
                f"them: --resample 0.3"
            )
        return ensemble.metres_per_pixel
    try:
        metres = float(resample)
    except ValueError:
        metres = math.nan
    if not 0 < metres < math.inf:
        raise ExperimentError(f"--resample {resample}: must be metres per pixel, such as 0.3, or model")
    return metres
