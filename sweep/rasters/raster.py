"""A raster of any size, read by windows as a model sees it; what cannot be proved to be data is not valid."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.rasters.addresses import unsigned
from sweep.rasters.damage import Damage
from sweep.rasters.files import open_dataset
from sweep.rasters.gdal import in_thread
from sweep.rasters.nodata import by_nodata
from sweep.rasters.orientation import UPRIGHT, Orientation, Span, cut_span
from sweep.rasters.validity import BY_FILE, ClippedArea, Validity
from trainables.data.imagery import Scale, to_bytes
from trainables.errors import DataError

STRIPS = 64
"""Into so many strips an overview of a damaged raster is cut."""


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """A part of a raster.

    Attributes:
        image: (C, H, W) uint8; what holds nothing has the colour that stands for no data.
        valid: (H, W) bool, False where the raster has no data, is transparent, could not be read, or is outside the
            area that is wanted; what is there is in ``image`` all the same.
    """

    image: NDArray[np.uint8]
    valid: NDArray[np.bool_]


@dataclass(kw_only=True)
class Raster:
    """An open raster.

    A dataset that failed once is not asked again: many decoders, and GDAL's cache, then return filler without an error.
    It is opened again, and what fails there as well is damaged; so is what fails only once.

    Attributes:
        path: Its path or address.
        dataset: The open rasterio dataset; another one after a failure.
        bands: Numbers, from 1, of those that are read: of red, green and blue where nothing else is wanted.
        scale: For each of them the values that become 0 and 255; None where they are bytes already.
        fill: The colour of what is not valid, a value per band.
        damage: What of it could not be read, and what is done about that.
        palette: (N, 4) uint8 colours and alpha of the values of a raster of indices; None for none.
        orientation: How its pixels are turned before anyone sees them.
        validity: What of it counts as no data beside what the file says.
        area: Outside of which everything is; None for everywhere.
    """

    path: str
    dataset: Any
    bands: tuple[int, ...]
    scale: tuple[Scale, ...] | None
    fill: tuple[int, ...]
    damage: Damage
    palette: NDArray[np.uint8] | None = None
    orientation: Orientation = UPRIGHT
    validity: Validity = BY_FILE
    area: ClippedArea | None = None

    @property
    def bad(self) -> dict[str, None]:
        """What could not be read, in words; a damaged block once."""
        return self.damage.found

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.orientation.shape(*self._stored_shape)[0]

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return self.orientation.shape(*self._stored_shape)[1]

    @property
    def crs(self) -> Any:
        """Its coordinate reference system as rasterio has it; None where nobody has said."""
        return self.dataset.crs

    @property
    def transform(self) -> Any:
        """Of its upright pixels where it has a place, affine: a raster that is stored turned has none."""
        return self.dataset.transform

    @property
    def georeferenced(self) -> bool:
        """Whether the file says where on earth, or on a plan, its pixels are."""
        return self.crs is not None or not self.transform.is_identity

    @property
    def _stored_shape(self) -> tuple[int, int]:
        return int(self.dataset.height), int(self.dataset.width)

    @property
    def _stored_type(self) -> np.dtype[Any]:
        return np.result_type(*(self.dataset.dtypes[band - 1] for band in self.bands))

    @property
    def dtype(self) -> str:
        """Name of the numpy type of the values that ``values`` gives."""
        if self.palette is not None:
            return "uint8"
        return str(self._stored_type)

    def read(self, rows: Span, columns: Span) -> Pixels:
        """Read a part of it as a model sees it.

        Raises:
            DataError: A block is damaged, and ``skip_bad`` is not set.
        """
        values, known = self._upright(rows, columns)
        image = _bytes(values, self.scale)
        if not known.all():
            image = np.where(known, image, np.array(self.fill, dtype=np.uint8)[:, None, None])
        return Pixels(image=np.ascontiguousarray(image), valid=self._in_area(known, rows, columns))

    def valid(self, rows: Span, columns: Span) -> NDArray[np.bool_]:
        """Return which pixels of a part hold anything, (H, W) bool; values are read only where they decide that.

        Raises:
            DataError: A block is damaged, and ``skip_bad`` is not set.
        """
        from rasterio.errors import RasterioError

        by_value = self.palette is not None or self._stored_type.kind == "f" or self.validity.nodata is not None
        if by_value or self.damage.lost_from is not None or self.damage.missing:
            return self.values(rows, columns)[1]
        stored = self.orientation.stored(rows, columns, *self._stored_shape)
        try:
            with in_thread():
                known = np.ascontiguousarray(self.orientation.upright(self._known(*stored)))
                return self._in_area(known, rows, columns)
        except RasterioError:
            return self.values(rows, columns)[1]

    @property
    def _flags(self) -> list[Any]:
        flags = self.dataset.mask_flag_enums  # GDAL is asked of every band
        return [flags[band - 1] for band in self.bands]

    @property
    def _alpha_is_data(self) -> bool:
        """Whether what the file calls alpha was asked for as a band, or is to be ignored: then it hides nothing."""
        from rasterio.enums import MaskFlags

        if self.validity.ignore_alpha and all(MaskFlags.alpha in one for one in self._flags):
            return True
        return any(self.dataset.colorinterp[band - 1].name == "alpha" for band in self.bands)

    def values(self, rows: Span, columns: Span) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read a part of it as the file holds it, upright, a palette's values as its colours.

        Returns:
            (C, H, W) values, and (H, W) bool: which pixels hold any, and are in the area that is wanted.

        Raises:
            DataError: A block is damaged, and ``skip_bad`` is not set.
        """
        values, known = self._upright(rows, columns)
        return values, self._in_area(known, rows, columns)

    def _in_area(self, known: NDArray[np.bool_], rows: Span, columns: Span) -> NDArray[np.bool_]:
        return known & self.area.inside(rows, columns) if self.area else known

    def _upright(self, rows: Span, columns: Span) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return what ``values`` does, wherever the area is."""
        from rasterio.errors import RasterioError

        rows, columns = self.orientation.stored(rows, columns, *self._stored_shape)
        with in_thread():
            if self.damage.loses(rows) or self.damage.misses(rows, columns):
                values, valid = self._salvage(rows, columns)
            else:
                try:
                    values, valid = self._values(rows, columns)
                except RasterioError as error:
                    values, valid = self._salvage(rows, columns, error)
        valid = valid & ~self.validity.nothing(values)
        values, valid = self._coloured(values, valid)
        return np.ascontiguousarray(self.orientation.upright(values)), self.orientation.upright(valid).copy()

    def _coloured(self, values: NDArray[Any], valid: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Replace indices by their palette's colours."""
        if self.palette is None:
            return values, valid
        colours = self.palette[values[0]]
        return np.moveaxis(colours[..., :3], 2, 0), valid & (colours[..., 3] > 0)

    def shrunk(self, shape: Span) -> NDArray[np.uint8]:
        """Read all of it as (H, W, C) uint8 of a smaller or equal size; what cannot be read is black."""
        from rasterio.errors import RasterioError

        height, width = self._stored_shape
        shape = self.orientation.shape(*shape)
        try:
            if self.bad:
                raise RasterioError
            values = self._stored((0, height), (0, width), shape)
        except RasterioError:
            values = self._shrunk_strips(shape)
        values, _ = self._coloured(values, np.ones(shape, bool))
        return np.ascontiguousarray(self.orientation.upright(_bytes(values, self.scale)).transpose(1, 2, 0))

    def _shrunk_strips(self, shape: Span) -> NDArray[Any]:
        """Read strips of a damaged raster; those that cannot be read as a whole are black."""
        from rasterio.errors import RasterioError

        height, width = self._stored_shape
        values = np.zeros((len(self.bands), *shape), self._stored_type)
        for band, (low, _) in enumerate(self.scale or ()):
            values[band] = low
        edges = np.linspace(0, shape[0], min(STRIPS, shape[0]) + 1).astype(int).tolist()
        for top, bottom in itertools.pairwise(edges):
            rows = top * height // shape[0], -(-bottom * height // shape[0])
            if self.damage.loses(rows):
                break
            self._reopen()
            try:
                values[:, top:bottom] = self._stored(rows, (0, width), (bottom - top, shape[1]))
            except RasterioError:
                continue
        return values

    def _stored(self, rows: Span, columns: Span, shape: Span | None = None) -> NDArray[Any]:
        """Read (C, H, W) values as they are stored; a palette's indices."""
        from rasterio.windows import Window

        whole = rows[1] - rows[0] == self.dataset.height and columns[1] - columns[0] == self.dataset.width
        if self.dataset.driver == "PNG" and whole and shape is None and self.dataset.height > 1:
            # GDAL reads a whole PNG in a way of its own (3.10), which does not notice that its end is missing.
            middle = rows[1] // 2
            halves = [self._stored(half, columns) for half in ((0, middle), (middle, rows[1]))]
            return np.concatenate(halves, axis=1)
        window = Window.from_slices(rows, columns)
        if len({self.dataset.dtypes[band - 1] for band in self.bands}) == 1:
            sizes = {} if shape is None else {"out_shape": (len(self.bands), *shape)}
            values: NDArray[Any] = self.dataset.read(self.bands, window=window, **sizes)
            return values
        return np.stack([self.dataset.read(band, window=window, out_shape=shape) for band in self.bands])

    def _values(self, rows: Span, columns: Span) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read a stored window's (C, H, W) values and which pixels have any."""
        values = self._stored(rows, columns)
        valid = None if self._alpha_is_data else by_nodata(values, self.dataset, self.bands, self._flags)
        if valid is None:
            valid = self._known(rows, columns)
        if values.dtype.kind == "f":
            valid &= np.isfinite(values).all(axis=0)
        return values, valid

    def _known(self, rows: Span, columns: Span) -> NDArray[np.bool_]:
        """Read which pixels of a stored window the file says to hold anything."""
        from rasterio.enums import MaskFlags
        from rasterio.windows import Window

        flags = self._flags
        if self._alpha_is_data or all(MaskFlags.all_valid in one for one in flags):
            return np.ones((rows[1] - rows[0], columns[1] - columns[0]), dtype=bool)
        # Black in one band that declares 0 as nodata is a colour; in all of them it is nothing.
        shared = all(MaskFlags.per_dataset in one for one in flags)
        masks = self.dataset.read_masks(
            self.bands[0] if shared else self.bands, window=Window.from_slices(rows, columns)
        )
        return np.asarray(masks > 0) if shared else np.asarray((masks > 0).any(axis=0))

    def _salvage(
        self, rows: Span, columns: Span, first: Exception | None = None
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read what can be proved to be data, block by block as the file is laid out, from a dataset that never failed.

        Args:
            rows: Of the stored window.
            columns: Of the stored window.
            first: What happened when it was read at once; if nothing fails now, its data are not believed.
        """
        from rasterio.errors import RasterioError

        shape = (rows[1] - rows[0], columns[1] - columns[0])
        values = np.zeros((len(self.bands), *shape), self._stored_type)
        valid = np.zeros(shape, dtype=bool)
        height, width = self.dataset.block_shapes[self.bands[0] - 1]
        explained = first is None
        if first is not None:
            self.damage.refuse_nested(self.dataset, first)
            self._reopen()
        missing = self.damage.missing
        downs = cut_span(rows, height, (area[0] for area in missing))
        rights = cut_span(columns, width, (area[1] for area in missing))
        for down, right in itertools.product(downs, rights):
            if self.damage.loses(down) or self.damage.misses(down, right):
                continue
            place = (slice(down[0] - rows[0], down[1] - rows[0]), slice(right[0] - columns[0], right[1] - columns[0]))
            try:
                values[:, *place], valid[place] = self._values(down, right)
            except RasterioError as error:
                explained = True
                self._reopen()
                self.damage.note_block(self.dataset, down[0] // height, right[0] // width, (height, width), error)
        if not explained and first is not None:
            valid[:] = False
            self.damage.note_once(rows, columns, first)
        return values, valid

    def _reopen(self) -> None:
        """Open the file again.

        Raises:
            DataError: It is another one by now.
        """
        shape, kinds = self._stored_shape, self.dataset.dtypes
        self.dataset.close()
        self.dataset = open_dataset(self.path)
        if (self._stored_shape, self.dataset.dtypes) != (shape, kinds):
            raise DataError(f"{unsigned(self.path)}: was replaced while it was read; run the same command again")


def _bytes(values: NDArray[Any], scale: Sequence[Scale] | None) -> NDArray[np.uint8]:
    return np.moveaxis(to_bytes(np.moveaxis(values, 0, 2), scale), 2, 0)
