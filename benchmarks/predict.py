"""Windows per second of ``sweep.predict`` beside the loop of tutorials: one window at a time, blended on the host.

Run with ``python -m benchmarks.predict``; about five minutes on two CPU cores. Both read the same GeoTIFF, use the same
windows and the same fades, and write the mask; their masks and logits are compared. The second raster is a scene as
satellites deliver it, turned in its frame, so that much of it holds no data: tilesweep does not predict such windows.
Then comes a model so small that hardly anything but the loop is left: what a fast GPU would wait for. Last, a mosaic of
a hundred files beside one raster of the same pixels; ``--mosaic-only`` measures that alone, ``--reading-only`` what a
mosaic adds to it, in processor seconds, which other programs do not change.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import rasterio
import torch
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from benchmarks.report import Report, seconds
from benchmarks.tiles import synthetic_tiles
from sweep.predict.cover import Cover
from sweep.predict.mapper import NODATA, Mapper, _read_row
from sweep.predict.outputs import write_geotiff
from sweep.predict.parts import Parts
from sweep.predict.together import write_virtual
from sweep.rasters.gdal import quiet_gdal
from sweep.rasters.mosaic import Mosaic
from sweep.rasters.opening import open_raster
from sweep.rasters.pieces import as_mosaic
from sweep.rasters.raster import Raster
from trainables.data.imagery import COLOURS
from trainables.data.tiles import TuningData
from trainables.inference import default_batch, ready, within_memory
from trainables.models.base import SegmentationModel
from trainables.models.registry import ARCHITECTURES, build_model
from trainables.models.resolving import resolve
from trainables.recipe import Recipe
from trainables.task import Task
from trainables.windows import Side, ramp

FILE_SIDE = 1000
"""Pixels along a side of the files of which the reading is measured."""
DRAWN = 2
"""Synthetic tiles along a side of a scene, of 1024 pixels each."""
TURN = 30.0
"""Degrees by which the turned scene is in its frame."""


def write_raster(path: Path, side: int, *, turned: bool) -> None:
    """Write a synthetic scene, which repeats where it is large; a turned one has no data beside its footprint."""
    count = -(-side // 1024)
    drawn = min(count, DRAWN)
    with synthetic_tiles((drawn**2, 1, 1), 1024) as patches:
        tiles = [tile.image for tile in TuningData.read(patches).train]
    block = np.vstack([np.hstack(tiles[row * drawn : (row + 1) * drawn]) for row in range(drawn)])
    times = -(-count // drawn)
    image = np.tile(block, (times, times, 1))[:side, :side]
    image = np.maximum(image, 1)
    if turned:
        y, x = np.mgrid[:side, :side] - side / 2
        angle = np.radians(TURN)
        along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
        image[np.maximum(abs(along), abs(across)) > 0.37 * side] = 0
    profile = {"crs": "EPSG:32640", "transform": Affine(0.3, 0, 325_000, 0, -0.3, 2_787_000), "nodata": 0}
    with rasterio.open(
        path, "w", driver="GTiff", height=side, width=side, count=3, dtype="uint8", tiled=True, **profile
    ) as file:
        file.write(image.transpose(2, 0, 1))


def weights_along(side: Side) -> list[NDArray[np.float64]]:
    """Return the (W,) weights of each window along a side; over the side they add up to one."""
    found = [np.ones(side.window) for _ in side.starts]
    for number, (low, high) in enumerate(side.fades):
        rise = ramp(high - low).double().numpy()
        before, after = side.starts[number], side.starts[number + 1]
        found[number][low - before : high - before] = 1 - rise
        found[number][high - before :] = 0
        found[number + 1][low - after : high - after] = rise
        found[number + 1][: low - after] = 0
    return found


def naive(model: SegmentationModel, device: torch.device, path: Path, out: Path, window: int) -> None:
    """Predict window by window, and average on the host."""
    with rasterio.open(path) as source:
        rows, columns = Side.of(source.height, window), Side.of(source.width, window)
        total = np.zeros((source.height, source.width))
        for (top, down), (left, right) in itertools.product(
            zip(rows.starts, weights_along(rows), strict=True), zip(columns.starts, weights_along(columns), strict=True)
        ):
            image = source.read(window=Window(left, top, window, window))
            batch = (torch.from_numpy(image).float()[None] / 255).to(device)
            with torch.no_grad():
                logits = model(batch)[0, 0].cpu().numpy()
            total[top : top + window, left : left + window] += down[:, None] * right[None, :] * logits
        valid = source.dataset_mask() > 0
        mask = np.where(valid, (total >= 0).astype(np.uint8), NODATA)
        profile = {**source.profile, "count": 1, "nodata": NODATA, "compress": "deflate"}
    with rasterio.open(out, "w", **profile) as file:
        file.write(mask, 1)


def ours(
    model: SegmentationModel,
    recipe: Recipe,
    device: torch.device,
    path: Path,
    out: Path,
    opened: Callable[[Path], AbstractContextManager[Raster]] = lambda path: open_raster(str(path)),
) -> None:
    """Predict as the command does, its parts and its overviews included."""
    with opened(path) as raster:
        cover = Cover.of(raster.height, raster.width, recipe.crop_size)
        parts = Parts(out.parent / ".parts", cover, {})
        mapper = Mapper(
            forward=within_memory(ready(model, recipe, device)),
            device=device,
            batch_size=default_batch(recipe.crop_size, device),
            threshold=0.5,
            progress=lambda _: None,
        )
        for stripe in cover.stripes:
            for part in mapper.predict(raster, cover, stripe):
                parts.add(part)
        write_geotiff(parts, "mask", raster, Task(), out)
        parts.remove()


@contextmanager
def open_mosaic(folder: Path) -> Iterator[Raster]:
    """Open the files of a folder as one raster, as the command does with ``--mosaic``."""
    mosaic = Mosaic.of(sorted(map(str, folder.glob("*.tif"))), COLOURS)
    path = write_virtual(mosaic.to_vrt(), folder / "mosaic.vrt", overwrite=True)
    with open_raster(str(path)) as whole, as_mosaic(whole, mosaic) as raster:
        yield raster


def cut(path: Path, folder: Path, count: int = 10) -> Path:
    """Cut a raster into ``count`` squared files on its grid."""
    folder.mkdir()
    with rasterio.open(path) as source:
        height, width = source.height // count, source.width // count
        for row, column in itertools.product(range(count), range(count)):
            window = Window(column * width, row * height, width, height)
            profile = {**source.profile, "height": height, "width": width, "transform": source.window_transform(window)}
            with rasterio.open(folder / f"{row}_{column}.tif", "w", **profile) as file:
                file.write(source.read(window=window))
    return folder


def compare_mosaic(report: Report, path: Path, device: torch.device, repeats: int) -> None:
    """Measure a mosaic of a hundred files beside the raster that it shows, and compare the masks."""
    recipe = Recipe(architecture="unet", crop_size=64, model_size="tiny")
    weights = resolve(ARCHITECTURES["unet"].needs, "available")
    model = build_model(recipe, weights).eval().to(device)
    folder = cut(path, path.parent / "files")
    with rasterio.open(path) as file:
        side = file.height // 10 * 10
        whole = path.parent / "whole.tif"
        with rasterio.open(whole, "w", **{**file.profile, "height": side, "width": side}) as target:
            target.write(file.read(window=Window(0, 0, side, side)))
    windows = len(Side.of(side, recipe.crop_size).starts) ** 2
    outs = path.parent / "one.tif", path.parent / "many.tif"
    ways = {
        "one raster": partial(ours, model, recipe, device, whole, outs[0]),
        "100 files": partial(ours, model, recipe, device, folder, outs[1], open_mosaic),
    }
    paces = {way: pace(windows, work) for way, work in ways.items()}
    title = f"unet (tiny), {side} pixels, windows of 64, {device.type}"
    report.compare(title, paces, repeats, unit="windows/s", baseline="one raster", more_is_better=True)
    masks = [rasterio.open(out).read(1) for out in outs]
    report.note("a mosaic of 100 files: pixels that differ", f"{(masks[0] != masks[1]).sum()} of {masks[0].size}")


def read(window: int, path: Path, opened: Callable[[Path], AbstractContextManager[Raster]]) -> float:
    """Read a raster by rows of windows, as a prediction does; returns processor seconds, whatever else is running."""
    begin = time.process_time()
    with opened(path) as raster:
        cover = Cover.of(raster.height, raster.width, window)
        for stripe, row in itertools.product(cover.stripes, range(len(cover.rows.starts))):
            _read_row(raster, cover, stripe, row)
    return time.process_time() - begin


def compare_reading(report: Report, path: Path, repeats: int) -> None:
    """Measure what a mosaic adds to a prediction: its reading alone, of files of 1,000 pixels beside one raster."""
    with rasterio.open(path) as file:
        count = file.height // FILE_SIDE
    folder = cut(path, path.parent / "files", count)
    for window in (64, 256):
        ways = {
            "one raster": partial(read, window, path, lambda path: open_raster(str(path))),
            f"{count**2} files": partial(read, window, folder, open_mosaic),
        }
        title = f"reading {count * FILE_SIDE} x {count * FILE_SIDE} pixels for windows of {window}"
        report.compare(title, ways, repeats, unit="processor s", baseline="one raster")


@contextmanager
def rasters(side: int, names: tuple[str, ...]) -> Iterator[dict[str, Path]]:
    """Write scenes into a folder that goes afterwards."""
    with tempfile.TemporaryDirectory() as folder, quiet_gdal():
        found = {name: Path(folder) / f"{name}.tif" for name in names}
        for name, path in found.items():
            write_raster(path, side, turned=name == "turned")
        yield found


def pace(windows: int, work: Callable[[], None]) -> Callable[[], float]:
    """Return a function that does the work and gives windows per second."""
    return lambda: windows / seconds(work)


def run_reading(side: int, repeats: int) -> None:
    """Measure the reading of a mosaic alone."""
    report = Report(name="mosaic")
    with rasters(side, ("full",)) as scenes:
        compare_reading(report, scenes["full"], repeats)
    report.write()


def run(names: tuple[str, ...], side: int, window: int, repeats: int, *, mosaic_only: bool = False) -> None:
    """Measure each architecture on both scenes, and a mosaic."""
    report = Report(name="predict")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with rasters(side, ("full",) if mosaic_only else ("full", "turned")) as scenes:
        works = [(Recipe(architecture=name, crop_size=window), kind) for name in names for kind in scenes]
        works.append((Recipe(architecture="unet", crop_size=64, model_size="tiny"), "full"))
        works = [] if mosaic_only else works
        for recipe, kind in works:
            name, path = recipe.architecture, scenes[kind]
            windows = len(Side.of(side, recipe.crop_size).starts) ** 2
            weights = resolve(ARCHITECTURES[name].needs, "available")
            plain, fast = (build_model(recipe, weights).eval().to(device) for _ in range(2))
            theirs, mine = (path.parent / f"{way}.tif" for way in ("naive", "ours"))
            ways = {
                "naive loop": partial(naive, plain, device, path, theirs, recipe.crop_size),
                "tilesweep": partial(ours, fast, recipe, device, path, mine),
            }
            paces = {way: pace(windows, work) for way, work in ways.items()}
            model = f"{name} ({recipe.model_size}), {kind}"
            title = f"{model} scene of {side} pixels, windows of {recipe.crop_size}, {device.type}"
            report.compare(title, paces, repeats, unit="windows/s", baseline="naive loop", more_is_better=True)
            masks = [rasterio.open(out).read(1) for out in (theirs, mine)]
            report.note(f"{model}: pixels that differ", f"{(masks[0] != masks[1]).sum()} of {masks[0].size}")
            if kind == "turned":
                report.notes["share of the turned scene without data"] = float((masks[0] == NODATA).mean())
        compare_mosaic(report, scenes["full"], device, repeats)
    if not mosaic_only:
        report.write()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architectures", default="unet,smp_unet_resnet34,smp_unet_efficientnet_lite0", help="A,B,...")
    parser.add_argument("--side", type=int, default=2048, help="pixels of the raster")
    parser.add_argument("--window", type=int, default=256, help="pixels per side")
    parser.add_argument("--repeats", type=int, default=3, help="values per way")
    parser.add_argument("--mosaic-only", action="store_true", help="measure the mosaic alone, and write nothing")
    parser.add_argument("--reading-only", action="store_true", help="measure the reading of a mosaic alone")
    given = parser.parse_args()
    if given.reading_only:
        run_reading(given.side, given.repeats)
        raise SystemExit
    run(tuple(given.architectures.split(",")), given.side, given.window, given.repeats, mosaic_only=given.mosaic_only)
