"""What is labelled already or held out, so that nobody is asked to label it: known by hashes and places, not by looks.

No test tile is opened. The dataset's manifest says the hash of its file, which raster it was cut from and where, and
where it is on the ground; a storage's ledger says the hashes of what was scored.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.next.windows import CandidateWindow, Unlabelled
from sweep.rasters.addresses import is_remote
from sweep.rasters.held_out import pixels_sha256
from trainables.data.manifest import Manifest
from trainables.data.tiles import SPLITS
from trainables.errors import DataError

PLACE = re.compile(r"(.+) x=(\d+) y=(\d+)")
"""How a manifest names the raster that a tile was cut from, and where."""
LEAST_SHARED = 0.03
"""Share of the smaller one that a window and a tile must have in common to show the same ground."""
TEST = SPLITS[-1]


@dataclass(frozen=True, kw_only=True)
class KnownTile:
    """A tile of the dataset, as its manifest describes it.

    Attributes:
        split: Where it is.
        scene: Its scene; empty where that is not known.
        left: Its first column in the raster that it was cut from.
        top: Its first row there.
        width: Its columns.
        height: Its rows.
    """

    split: str
    scene: str
    left: int
    top: int
    width: int
    height: int

    def shares(self, window: CandidateWindow) -> bool:
        """Whether a window of the same raster shows the same ground."""
        across = min(self.left + self.width, window.columns[1]) - max(self.left, window.left)
        down = min(self.top + self.height, window.rows[1]) - max(self.top, window.top)
        smaller = min(self.width * self.height, window.width * window.height)
        return across > 0 and down > 0 and across * down >= LEAST_SHARED * smaller


@dataclass(frozen=True, kw_only=True)
class PlacedTile:
    """A tile of the dataset that is georeferenced.

    Attributes:
        split: Where it is.
        crs: Its CRS, as the manifest spells it.
        corners: (4, 2) float64 in it, in their order around the tile.
    """

    split: str
    crs: str
    corners: NDArray[np.float64]


class KnownTiles:
    """The tiles of a dataset, of all splits.

    Args:
        manifest: The dataset's; None where it has none.
        scored_files: Entries ``SIZE SHA256`` of test tiles' files that a storage's ledger knows.
        pixels: Hash of a tile's pixels to its split, see ``pixels_sha256``.

    Attributes:
        scenes: Scene to the splits that show it.
        names: Of all tiles.
    """

    def __init__(
        self,
        manifest: Manifest | None,
        scored_files: Iterable[str] = (),
        pixels: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._files: dict[str, str] = {entry.partition(" ")[2]: TEST for entry in scored_files}
        self._pixels = pixels
        self._cut: dict[str, list[KnownTile]] = {}
        self._placed: list[PlacedTile] = []
        self.scenes: dict[str, set[str]] = {}
        self.names = frozenset(name for split in (manifest.splits.values() if manifest else ()) for name in split)
        for path, entry in (manifest.files if manifest else {}).items():
            split, _, rest = path.partition("/")
            if split in SPLITS and rest.startswith("images/"):
                self._add(split, entry)

    def _add(self, split: str, entry: Mapping[str, Any]) -> None:
        self._files[entry["sha256"]] = split
        scene = entry.get("scene", "")
        self.scenes.setdefault(scene, set()).add(split)
        width, height = entry.get("width", 0), entry.get("height", 0)
        if found := PLACE.fullmatch(entry.get("source", "")):
            tile = KnownTile(
                split=split, scene=scene, left=int(found[2]), top=int(found[3]), width=width, height=height
            )
            self._cut.setdefault(found[1], []).append(tile)
        if "transform" in entry and "crs" in entry:
            a, b, c, d, e, f = entry["transform"]
            ends = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
            corners = ends @ np.array([[a, d], [b, e]]) + np.array([c, f])
            self._placed.append(PlacedTile(split=split, crs=entry["crs"], corners=corners))

    def split_of_file(self, path: str) -> str:
        """Return the split of a tile's very file, which is not decoded; empty for another file."""
        if not self._files or is_remote(path):
            return ""
        try:
            with Path(path).open("rb") as file:
                return self._files.get(hashlib.file_digest(file, "sha256").hexdigest(), "")
        except OSError:  # opening it says so
            return ""

    def split_of_pixels(self, image: NDArray[np.uint8]) -> str:
        """Return the split of the tile that has the very same (N, H, W) pixels; empty for none."""
        return self._pixels.get(pixels_sha256(np.moveaxis(image, 0, 2)), "") if self._pixels else ""

    def of_raster(self, one: Unlabelled, dataset: Any) -> KnownInRaster:
        """Return what is known of a raster.

        Args:
            one: The raster.
            dataset: The same as rasterio opened it.

        Raises:
            DataError: Its CRS leads nowhere.
        """
        path = Path(one.path)
        tiles = self._cut.get(f"{path.parent.name}/{path.name}", [])
        scenes = {tile.scene for tile in tiles if tile.scene}
        if len(scenes) > 1:  # rasters of one name in several folders; the scene is what the folder above is called
            own = {*path.resolve().parts, one.name}
            tiles = [tile for tile in tiles if tile.scene in own]
        return KnownInRaster(tiles, _polygons(self._placed, dataset, one.path))


class KnownInRaster:
    """What of a raster is labelled or held out.

    Args:
        tiles: Those that were cut from it.
        polygons: Split and (4, 2) pixel coordinates of the corners of those that lie on its ground.
    """

    def __init__(self, tiles: Sequence[KnownTile], polygons: Sequence[tuple[str, NDArray[np.float64]]]) -> None:
        self._tiles = tiles
        self._splits = [split for split, _ in polygons]
        self._tree: Any = None
        if polygons:
            import shapely

            self._shapes = [shapely.Polygon(corners) for _, corners in polygons]
            self._tree = shapely.STRtree(self._shapes)

    def split_of(self, window: CandidateWindow) -> str:
        """Return the split of a tile that shows the same ground as a window, held-out ones first; empty for none."""
        found = {tile.split for tile in self._tiles if tile.shares(window)}
        if self._tree is not None:
            import shapely

            own = shapely.box(window.left, window.top, window.columns[1], window.rows[1])
            for number in self._tree.query(own, predicate="intersects").tolist():
                other = self._shapes[number]
                if own.intersection(other).area >= LEAST_SHARED * min(own.area, other.area):
                    found.add(self._splits[number])
        return next((split for split in reversed(SPLITS) if split in found), "")


def _polygons(placed: Sequence[PlacedTile], dataset: Any, path: str) -> list[tuple[str, NDArray[np.float64]]]:
    """Return the tiles' corners in a raster's pixels."""
    from rasterio.crs import CRS
    from rasterio.errors import RasterioError
    from rasterio.warp import transform

    if not placed or dataset.crs is None or dataset.transform.is_identity:
        return []
    matrix = dataset.transform
    back = np.linalg.inv(np.array([[matrix.a, matrix.b], [matrix.d, matrix.e]])).T
    found = []
    for crs in dict.fromkeys(one.crs for one in placed):
        mine = [one for one in placed if one.crs == crs]
        corners = np.concatenate([one.corners for one in mine])
        try:
            other = CRS.from_string(crs)
            if other != dataset.crs:
                corners = np.stack(transform(other, dataset.crs, *corners.T), axis=1)
        except RasterioError as error:
            raise DataError(
                f"{path}: its CRS and that of the dataset's tiles, {crs[:60]}, lead nowhere into each other ({error}); "
                "warp the raster first: gdalwarp -t_srs"
            ) from error
        pixels = ((corners - np.array([matrix.c, matrix.f])) @ back).reshape(-1, 4, 2)
        found += [(one.split, own) for one, own in zip(mine, pixels, strict=True) if np.isfinite(own).all()]
    return found
