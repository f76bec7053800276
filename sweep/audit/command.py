"""``python -m sweep.audit``: labels that are probably wrong, and how right a map is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from sweep.audit.options import LabelOptions, MapOptions
from sweep.cli.console import Command, CommandGroup
from sweep.cli.options import OutputOptions
from sweep.cli.output import Output


def _lazily(module: str) -> Callable[[Any, Output], int | None]:
    """Return a subcommand that is imported when it runs, so that help loads nothing heavy."""

    def main(options: Any, output: Output) -> int | None:
        code: int | None = import_module(f"sweep.audit.{module}").main(options, output)
        return code

    return main


def _command(name: str, options: type[OutputOptions], module: str, examples: Mapping[str, str]) -> Command:
    return Command(name=f"audit {name}", options=options, main=_lazily(module), examples=examples)


SUBCOMMANDS = {
    "labels": _command(
        "labels",
        LabelOptions,
        "masks.running",
        {
            "--patches my_tiles/": "by probes, a fold of scenes left out each time",
            "--patches my_tiles/ --model phase1-paper": "by the folds of a sweep's best",
        },
    ),
    "map": _command(
        "map",
        MapOptions,
        "maps.running",
        {
            "map/area_mask.tif --sample 200": "draw 200 pixels to label; again: the results",
            "map/area_mask.tif --image area.tif": "with another image on the page",
            "old_mask.tif new_mask.tif": "which map is better?",
        },
    ),
}

COMMAND = CommandGroup(
    name="audit",
    about="Which labels are probably wrong, and how right is a map?",
    stages={
        "before": {
            "labels": "objects that are missing or invented, other classes, shifted masks",
        },
        "after": {
            "map": "how right a map is, from a sample of its pixels that you label",
        },
    },
    load=SUBCOMMANDS.__getitem__,
    begin="labels --patches patches",
)
