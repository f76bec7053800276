"""Finds the images of ``--src`` and how to read their truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sweep.patches.labels.formats import open_labels
from sweep.patches.layouts.sources import SourceRaster, SourceSet, find_images, find_sources
from sweep.patches.options import Make
from sweep.patches.rasters.area import Area
from sweep.patches.rasters.foreground import ForegroundReader, parse_foreground
from sweep.patches.rasters.georeference import require_same_place
from sweep.patches.rasters.mask_files import read_classes
from sweep.patches.rasters.reader import open_raster
from sweep.patches.tasks import as_written, read_task
from trainables.errors import DataError
from trainables.task import Task


def open_sources(options: Make) -> SourceSet:
    """Return the images of ``--src`` with their masks or labels.

    Raises:
        DataError: Flags that do not go together, or everything that is wrong with the files' names.
    """
    rule = parse_foreground(options.foreground)
    if options.foreground and (options.task or options.labels):
        other = "--task" if options.task else "--labels"
        raise DataError(f"--foreground {options.foreground}: does not go with {other}; leave one of them out")
    if options.layer and not options.labels:
        raise DataError(f"--layer {options.layer}: chooses a layer of a file with polygons; name it by --labels")
    task = read_task(options.task) if options.task else None
    written = as_written(task or Task())
    if options.labels:
        sources = find_images(options.src, options.labels)
        labels = open_labels(options.labels, sources, task, options.layer)
        return SourceSet(layout="images and labels", sources=sources, truth=labels.rasterise, task=written)

    foreground = ForegroundReader(rule)

    def truth(source: SourceRaster, shape: tuple[int, int], area: Area) -> NDArray[np.uint8]:
        require_same_place(source)
        mask = read_classes(source.mask, task) if task else foreground.read(source.mask)
        if mask.shape != shape:
            sizes = f"is {mask.shape[1]}x{mask.shape[0]} but its image is {open_raster(source.image).size}"
            raise DataError(f"{source.mask}: {sizes}; make them match")
        return mask[area.rows, area.columns]

    return SourceSet(layout="images and masks", sources=find_sources(options.src), truth=truth, task=written)
