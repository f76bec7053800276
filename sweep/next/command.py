"""``python -m sweep.next``: unlabelled rasters in, the windows worth labelling out, ready for a labelling program."""

from __future__ import annotations

from sweep.cli.console import Command
from sweep.cli.output import Output
from sweep.next.options import NextOptions
from trainables.errors import ExperimentError


def main(options: NextOptions, output: Output) -> int:
    """Run the command; returns its exit code."""
    # Here, so that --help answers without loading torch and rasterio.
    if options.replay and options.uncertainty_map is not None:
        raise ExperimentError(
            f"--uncertainty-map {options.uncertainty_map}: --replay asks its own models; leave it out"
        )
    if options.replay:
        from sweep.next.replay.replaying import replay_strategies

        replay_strategies(options, output)
    else:
        from sweep.next.choosing import choose_windows

        choose_windows(options, output)
    return 0


COMMAND = Command(
    name="next",
    options=NextOptions,
    main=main,
    examples={
        "photos --model phase1-demo": "ten tiles to label",
        "map.tif --model phase1-demo --size 512": "windows of a raster",
        "--replay --patches tiles/": "which strategy beats chance?",
    },
)
