"""Which bands of a raster a model sees: by their names, then by their order, never by alpha."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from sweep.rasters.bands import choose_bands, kinds_of
from trainables.data.imagery import COLOURS
from trainables.errors import DataError

NIR = (*COLOURS, "nir")
R, G, B, A, U = (ColorInterp[name] for name in ("red", "green", "blue", "alpha", "undefined"))


def _chosen(
    folder: Path, kinds: tuple[ColorInterp, ...], wanted: tuple[str, ...], described: dict[int, str] | None = None
) -> tuple[int, ...]:
    path = folder / "a.tif"
    profile = {"driver": "GTiff", "width": 8, "height": 8, "count": len(kinds), "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, photometric="minisblack") as file:
        file.write(np.zeros((len(kinds), 8, 8), np.uint8))
        file.colorinterp = kinds
        for number, text in (described or {}).items():
            file.set_band_description(number, text)
    with rasterio.open(path) as file:
        return choose_bands(str(path), kinds_of(file), (), wanted)


@pytest.mark.parametrize(
    ("kinds", "wanted", "described", "expected"),
    [
        ((R, G, B, U), NIR, {4: "nir"}, (1, 2, 3, 4)),
        ((B, G, R, U), NIR, {4: "nir"}, (3, 2, 1, 4)),
        ((B, G, R, U), NIR, {}, (3, 2, 1, 4)),  # the one that no name fills
        ((U, B, G, R), NIR, {}, (4, 3, 2, 1)),
        ((U, U, U, U), NIR, {}, (1, 2, 3, 4)),
        ((U, U, U, U), NIR, {1: "nir", 2: "Red", 3: "green", 4: "blue"}, (2, 3, 4, 1)),
        ((B, G, R, U, U, U), NIR, {5: "NIR"}, (3, 2, 1, 5)),
        ((R, G, B, U, A), NIR, {}, (1, 2, 3, 4)),
        ((B, G, R, U), (*COLOURS, "band 4"), {}, (3, 2, 1, 4)),  # as a manifest calls one without a name
        ((R, G, B, A), COLOURS, {}, (1, 2, 3)),
        ((U, U, U), COLOURS, {}, (1, 2, 3)),
        ((U, U, R), COLOURS, {}, (3, 1, 2)),
    ],
)
def test_names_come_before_order(
    tmp_path: Path,
    kinds: tuple[ColorInterp, ...],
    wanted: tuple[str, ...],
    described: dict[int, str],
    expected: tuple[int, ...],
) -> None:
    assert _chosen(tmp_path, kinds, wanted, described) == expected


@pytest.mark.parametrize(
    ("kinds", "wanted", "said"),
    [
        ((R, G, B, A), NIR, "red, green, blue and nir are needed; take a raster that has them"),
        ((R, G, B, A), (*COLOURS, "band 4"), "red, green, blue and band 4 are needed; take a raster that has them"),
        ((U, U, U, U, U), NIR, "red, green, blue and nir are needed; say which, such as --bands 1,2,3,4"),
        ((R, G, B), NIR, "has 3 bands"),
    ],
)
def test_what_cannot_be_known_is_refused(
    tmp_path: Path, kinds: tuple[ColorInterp, ...], wanted: tuple[str, ...], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        _chosen(tmp_path, kinds, wanted)
