"""``python -m sweep.next``: unlabelled rasters in, the windows worth labelling out, ready for a labelling program."""

from __future__ import annotations

from sweep.cli.console import Command
from sweep.cli.output import Output
from sweep.next.options import NextOptions


def main(options: NextOptions, output: Output) -> int:
    """Run the command; returns its exit code."""
    # Here, so that --help answers without loading torch and rasterio.
    from sweep.next.choosing import choose_windows

    choose_windows(options, output)
    return 0


COMMAND = Command(
    name="next",
    options=NextOptions,
    main=main,
    examples={
        "incoming --model study-phase2 --count 10": "ten tiles to label, with the model's outlines to correct",
        "ortho.tif --model phase1-demo --strategy diverse --size 512": "windows of a large raster",
    },
)
