"""What files, names and options hold is shown, not sent: no escape sequence of theirs reaches the terminal."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from sweep.cli.console import Command, say_error
from sweep.cli.options import OutputOptions
from sweep.cli.output import Output
from sweep.cli.tables import Column, Sheet
from sweep.commands import ALL
from tests.cases.screens import printed, widest
from trainables.errors import DataError
from trainables.escaping import markdown_cell, visible

EVIL = "a\x1b]0;owned\x07\x1b[31mred\u202eb\x9b2J"
SHOWN = r"a\x1b]0;owned\x07\x1b[31mred\u202eb\x9b2J"


@pytest.mark.parametrize("terminal", [True, False])
def test_the_console_shows_them_whatever_holds_the_text(terminal: bool) -> None:
    table = Table("name", title=EVIL)
    table.add_row(EVIL)
    columns = [Column(heading=EVIL, value=str)]
    for one in (EVIL, table, Sheet(EVIL, columns, [EVIL]), Text(EVIL)):
        text = printed(one, width=60, terminal=terminal)
        assert "\x1b" not in text and "\x07" not in text and "\x9b" not in text and "\u202e" not in text
        assert SHOWN in text or (isinstance(one, Text) and SHOWN.replace(r"\x07", "") in text)  # rich drops bells


def test_a_table_is_laid_out_for_what_is_shown() -> None:
    columns = [Column(heading="file", value=lambda row: row), Column(heading="size", value=lambda row: 10, right=True)]
    text = printed(Sheet("", columns, ["plain.png", EVIL]), width=80)
    assert widest(text) <= 80 and len({line.rindex("10") for line in text.splitlines() if "10" in line}) == 1


def test_errors_on_stderr_show_them(capsys: pytest.CaptureFixture[str]) -> None:
    say_error(f"--patches {EVIL}: no such\nfolder")
    assert capsys.readouterr().err == f"error: --patches {SHOWN}: no such folder\n"


def _raise(options: OutputOptions, output: Output) -> None:
    raise DataError([f"{EVIL}: one", f"{EVIL}: two"])


def test_every_fault_of_a_command_goes_that_way(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        Command(name="status", options=OutputOptions, main=_raise, examples={}).run([])
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"error: {SHOWN}: one\nerror: {SHOWN}: two\n"


def test_a_command_that_does_not_exist_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        ALL.run([EVIL])
    error = capsys.readouterr().err
    assert caught.value.code == 2 and SHOWN in error and error.count("\n") == 1 and "\x1b" not in error


@pytest.mark.parametrize("words", [["--halving", EVIL], ["--device", EVIL], [EVIL], [f"--{EVIL}"], ["--seed", EVIL]])
def test_values_that_cannot_be_read_are_shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    command = next(one for one in ALL.commands() if one.name == "phase2")
    with pytest.raises(SystemExit) as caught:
        command.run(words)
    told = "".join(capsys.readouterr())
    assert caught.value.code == 2 and told.strip()
    assert "\x1b]" not in told and "\x07" not in told and "\x1b[31mred" not in told and r"\x1b" in told


def test_a_name_with_such_letters_still_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / EVIL
    folder.mkdir()
    command = next(one for one in ALL.commands() if one.name == "status")
    with pytest.raises(SystemExit):
        command.run(["--storage", str(folder)])
    told = capsys.readouterr().err
    assert told.startswith(f"error: {tmp_path}/{SHOWN}: holds no experiment") and "\x1b" not in told


def test_logs_and_tracebacks_show_them(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from sweep.cli import console

    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    console._open_streams()
    logging.getLogger("sweep").warning("cannot read %s", EVIL)
    try:
        raise ValueError(EVIL)
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    told = capsys.readouterr().err
    assert f"WARNING: cannot read {SHOWN}" in told and f"ValueError: {SHOWN}" in told and "\x1b" not in told


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("![x](http://evil/t.png)", r"![x\](http://evil/t.png)"),
        (r"[x\](http://evil)", r"[x\\\](http://evil)"),
        ("[x][y]", r"[x\][y]"),
        ("[y]: http://evil", r"[y\]: http://evil"),
        ("a\n# heading", "a # heading"),
        ("# heading", r"\# heading"),
        ("<b>a|b</b>", r"&lt;b&gt;a\|b&lt;/b&gt;"),
        ("`code` *bold*", r"\`code\` \*bold\*"),
        ("roofs [leak], 0.51", "roofs [leak], 0.51"),
        ("a\x1b[31mb", r"a\\x1b[31mb"),
    ],
)
def test_markdown_of_a_name_is_text_in_one_line(name: str, written: str) -> None:
    assert markdown_cell(name) == written


def test_what_is_printable_stays() -> None:
    assert visible("Straße 東京 é ±\n\t") == "Straße 東京 é ±\n\t"
