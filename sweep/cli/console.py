"""What every command shares: options in, what it says, one line and exit code 2 for a user's mistake.

Exit codes of all commands:

- 0: done, also when a limit such as ``--time`` ended a sweep.
- 1: a trial failed, or ``score --verify`` found something wrong; with a traceback, a bug in tilesweep.
- 2: a user's mistake, a dataset with faults, said on stderr in a line per fault; or a failed check of the doctor.
- 130: interrupted: Ctrl-C, SIGTERM, a closed terminal.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from io import TextIOWrapper
from types import TracebackType
from typing import Any, NoReturn

from sweep.cli.faults import SHOWN_FAULTS, the_rest
from sweep.cli.help_page import show_help
from sweep.cli.interrupts import INTERRUPTED, end_on_signals
from sweep.cli.marks import require_in_bounds
from sweep.cli.mistakes import unknown_option
from sweep.cli.options import OutputOptions
from sweep.cli.output import Events, Output
from sweep.cli.terminal import Terminal
from sweep.cli.usage import parse
from sweep.cli.wrapping import wrapped
from sweep.machine.home import provide_home
from trainables.documents import SHOWN
from trainables.errors import TilesweepError, nearest
from trainables.escaping import visible
from trainables.invocation import call
from trainables.secrets import hide_secret

MISTAKE = 2
"""Exit code after a user's mistake."""
ERROR = "error: "


def say_error(line: str) -> None:
    """Write an error's line to stderr, what it quotes of files and options made printable; wrapped on a terminal."""
    text, console = f"{ERROR}{visible(' '.join(line.split()))}", Terminal(file=sys.stderr)
    lines = wrapped(text, console.width, indent=len(ERROR)) if console.is_there else [text]
    sys.stderr.write("".join(f"{one}\n" for one in lines))


def _leave_stdout() -> None:
    """Let nothing more go to standard output, which nobody reads."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say_faults(error: TilesweepError) -> tuple[str, ...]:
    """Write what is wrong to stderr, the first faults and how many more there are; returns all, without secrets."""
    faults = tuple(hide_secret(" ".join(line.split())) for line in error.faults)
    for line in (*faults[:SHOWN_FAULTS], *filter(None, [the_rest(faults)])):
        say_error(line)
    return faults


class _Printable(logging.Formatter):
    """Writes log records of which nothing reaches the terminal but text."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def _show_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(visible("".join(traceback.format_exception(kind, error, trace))))


def _open_streams() -> None:
    """Let logs and tracebacks be printable, and streams of another encoding than UTF-8 show what they cannot write."""
    sys.excepthook = _show_crash
    handler = logging.StreamHandler()
    handler.setFormatter(_Printable("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
            stream.reconfigure(errors="backslashreplace")


def open_output(options: OutputOptions | None = None) -> Output:
    """Return where a command says what it has to say.

    Args:
        options: What the user asked for; None is everything, on the console.
    """
    options = options or OutputOptions()
    silent = Terminal(quiet=True, force_terminal=False)
    results = silent if options.json else Terminal()
    events = Events(sys.__stdout__ if options.json else None)
    return Output(silent if options.quiet or options.json else results, results, events)


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command: its options, what it does, and how one uses it.

    Attributes:
        name: ``phase1``, or ``patches make``.
        options: The options' dataclass, an ``OutputOptions``.
        main: Takes the parsed options, and where to say what; returns an exit code, or None for 0.
        examples: Arguments that many use -> what they bring; shown by ``--help``.
    """

    name: str
    options: type[OutputOptions]
    main: Callable[[Any, Output], int | None]
    examples: Mapping[str, str]

    @property
    def description(self) -> str:
        """What it does, in the words of its options' docstring."""
        return self.options.__doc__ or ""

    def perform(self, options: OutputOptions, output: Output) -> int:
        """Do what the command does; returns its exit code.

        Args:
            options: Of its own kind.
            output: Where to say what.

        Raises:
            TilesweepError: A mistake in the options, or in what they name.
        """
        provide_home()
        require_in_bounds(options)
        return self.main(options, output) or 0

    def run(self, arguments: Sequence[str] | None = None) -> NoReturn:
        """Parse the command line, run the command, and exit; the module's docstring lists the exit codes.

        Args:
            arguments: Words after the command's name; None takes the process's own.
        """
        _open_streams()
        end_on_signals()
        words = sys.argv[1:] if arguments is None else arguments
        try:
            parsed = parse(self.options, words, program=call(self.name), examples=self.examples)
        except BrokenPipeError:  # of a help
            _leave_stdout()
            sys.exit(0)
        except TilesweepError as error:
            open_output(OutputOptions(json="--json" in words)).end(MISTAKE, _say_faults(error))
            sys.exit(MISTAKE)
        output = open_output(parsed)
        errors: tuple[str, ...] = ()
        try:
            with redirect_stdout(sys.stderr) if parsed.json else nullcontext():  # what a library prints is no event
                code = self.perform(parsed, output)
        except TilesweepError as error:
            code, errors = MISTAKE, _say_faults(error)
        except KeyboardInterrupt as interrupt:
            code = INTERRUPTED
            sys.stderr.write(f"{visible(str(interrupt)) or 'interrupted'}\n")
        except BrokenPipeError:
            _leave_stdout()
            code = 0
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            code, errors = MISTAKE, (f"{str(error.filename)[:SHOWN]}...: the name is too long; shorten it",)
            say_error(errors[0])
        output.end(code, errors)
        sys.exit(code)


@dataclass(frozen=True, kw_only=True)
class CommandGroup:
    """Commands under one name, listed in the order in which one uses them.

    Attributes:
        name: ``patches``; empty for all of tilesweep.
        about: What they are for.
        stages: Stage of the work -> command -> what it is for.
        load: Returns the command of a name; loads nothing heavy.
        begin: Arguments to begin with.
    """

    name: str
    about: str
    stages: Mapping[str, Mapping[str, str]]
    load: Callable[[str], Command | CommandGroup]
    begin: str

    def names(self) -> list[str]:
        """Return the commands' names, in order."""
        return [name for commands in self.stages.values() for name in commands]

    def commands(self) -> list[Command]:
        """Return all its commands, those of groups within included, in order."""
        members = [self.load(name) for name in self.names()]
        return [
            one for member in members for one in (member.commands() if isinstance(member, CommandGroup) else [member])
        ]

    def show(self) -> None:
        """Write the list of commands to standard output."""
        every = f"{self._call('NAME')} --help: a command's usual options, and examples; --help-all: all of them"
        sections = {stage: list(commands.items()) for stage, commands in self.stages.items()}
        show_help(self.about, sections, ["", every, f"begin with: {self._call(*self.begin.split())}"])

    def _call(self, name: str, *arguments: str) -> str:
        return " ".join([call(f"{self.name} {name}".strip()), *arguments])

    def run(self, arguments: Sequence[str] | None = None) -> NoReturn:
        """Run the command that the first argument names, and exit; without one, list the commands."""
        words = sys.argv[1:] if arguments is None else arguments
        first = words[0] if words else "--help"
        if first in self.names():
            self.load(first).run(words[1:])
        if first in ("-h", "--help", "--help-all"):
            self.show()
            sys.exit(0)
        if first.startswith("-"):
            say_error(unknown_option(first, [], self._call("").strip()))
        else:
            say_error(f"{self._call(first)}: no such command; {nearest(first, self.names())}")
        sys.exit(MISTAKE)
