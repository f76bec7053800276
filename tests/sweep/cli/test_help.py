"""Helps and errors on terminals of any width: no word is broken, and there are colours where they can be seen."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from itertools import pairwise

import pytest
from rich.cells import cell_len

from sweep.cli.console import Command, CommandGroup, say_error
from sweep.cli.wrapping import wrapped
from sweep.commands import ALL
from tests.cases.screens import FakeTerminal, Screen, run_on
from tests.commands import run_process
from trainables.models.sources import SAM_SHA256

COMMANDS = {command.name: command for command in ALL.commands()}
GROUPS: dict[str, Command | CommandGroup] = {"": ALL, "patches": ALL.load("patches")}
LONG = "/data/my tiles/" + "a" * 90 + "/train"

Help = Callable[..., str]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Help:
    """Return a function that gives a help as a terminal, or a pipe, of some width gets it."""

    def show(name: str, width: int, *, terminal: bool = False, word: str = "--help-all") -> str:
        stream = FakeTerminal() if terminal else io.StringIO()
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(SystemExit):
            (COMMANDS | GROUPS)[name].run([word])
        return stream.getvalue()

    return show


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("name", [*GROUPS, *COMMANDS])
def test_a_help_breaks_no_word_and_fits(shown: Help, name: str, width: int) -> None:
    text = shown(name, width)
    assert sorted(text.split()) == sorted(shown(name, 129).split()), "the same words, whole"
    wide = [line for line in text.splitlines() if cell_len(line) > width]
    assert not wide or (width < 80 and all(line.split()[0] == "python" or len(line.split()) == 1 for line in wide)), (
        wide
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_what_an_option_does_is_one_paragraph(shown: Help, name: str) -> None:
    """Lines end where the terminal does, not where the source's did."""
    lines = shown(name, 120).splitlines()
    for line, following in pairwise(lines):
        if line.startswith("   ") and following.startswith("   ") and line.strip() and not line.endswith("."):
            first = following.split()[0]
            indented = len(line) - len(line.lstrip()) == len(following) - len(following.lstrip())
            assert not indented or len(line) + 1 + len(first) > 120, (line, following)


def test_a_checksum_is_shown_by_its_first_letters(shown: Help) -> None:
    text = shown("phase1", 80)
    assert SAM_SHA256 not in text and f"{SAM_SHA256[:24]}..." in text and "(default: )" not in shown("predict", 80)


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, False),
    ],
)
def test_a_terminal_gets_colours_unless_they_are_not_wanted(
    shown: Help, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], coloured: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    text = shown("study", 80, terminal=True)
    assert ("\x1b[" in text) is coloured
    assert not coloured or "\x1b[1mmachine:\x1b[0m" in text


def test_a_pipe_gets_colours_where_they_are_forced(shown: Help, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" not in shown("study", 80)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in shown("study", 80)


def _said(text: str, monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> list[str]:
    stream = FakeTerminal() if terminal else io.StringIO()
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "stderr", stream)
    say_error(text)
    return stream.getvalue().splitlines()


def test_an_error_is_wrapped_at_blanks_on_a_terminal_and_one_line_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"--patches {LONG}: its train and val tiles changed since the study began; resume it with python -m " + (
        "sweep.study --resume mine --storage /data/runs, or choose another --name"
    )
    lines = _said(text, monkeypatch, terminal=True)
    assert " ".join(" ".join(lines).split()) == f"error: {text}"
    assert all(cell_len(line) <= 80 or len(line.split()) == 1 for line in lines) and len(lines) > 3
    assert all(line.startswith("       ") or len(line.split()) == 1 for line in lines[1:])
    assert any("python -m sweep.study --resume mine --storage /data/runs" in line for line in lines), "to be pasted"
    assert _said(text, monkeypatch, terminal=False) == [f"error: {text}"]


def test_a_command_that_does_not_fit_is_wrapped_at_blanks() -> None:
    command = f"python -m sweep.study --resume mine --storage {'a' * 30}"
    assert wrapped(f"see {command}", 90) == [f"see {command}"]
    assert wrapped(f"then see {command}", 77) == ["then see", command]
    assert wrapped(f"see {command}", 40)[0] == "see python -m sweep.study --resume mine"


def test_an_error_can_be_read_on_a_real_screen() -> None:
    wrong = ("sweep.study", "--profile", "papr", "--max-concurrent", "two", "--until", "phase4")
    screen = Screen(80, 24)
    assert run_on(screen, *wrong) == 2
    piped = run_process("study", *wrong[1:])
    said = " ".join(" ".join(screen.everything).split())
    assert piped.stderr.count("\n") == len([line for line in piped.stderr.splitlines() if line.startswith("error: ")])
    for line in piped.stderr.splitlines():
        assert " ".join(line.split()) in said
