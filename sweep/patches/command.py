"""``python -m sweep.patches``: make, import, synthesize, check, show and describe datasets of tiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from sweep.cli.console import Command, CommandGroup
from sweep.cli.options import OutputOptions
from sweep.cli.output import Output
from sweep.patches.options import CheckOptions, Describe, ImportPets, Make, Overview, SheetOptions, Synthesize


def _lazily(module: str) -> Callable[[Any, Output], int | None]:
    """Return a subcommand that is imported when it runs, so that help loads nothing heavy."""

    def main(options: Any, output: Output) -> int | None:
        code: int | None = getattr(import_module(f"sweep.patches.commands.{module}"), module)(options, output)
        return code

    return main


def _command(name: str, options: type[OutputOptions], examples: Mapping[str, str]) -> Command:
    return Command(name=f"patches {name}", options=options, main=_lazily(name.replace("-", "_")), examples=examples)


SUBCOMMANDS = {
    one.name.removeprefix("patches "): one
    for one in (
        _command(
            "make",
            Make,
            {
                "--src data/": "images and masks",
                "--src data/ --task task.json": "with several classes",
                "--src data/ --labels roofs.gpkg --grid": "with polygons for masks, many tiles of each image",
            },
        ),
        _command(
            "import-pets",
            ImportPets,
            {
                "--src oxford-iiit-pet/": "all of it, into pets/",
                "--src oxford-iiit-pet/ --subset 200": "200 images, by the seed",
            },
        ),
        _command(
            "synthesize",
            Synthesize,
            {
                "--dst patches": "what the README shows",
                "--dst roads --kind roads --counts 8,2,2": "road scenes with four classes",
            },
        ),
        _command(
            "check",
            CheckOptions,
            {"--patches my_tiles/": "", "--patches my_tiles/ --update": "after you changed a file on purpose"},
        ),
        _command("overview", Overview, {"--patches my_tiles/ --out tiles.png": ""}),
        _command("sheet", SheetOptions, {"--patches my_tiles/": "into my_tiles/contact_sheet.html"}),
        _command("describe", Describe, {"--patches my_tiles/": "table and picture"}),
    )
}

COMMAND = CommandGroup(
    name="patches",
    about="Datasets of labelled tiles: {train,val,test}/{images,masks}/NAME.{jpg,png}",
    stages={
        "make": {
            "make": "cut tiles out of source rasters with masks or polygons",
            "import-pets": "Oxford-IIIT Pet as a dataset",
            "synthesize": "draw roofs or road scenes by a seeded program",
        },
        "understand": {
            "check": "read every file; report faults and leaks between splits",
            "overview": "draw all tiles with their masks",
            "sheet": "a page of all tiles, those whose masks look wrong first",
            "describe": "sizes, class balance, drift between splits, class weights",
        },
    },
    load=SUBCOMMANDS.__getitem__,
    begin="synthesize --dst patches",
)
