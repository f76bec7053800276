"""What every command shares: options in, what it says, one line and exit code 2 for a user's mistake.

Exit codes of all commands:

- 0: done, also when a limit such as ``--time`` ended a sweep.
- 1: a trial failed, or ``score --verify`` found something wrong; with a traceback, a bug in tilesweep.
- 2: a user's mistake, or a dataset with faults; told in one line a fault on stderr.
- 130: interrupted: Ctrl-C, SIGTERM, a closed terminal.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from functools import partial
from typing import Any

import tyro
from rich.console import Console

from sweep.engine.interrupts import INTERRUPTED, end_on_signals
from sweep.engine.options import OutputOptions
from sweep.engine.output import Events, Output
from trainables.errors import TilesweepError

PIPE_WIDTH = 140
"""Characters a line where the output is no terminal: tables are not squeezed into a guess."""
MISTAKE = 2
"""Exit code after a user's mistake."""


def open_console() -> Console:
    """Return the console that a command prints to."""
    plain = partial(Console, markup=False, emoji=False)  # square brackets and colons in names are just that
    console = plain()
    return console if console.is_terminal else plain(width=PIPE_WIDTH)


def open_output(options: OutputOptions | None = None) -> Output:
    """Return where a command says what it has to say.

    Args:
        options: What the user asked for; None is everything, on the console.
    """
    options = options or OutputOptions()
    silent = Console(quiet=True, force_terminal=False)
    results = silent if options.json else open_console()
    events = Events(sys.__stdout__ if options.json else None)
    return Output(silent if options.quiet or options.json else results, results, events)


def run_command(main: Callable[[Any, Output], int | None], options: Any, *, prog: str) -> None:
    """Parse the command line, run the command, and exit; the module's docstring lists the exit codes.

    Args:
        main: Takes the parsed options, and where to say what; returns an exit code, or None for 0.
        options: The options' dataclass, an ``OutputOptions``, or a union of them for subcommands.
        prog: How the command is called, for its help.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    end_on_signals()
    parsed = tyro.cli(options, prog=prog, config=(tyro.conf.FlagCreatePairsOff,))
    output = open_output(parsed)
    errors: tuple[str, ...] = ()
    try:
        with redirect_stdout(sys.stderr) if parsed.json else nullcontext():  # what a library prints is no event
            code = main(parsed, output) or 0
    except TilesweepError as error:
        code, errors = MISTAKE, tuple(" ".join(line.split()) for line in error.faults)
        for line in errors:
            sys.stderr.write(f"error: {line}\n")
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    output.end(code, errors)
    sys.exit(code)
