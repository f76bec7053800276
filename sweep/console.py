"""What every command shares: options in, one line and exit code 2 for a user's mistake out."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import tyro
from rich.console import Console

from sweep.engine.interrupts import INTERRUPTED, end_on_signals
from trainables.errors import TilesweepError

PIPE_WIDTH = 140
"""Characters a line where the output is no terminal: tables are not squeezed into a guess."""


def open_console() -> Console:
    """Return the console that a command prints to."""
    plain = partial(Console, markup=False, emoji=False)  # square brackets and colons in names are just that
    console = plain()
    return console if console.is_terminal else plain(width=PIPE_WIDTH)


def run_command(main: Callable[[Any], int | None], options: Any, *, prog: str) -> None:
    """Parse the command line, run the command, and exit.

    Exit codes: 0 done, 1 a trial failed, 2 a user's mistake (told in one line a fault on stderr), 130 interrupted.

    Args:
        main: Takes the parsed options; returns an exit code, or None for 0.
        options: The options' dataclass, or a union of them for subcommands.
        prog: How the command is called, for its help.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    end_on_signals()
    parsed = tyro.cli(options, prog=prog, config=(tyro.conf.FlagCreatePairsOff,))
    try:
        sys.exit(main(parsed) or 0)
    except TilesweepError as error:
        for line in error.faults:
            sys.stderr.write(f"error: {' '.join(line.split())}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
