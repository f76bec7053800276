"""Whatever is typed behind a flag of any command: it works, or it is refused in whole lines with exit code 2."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweep.cli.interrupts import SIGNALS
from sweep.cli.marks import flag, require_in_bounds
from sweep.cli.usage import parse
from sweep.commands import ALL
from trainables.errors import TilesweepError

COMMANDS = {one.name: one for one in ALL.commands()}
QUICK = 60
CASES = (QUICK, pytest.param(1500, marks=pytest.mark.slow))
ODD = (
    "",
    " ",
    "0",
    "-1",
    "1.5",
    "nan",
    "inf",
    "1e400",
    "9" * 400,
    "9" * 5_000,
    "x" * 5_000,
    "a\x1b[31m",
    "../..",
    "/dev/zero",
    "/",
    "ß漢",
    "[",
    "{}",
    ",",
    "a,,b",
    "5,5,5",
    "s3://key:secret@bucket/x",
    "nowhere://x",
    "$(id)",
    "a\udcff",
)
REFUSED: dict[str, list[str]] = {
    **{
        phase: ["--plan", "--patches", "nowhere", "--profile", "smoke"]
        for phase in ("phase1", "phase2", "phase3", "study")
    },
    "status": ["nothing"],
    "score": ["nothing"],
    "report": ["nothing"],
    "next": ["nothing.tif", "--model", "nothing", "--out", "out"],
    "predict": ["nothing.tif", "--model", "nothing", "--out", "out"],
    "export": ["--model", "nothing"],
    "audit labels": ["--patches", "nowhere"],
    "audit map": ["nothing.tif"],
    "patches check": ["--patches", "nowhere"],
    "patches overview": ["--patches", "nowhere"],
    "patches sheet": ["--patches", "nowhere"],
    "patches describe": ["--patches", "nowhere"],
}
"""Commands that end before they do anything, with these arguments; of the others, only the options are read."""


def _each(cases: int, *strategies: Any) -> Callable[[Callable[..., None]], None]:
    def run(function: Callable[..., None]) -> None:
        checked = settings(
            max_examples=cases,
            derandomize=cases == QUICK,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        )
        checked(given(*strategies)(function))()

    return run


@contextmanager
def _signals_kept() -> Iterator[None]:
    """A command sets handlers for its own process."""
    import signal

    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(name: str, words: list[str]) -> tuple[int, str]:
    """Run a command in this process; returns its exit code and what it said on stderr."""
    said = io.StringIO()
    with _signals_kept(), redirect_stdout(io.StringIO()), redirect_stderr(said), pytest.raises(SystemExit) as caught:
        COMMANDS[name].run(words)
    assert isinstance(caught.value.code, int)
    return caught.value.code, said.getvalue()


@pytest.mark.parametrize("cases", CASES)
def test_odd_values(cases: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    flags = [(name, one.name) for name, command in COMMANDS.items() for one in fields(command.options)]
    odd = st.sampled_from(ODD) | st.text(max_size=8) | st.integers().map(str) | st.floats().map(str)

    @_each(cases, st.sampled_from(flags), odd, st.booleans())
    def feed(which: tuple[str, str], value: str, glued: bool) -> None:
        name, option = which
        words = [f"{flag(option)}={value}"] if glued else [flag(option), value]
        if name in REFUSED:
            given = REFUSED[name]
            kept = [one for at, one in enumerate(given) if flag(option) not in (one, given[at - 1] if at else "")]
            if option not in ("verify", "watch", "patches", "model", "group_by"):  # any value of these may be right
                code, said = _run(name, [*kept, *words])
                assert code == 2, (name, words, said)
                assert said.strip() and "Traceback" not in said and "secret" not in said
                return
        quiet = redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO())
        with suppress(SystemExit, TilesweepError), quiet[0], quiet[1]:
            require_in_bounds(parse(COMMANDS[name].options, words, program=name, examples={}))
