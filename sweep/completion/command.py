"""``python -m sweep.completion``: let the Tab key complete ``tilesweep``'s commands and flags."""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import Positional, subcommand

from sweep.cli.console import Command, CommandGroup
from sweep.cli.options import OutputOptions
from sweep.cli.output import Output
from trainables.invocation import PROGRAM


@dataclass(frozen=True, kw_only=True)
class CompletionOptions(OutputOptions):
    """Print a shell script that completes the commands and flags of tilesweep."""

    shell: Positional[Literal["bash", "zsh", "fish"]] = "bash"
    """Which shell."""


def script(shell: str) -> str:
    """Return the script."""
    import io
    from contextlib import redirect_stdout, suppress

    from sweep.commands import ALL

    config = (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitSubcommandPrefixes, tyro.conf.OmitArgPrefixes)
    with redirect_stdout(io.StringIO()) as written, suppress(SystemExit):
        tyro.cli(_union(ALL), prog=PROGRAM, args=["--tyro-print-completion", shell], config=config)
    return written.getvalue()


def _union(group: CommandGroup) -> Any:
    """Return a group's commands as the union of option types that tyro reads as subcommands."""
    members = []
    for name in group.names():
        command = group.load(name)
        options: Any = command.options if isinstance(command, Command) else _nested(command)
        members.append(Annotated[options, subcommand(name)])
    return reduce(or_, members)


def _nested(group: CommandGroup) -> Any:
    return make_dataclass(group.name, [("subcommand", _union(group))], kw_only=True, namespace={"__doc__": group.about})


def main(options: CompletionOptions, output: Output) -> None:
    """Run the command."""
    output.results.print(script(options.shell), highlight=False, soft_wrap=True)
    output.events.emit("completion", shell=options.shell, script=script(options.shell))


COMMAND = Command(
    name="completion",
    options=CompletionOptions,
    main=main,
    examples={
        "bash > ~/.tilesweep.bash": "~/.bashrc: source ~/.tilesweep.bash",
        "zsh > ~/.zfunc/_tilesweep": "~/.zshrc: fpath+=~/.zfunc; compinit",
        "fish > ~/.config/fish/completions/tilesweep.fish": "",
    },
)
