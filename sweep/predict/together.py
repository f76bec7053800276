"""``--mosaic``: several rasters as one input, whose missing files are said before anything is predicted."""

from __future__ import annotations

from pathlib import Path

from sweep.cli.output import Output, say
from sweep.predict.parts import write_faults
from sweep.rasters.inputs import Input
from sweep.rasters.mosaic import Mosaic, missing_in_words
from trainables.errors import ExperimentError
from trainables.escaping import visible
from trainables.wording import counted

MOSAIC = "mosaic"
"""What the results of several rasters as one are called after."""


def require_files_alone(*, nodata: float | None, ignore_alpha: bool) -> None:
    """Refuse what would hide a file of a mosaic behind another one's nothing.

    Raises:
        ExperimentError: As said.
    """
    if nodata is not None:
        raise ExperimentError(
            f"--nodata {nodata:g}: with --mosaic, each file says for itself what is nothing; write it into "
            f"them: rio edit-info --nodata {nodata:g} FILE"
        )
    if ignore_alpha:
        raise ExperimentError(
            "--ignore-alpha: with --mosaic, leave alpha out of the files first: gdal_translate -b 1 -b 2 -b 3"
        )


def put_together(mosaic: Mosaic, out: Path, output: Output, *, overwrite: bool) -> Input:
    """Write a mosaic into the folder of results; returns it as an input.

    Raises:
        ExperimentError: There is a file of its name that is not ours.
        StorageError: It cannot be written.
    """
    path = out / f"{MOSAIC}.vrt"
    with write_faults(path):
        mosaic.write(path, overwrite=overwrite)
    files = counted(len(mosaic.sources), "file")
    say(output.results, "mosaic", f"{files}, {mosaic.width:,} x {mosaic.height:,} pixels: {path}")
    if missing := missing_in_words(mosaic):
        say(output.results, "missing", visible(missing))
    output.events.emit("mosaic", files=len(mosaic.sources), missing=list(mosaic.missing), path=str(path))
    return Input(path=str(path), name=MOSAIC)
