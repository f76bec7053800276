"""What stands on a real screen: wide and narrow, dumb, coloured in a pipe, without UTF-8."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sweep.cli.counting import WindowProgress
from sweep.cli.output import Events, Output
from sweep.cli.tables import Column, Sheet
from sweep.cli.terminal import PIPE_WIDTH, Terminal
from sweep.observers.progress import Progress
from tests.cases.experiments import write_experiment
from tests.cases.screens import FakeTerminal, Screen, printed, run_on
from tests.commands import environment, run_process
from tests.conftest import ROOT
from tests.rasters import draw_photos
from tests.reports import epoch_of, plan_of
from trainables.recipe import Recipe


@pytest.mark.parametrize("size", [(60, 24), (80, 24), (200, 50)])
def test_status_can_be_read_on_a_real_screen(size: tuple[int, int], tmp_path: Path) -> None:
    write_experiment(tmp_path, ended=False, states={"unet": "running"})
    screen = Screen(*size)
    assert run_on(screen, "sweep.status", "--storage", str(tmp_path), LC_ALL="C.UTF-8") == 0
    lines = screen.everything
    for attempt, state, score in (("unet", "broken off", "0.320"), ("smp_unet_resnet34", "finished", "0.720")):
        assert any(line.startswith(f"{attempt} ") and state in line and score in line for line in lines), lines
    text = " ".join(" ".join(lines).split())
    assert "state interrupted; nothing is lost" in text
    assert any(line.startswith("best so far    smp_unet_resnet34") for line in lines)


def _follow(trials: int, **options: Any) -> str:
    """Let a sweep's progress follow some trials; returns what it wrote."""
    console = Terminal(**options)
    progress = Progress(trials, 2, [], console)
    progress.open()
    for number in range(trials):
        plan = plan_of(f"unet-{number:03}", study="unet", recipe=Recipe(max_epochs=3))
        progress.begin(plan)
        progress.epoch(plan, epoch_of(1))
    progress.close()
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def xterm(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment of a usual terminal."""
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "LC_ALL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LANG", "C.UTF-8")
    return monkeypatch


PASTED = {
    "sweep/cli/help_page.py",  # lays out its lines itself
    "sweep/cli/output.py",
    "sweep/completion/command.py",
    "sweep/doctor/findings.py",
    "sweep/results/conclusion.py",
    "sweep/session/announcement.py",
}
"""Where lines are printed that no terminal may wrap: commands, and what is laid out already."""


def test_only_what_is_pasted_is_left_to_the_terminal_to_wrap() -> None:
    sources = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "sweep").rglob("*.py")}
    assert {name for name, text in sources.items() if "soft_wrap=True" in text} - {"sweep/cli/terminal.py"} == PASTED


def test_no_sentence_of_a_command_is_broken_in_a_word(tmp_path: Path) -> None:
    draw_photos(tmp_path / "photos", 12)
    made = ("make", "--src", tmp_path / "photos", "--dst", tmp_path / "tiles", "--size", 64, "--force")
    for words in (made, ("check", "--patches", tmp_path / "tiles")):
        screen = Screen(80, 24)
        assert run_on(screen, "sweep.patches", *map(str, words)) == 0
        piped = run_process("patches", *words).stdout
        shown = " ".join(" ".join(screen.everything).split())
        path = str(tmp_path)  # which may be longer than a line
        sentences = [" ".join(line.split()) for line in piped.splitlines() if path not in line]
        assert sentences and not [one for one in sentences if one not in shown]


def test_a_command_that_fits_on_a_line_of_its_own_gets_one() -> None:
    command = "python -m sweep.status study-demo-phase2 --storage /tmp/face-demo/r --watch"
    stream = FakeTerminal()
    output = Output(Terminal(file=stream), Terminal(file=stream, width=80), Events(None))
    output.next(command)
    assert stream.getvalue().splitlines() == ["next", command]
    piped = io.StringIO()
    Output(Terminal(file=piped), Terminal(file=piped), Events(None)).next(command)
    assert piped.getvalue() == f"next           {command}\n"


@pytest.mark.parametrize("trials", [3, 12, 40])
def test_the_live_table_stays_on_the_screen(xterm: pytest.MonkeyPatch, trials: int) -> None:
    screen = Screen()
    screen.feed(_follow(trials, file=FakeTerminal(), width=80, height=24).replace("\n", "\r\n").encode())
    assert len(screen.everything) == 24, "nothing has left at the top"
    assert f"0 of {trials} trials done" in screen.lines[0] and any("0.100" in line for line in screen.lines)


def test_a_terminal_that_cannot_move_its_cursor_gets_a_line_per_epoch(xterm: pytest.MonkeyPatch) -> None:
    xterm.setenv("TERM", "dumb")
    text = _follow(2, file=FakeTerminal())
    assert text.count("epoch 1/3") == 2 and "epoch IoU 0.100" in text and "\x1b" not in text


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"])
def test_a_pipe_that_is_forced_to_have_colours_gets_the_lines_of_a_pipe(
    xterm: pytest.MonkeyPatch, variable: str
) -> None:
    plain = _follow(2, file=io.StringIO())
    xterm.setenv(variable, "1")
    text = _follow(2, file=io.StringIO())
    assert text.count("epoch 1/3") == 2 and len(text.splitlines()) == len(plain.splitlines()) == 2
    assert not re.search(r"\x1b\[[0-9;?]*[^m0-9;?]", text), "no order but colours"
    assert Terminal(file=io.StringIO()).width == PIPE_WIDTH


def test_no_color_is_respected(xterm: pytest.MonkeyPatch) -> None:
    xterm.setenv("NO_COLOR", "1")
    console = Terminal(file=FakeTerminal(), width=80)
    console.print(Sheet("title", [Column(heading="n", value=int)], [1]), style="red")
    assert isinstance(console.file, io.StringIO) and "31m" not in console.file.getvalue()


def test_the_bar_of_a_prediction_is_lines_there_too(xterm: pytest.MonkeyPatch) -> None:
    xterm.setenv("TERM", "dumb")
    xterm.setattr("sweep.cli.counting.SECONDS_A_SLOW_LINE", 0.0)
    stream = FakeTerminal()
    with WindowProgress(Terminal(file=stream)) as progress:
        progress.begin("city", 4)
        time.sleep(0.01)
        progress.advance(2)
    assert "city  2/4 windows" in stream.getvalue() and "\x1b" not in stream.getvalue()


def test_the_c_locale_gets_boxes_of_ascii(xterm: pytest.MonkeyPatch) -> None:
    columns = [Column(heading="model", value=str), Column(heading="again", value=str)]
    xterm.setenv("LC_ALL", "C")
    assert printed(Sheet("", columns, ["unet"]), width=80).isascii()
    xterm.setenv("LC_ALL", "de_DE.UTF-8")
    assert "─" in printed(Sheet("", columns, ["unet"]), width=80)


def test_a_stream_without_utf_8_is_no_traceback(tmp_path: Path) -> None:
    variables = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-m", "sweep.status", "Straße", "--storage", str(tmp_path / "Straße")],
        cwd=ROOT, env=environment(**variables), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ") and "Stra\\xdfe" in done.stderr
