"""Runs a command's own code with options from Python instead of from a command line."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from sweep.cli.console import Command, CommandGroup, open_output
from sweep.cli.interrupts import INTERRUPTED
from sweep.cli.options import OutputOptions
from sweep.cli.output import Events, Output
from sweep.commands import ALL
from trainables.errors import nearest

OF_COMMANDS = ("json", "quiet", "plan")
"""Options of commands alone: how they say things is decided here, and a plan has no results."""


class NotedEvents(Events):
    """Keeps what a command says for programs."""

    def __init__(self) -> None:
        super().__init__(None)
        self._kept: dict[str, dict[str, Any]] = {}

    def emit(self, event: str, **fields: Any) -> None:
        """Keep an event; of those of one name the last one."""
        self._kept[event] = fields

    def __getitem__(self, event: str) -> dict[str, Any]:
        return self._kept[event]


def call(name: str, options: Mapping[str, Any], *, quiet: bool) -> NotedEvents:
    """Run a command in this process.

    Args:
        name: Such as ``phase1`` or ``patches make``.
        options: Its options, by the names of its flags with ``_`` for ``-``.
        quiet: Say only what came out.

    Returns:
        What it said for programs.

    Raises:
        TypeError: An option that it does not have.
        TilesweepError: What the command would print as errors.
        KeyboardInterrupt: It was interrupted; nothing is lost.
    """
    warnings.filterwarnings("ignore", message="IProgress not found")  # of tqdm, where a notebook has no widgets
    command: Command | CommandGroup = ALL
    for word in name.split():
        assert isinstance(command, CommandGroup)
        command = command.load(word)
    assert isinstance(command, Command)
    known = [one.name for one in fields(command.options) if one.name not in OF_COMMANDS]
    for option in options:
        if option not in known:
            raise TypeError(f"there is no option {option!r}; {nearest(option, known)}")
    hints = get_type_hints(command.options)
    made = command.options(**{option: _as_held(value, hints[option]) for option, value in options.items()})
    object.__setattr__(made, "typed", frozenset(options))  # as for a command line: what was asked for by name
    shown, events = open_output(OutputOptions(quiet=quiet)), NotedEvents()
    if command.perform(made, Output(shown.console, shown.results, events)) == INTERRUPTED:
        raise KeyboardInterrupt
    return events


def _as_held(value: Any, hint: Any) -> Any:
    """Return a value as an option holds it: a text as a path where it holds no texts, a list as a tuple."""
    kinds = {hint, *get_args(hint)}
    if isinstance(value, str) and Path in kinds and str not in kinds:
        return Path(value)
    return tuple(value) if isinstance(value, list) else value
