"""``python -m sweep.patches``: make, import, synthesize, check, show and describe datasets of tiles."""

from __future__ import annotations

from typing import Annotated

from tyro.conf import subcommand

from sweep.console import run_command
from sweep.dataset.options import Check, Describe, ImportPets, Make, Overview, Synthesize
from sweep.engine.output import Output

Command = (
    Annotated[Make, subcommand("make")]
    | Annotated[ImportPets, subcommand("import-pets")]
    | Annotated[Synthesize, subcommand("synthesize")]
    | Annotated[Check, subcommand("check")]
    | Annotated[Overview, subcommand("overview")]
    | Annotated[Describe, subcommand("describe")]
)


def main(options: Make | ImportPets | Synthesize | Check | Overview | Describe, output: Output) -> int | None:
    """Run the chosen subcommand, loading no more than it needs; returns its exit code."""
    if isinstance(options, Check):
        from sweep.dataset.commands.check import check

        return check(options, output)
    if isinstance(options, Make):
        from sweep.dataset.commands.make import make

        make(options, output)
    elif isinstance(options, ImportPets):
        from sweep.dataset.commands.import_pets import import_pets

        import_pets(options, output)
    elif isinstance(options, Synthesize):
        from sweep.dataset.commands.synthesize import synthesize

        synthesize(options, output)
    elif isinstance(options, Overview):
        from sweep.dataset.commands.overview import overview

        overview(options, output)
    else:
        from sweep.dataset.commands.describe import describe

        describe(options, output)
    return None


if __name__ == "__main__":
    run_command(main, Command, prog="python -m sweep.patches")
