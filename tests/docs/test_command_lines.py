"""Every command line and every flag in the documentation is one that the commands understand."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import fields
from pathlib import Path

import pytest

from sweep.cli import usage
from sweep.cli.marks import flag as flag_of
from tests.docs.pages import COMMANDS, NAMES, PAGES, command_lines, name_of
from trainables.errors import TilesweepError

FLAGS = {flag_of(one.name) for command in COMMANDS for one in fields(command.options)}
OTHERS = {
    *("--help", "--help-all", "--small"),
    *("--head", "--num-cpus", "--port", "--dashboard-port", "--dashboard-agent-listen-port", "--node-manager-port"),
    *("--object-manager-port", "--min-worker-port", "--max-worker-port"),
    *("--env-file", "--shm-size", "--exclusive", "--requeue"),
    *("--count", "--extra-knobs"),
}
"""Flags that pages name by themselves: every command's own, Ray's, Docker's, Slurm's, and those of earlier versions."""
LINES = [
    pytest.param(name, arguments, id=f"{name_of(page)}: {name} {' '.join(arguments)}")
    for page in PAGES
    for name, arguments in command_lines(page.read_text(encoding="utf-8"))
]


def parse(name: str, arguments: list[str]) -> object:
    """Return the options that a command line gives, without running it."""
    for command in COMMANDS:
        words = command.name.split()
        if [name, *arguments][: len(words)] == words:
            rest = arguments[len(words) - 1 :]
            said = io.StringIO()
            try:
                with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                    return usage.parse(command.options, rest, program=name, examples=command.examples)
            except (SystemExit, TilesweepError) as end:
                if "--help" in rest:
                    return None
                raise AssertionError(f"{name} {' '.join(arguments)}\n{end}") from end
    raise AssertionError(f"there is no command {name} {' '.join(arguments)}")


@pytest.mark.parametrize(("name", "arguments"), LINES)
def test_every_command_line_parses(name: str, arguments: list[str]) -> None:
    if arguments:
        parse(name, arguments)
    else:  # the command is only named
        assert name in NAMES


def test_a_wrong_flag_would_be_found() -> None:
    ((name, arguments),) = command_lines("    python -m sweep.phase1 --profil demo  # a comment\n")
    with pytest.raises(AssertionError, match="profil"):
        parse(name, arguments)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_flag_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"`(--[a-z][a-z0-9-]*)[^`]*`", page.read_text(encoding="utf-8"))
    assert not sorted(set(named) - FLAGS - OTHERS)


def test_a_line_ends_where_the_shell_would_end_it() -> None:
    text = "`python -m sweep.score --verify` and\n    tilesweep phase1 --json \\\n  --seed 1 | jq  # x\n"
    text += "tilesweep answers and tilesweep reports; `tilesweep report a`\n"
    expected = [("score", ["--verify"]), ("phase1", ["--json", "--seed", "1"]), ("report", ["a"])]
    assert command_lines(text) == expected
