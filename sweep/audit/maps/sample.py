"""``sample.json``: which pixels of which map are to be labelled, and what the map was when they were drawn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import TypedDict

from sweep.audit.maps.class_maps import DIFFER, VALUES
from sweep.audit.maps.drawing import SamplePoint
from sweep.records.outputs import is_sealed, sealed, write_files
from trainables.documents import DamagedError, parse_json, read_bounded
from trainables.errors import ExperimentError

SAMPLE_FILE = "sample.json"
FORMAT = 1


class MapShape(TypedDict):
    """A map as it was when the sample was drawn."""

    path: str
    stamp: dict[str, list[int | str]]


class StratumShape(TypedDict):
    """A stratum."""

    stratum: int
    pixels: int
    area: float


class PointShape(TypedDict):
    """A point."""

    column: int
    row: int
    stratum: int
    values: list[int]


class SampleShape(TypedDict):
    """``sample.json``."""

    format: int
    maps: list[MapShape]
    digest: str
    names: dict[str, str]
    seed: int
    requested: int
    unit: str
    crs: str | None
    empty: int
    strata: list[StratumShape]
    class_areas: list[dict[str, float]]
    points: list[PointShape]


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """A part of the map from which points were drawn.

    Attributes:
        number: The map's value, or ``DIFFER``.
        pixels: How many it has.
        area: How much ground.
    """

    number: int
    pixels: int
    area: float


@dataclass(frozen=True, kw_only=True)
class MapSample:
    """A sample of one map, or of two.

    Attributes:
        paths: The maps, as they were named.
        stamps: What changes when they do.
        digest: Changes when a pixel does.
        names: Value to the name of its class, in order: the classes that a label can have.
        seed: What it was drawn with.
        requested: How many points were asked for.
        unit: ``m2``, or ``pixels`` where the map does not say where it is.
        crs: Of the points' coordinates, as WKT; None likewise.
        empty: Pixels without data.
        strata: Where points were drawn.
        class_areas: For each map, value to area.
        points: By number.
    """

    paths: tuple[str, ...]
    stamps: tuple[dict[str, list[int | str]], ...]
    digest: str
    names: dict[int, str]
    seed: int
    requested: int
    unit: str
    crs: str | None
    empty: int
    strata: tuple[Stratum, ...]
    class_areas: tuple[dict[int, float], ...]
    points: tuple[SamplePoint, ...]

    @property
    def area(self) -> float:
        """How much ground all strata have."""
        return sum(one.area for one in self.strata)

    def write(self, folder: Path) -> None:
        """Write it.

        Raises:
            ExperimentError: That cannot be done.
        """
        values: SampleShape = {
            "format": FORMAT,
            "maps": [{"path": path, "stamp": stamp} for path, stamp in zip(self.paths, self.stamps, strict=True)],
            "digest": self.digest,
            "names": {str(value): name for value, name in self.names.items()},
            "seed": self.seed,
            "requested": self.requested,
            "unit": self.unit,
            "crs": self.crs,
            "empty": self.empty,
            "strata": [{"stratum": one.number, "pixels": one.pixels, "area": one.area} for one in self.strata],
            "class_areas": [{str(value): area for value, area in one.items()} for one in self.class_areas],
            "points": [
                {"column": one.column, "row": one.row, "stratum": one.stratum, "values": list(one.values)}
                for one in self.points
            ],
        }
        content = sealed(json.dumps(values).encode(), ".json")
        write_files({folder / SAMPLE_FILE: content}, ending=".json", overwrite=True)

    @classmethod
    def read(cls, folder: Path) -> MapSample | None:
        """Read it; None where none was drawn.

        Raises:
            ExperimentError: It is damaged, was changed by hand, or is from a newer version.
        """
        path = folder / SAMPLE_FILE
        if not path.exists():
            return None
        try:
            content = read_bounded(path)
            values = parse_json(content, SampleShape)
        except (DamagedError, OSError) as error:
            raise ExperimentError(f"{path}: damaged ({error}); restore it, or choose another --out") from error
        if values["format"] > FORMAT:
            raise ExperimentError(f"{path}: written by a newer tilesweep; update tilesweep")
        if not is_sealed(content, ".json") or not _is_sound(values):
            raise ExperimentError(f"{path}: was changed since it was written; restore it, or choose another --out")
        return cls(
            paths=tuple(one["path"] for one in values["maps"]),
            stamps=tuple(one["stamp"] for one in values["maps"]),
            digest=values["digest"],
            names={int(value): name for value, name in values["names"].items()},
            seed=values["seed"],
            requested=values["requested"],
            unit=values["unit"],
            crs=values["crs"],
            empty=values["empty"],
            strata=tuple(
                Stratum(number=one["stratum"], pixels=one["pixels"], area=one["area"]) for one in values["strata"]
            ),
            class_areas=tuple({int(value): area for value, area in one.items()} for one in values["class_areas"]),
            points=tuple(
                SamplePoint(
                    number=number,
                    column=one["column"],
                    row=one["row"],
                    stratum=one["stratum"],
                    values=tuple(one["values"]),
                )
                for number, one in enumerate(values["points"], start=1)
            ),
        )


def _is_sound(values: SampleShape) -> bool:
    known = {one["stratum"] for one in values["strata"]}
    classes = {int(one) for one in values["names"] if one.isdecimal()}
    numbers: Sequence[int] = [value for one in values["points"] for value in one["values"]]
    return (
        all(one.isdecimal() and int(one) < VALUES for one in values["names"])
        and {one["stratum"] for one in values["points"]} <= known
        and known <= {*range(VALUES), DIFFER}
        and set(numbers) <= classes
        and all(len(one["values"]) == len(values["maps"]) for one in values["points"])
    )
