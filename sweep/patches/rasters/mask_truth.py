"""Truth out of mask rasters, read by areas."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.rasters.area import Area
from sweep.patches.rasters.foreground import ForegroundReader
from sweep.patches.rasters.georeference import require_same_place
from sweep.patches.rasters.mask_files import read_classes, require_mask
from sweep.patches.rasters.reader import RasterFile, open_raster, opened_raster
from trainables.errors import DataError
from trainables.task import Task


@dataclass
class MaskTruth:
    """Reads areas of the masks of a dataset; a ``ReadTruth``.

    Attributes:
        task: What their values mean; None where ``foreground`` says.
        foreground: Reads them without a task.
        binarise: Make every band of masks with a task 0 below 128 and 255 from there first.
        known: Name of a source to the header of its mask, once that was found to fit its image.
    """

    task: Task | None
    foreground: ForegroundReader
    binarise: bool = False
    known: dict[str, RasterFile] = field(default_factory=dict)

    def __call__(self, source: SourceRaster, shape: tuple[int, int], area: Area) -> NDArray[np.uint8]:
        """Read an area of a source's mask as (H, W) uint8 class indices, 255 for pixels that do not count.

        Args:
            source: The source.
            shape: Height and width of its image.
            area: Which part.

        Raises:
            DataError: Damaged, of another size or place than its image, or not what task or rule say.
        """
        if source.name in self.known:
            return self._read(self.known[source.name], area)
        image = open_raster(source.image)
        with opened_raster(source.mask) as mask:
            require_same_place(image, mask)
            require_mask(mask)
            if mask.shape != shape:
                raise DataError(
                    f"{source.mask}: is {mask.width}x{mask.height} but its image is {image.size}; make them match"
                )
            found = self._read(mask, area)
            self.known[source.name] = mask.header
        return found

    def _read(self, mask: RasterFile, area: Area) -> NDArray[np.uint8]:
        return (
            read_classes(mask, area, self.task, binarise=self.binarise)
            if self.task
            else self.foreground.read(mask, area)
        )
