"""Several rasters as one input: ``--mosaic`` puts them side by side, ``--band-files`` one above the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sweep.cli.output import Output, say
from sweep.predict.parts import write_faults
from sweep.rasters.band_files import find_band_files, stacked
from sweep.rasters.files import replace_or_skip
from sweep.rasters.inputs import Input
from sweep.rasters.mosaic import Mosaic, missing_in_words
from sweep.records.outputs import sealed, write_files
from trainables.data.tiles import same_name
from trainables.errors import ExperimentError
from trainables.escaping import visible
from trainables.wording import counted

MOSAIC = "mosaic"
"""What the results of several rasters as one are called after."""


def put_together(mosaic: Mosaic, out: Path, output: Output, *, overwrite: bool) -> Input:
    """Write a mosaic into the folder of results; returns it as an input.

    Raises:
        ExperimentError: There is a file of its name that is not ours.
        StorageError: It cannot be written.
    """
    path = write_virtual(mosaic.to_vrt(), out / f"{MOSAIC}.vrt", overwrite=overwrite)
    files = counted(len(mosaic.sources), "file")
    say(output.results, "mosaic", f"{files}, {mosaic.width:,} x {mosaic.height:,} pixels: {path}")
    if missing := missing_in_words(mosaic):
        say(output.results, "missing", visible(missing))
    for fault in mosaic.skipped:
        text = fault.removesuffix(f"; {replace_or_skip()}")
        say(output.results, "skipped", visible(text))
        output.events.emit("skipped", text=text)
    output.events.emit("mosaic", files=len(mosaic.sources), missing=list(mosaic.missing), path=str(path))
    return Input(path=str(path), name=MOSAIC)


def write_virtual(text: str, path: Path, *, overwrite: bool) -> Path:
    """Write a virtual raster; a file that says the same already is left as it is. Returns its path.

    Raises:
        ExperimentError: There is a file of its name that is not ours, or it cannot be written.
    """
    content = sealed(text.encode(), ".vrt")
    with write_faults(path):
        there = path.read_bytes() if path.is_file() and path.stat().st_size == len(content) else b""
    if there != content:
        write_files({path: content}, flag="", overwrite=overwrite)
    return path


def stack_bands(
    files: Mapping[str, Sequence[str]],
    wanted: Sequence[str],
    out: Path,
    *,
    overwrite: bool,
    ignore_alpha: bool = False,
) -> list[Input]:
    """Write rasters whose bands are files of their own into the folder of results; returns them as inputs.

    Args:
        files: Name of the results -> a file per band.
        wanted: What the model calls the bands.
        out: The folder.
        overwrite: Replace files of their names that are not ours.
        ignore_alpha: Transparent pixels count as any others.

    Raises:
        DataError: Files do not fit together.
        ExperimentError: There is a file of such a name that is not ours.
        StorageError: It cannot be written.
    """
    texts = {name: stacked(paths, wanted, ignore_alpha=ignore_alpha) for name, paths in files.items()}
    with write_faults(out):
        out.mkdir(parents=True, exist_ok=True)
    return [
        Input(path=str(write_virtual(text, out / f"{name}_bands.vrt", overwrite=overwrite)), name=name)
        for name, text in texts.items()
    ]


def find_stacks(places: Sequence[str], patterns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Find the files of bands in each folder that was named; returns them by the name of their results.

    Raises:
        ExperimentError: See ``find_band_files``; two folders have one name.
    """
    found: dict[str, tuple[str, ...]] = {}
    for one in places:
        name = same_name(Path(one).resolve().stem)
        if name in found:
            raise ExperimentError(
                f"{one}: its results would be called like those of another folder of that name; predict it into "
                f"another --out"
            )
        found[name] = find_band_files(Path(one), patterns)
    return found
