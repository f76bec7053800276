"""Whatever a message says to type exists: each command, and each flag in the command that is named with it."""

from __future__ import annotations

import ast
import importlib.util
import re
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from sweep.cli.marks import flag as flag_of
from sweep.cli.usage import REFUSED, with_mark
from sweep.commands import ALL
from tests.conftest import ROOT
from tests.sweep.patches.advice.messages import texts_of

COMMANDS = {
    one.name: {flag_of(field.name) for field in fields(one.options)}
    - {f"--{name.replace('_', '-')}" for name in with_mark(one.options, REFUSED)}
    for one in ALL.commands()
}
HELP = ("--help", "--help-all")
KNOWN = {*set().union(*COMMANDS.values()), *HELP, "--version"}
FOREIGN = {
    "ray start": "--head --num-cpus",
    "docker run": "--shm-size --ulimit",
    "rio ": "--dst-crs --format --crs --transform --like --resampling --nodata",
    "grafana server": "--homepath",
}
"""The flags that messages advise for other programs, by the program's name."""
OUR_CALLS = {
    "sweep/charts/picture.py": "--ink",
    "sweep/completion/command.py": "--tyro-print-completion",
    "sweep/monitoring/command.py": "--config",
    "sweep/doctor/packages.py": "--constraint --editable --upgrade",
    "sweep/records/provenance.py": "--porcelain",
    "sweep/report/printing.py": "--no-sandbox",
    "sweep/session/announcement.py": "--logdir",
    "sweep/rasters/georeference.py": "--transform --crs",
}
"""What is never advised alone: parts of calls of other programs, and of style sheets."""
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
_NAMES = "|".join(sorted(COMMANDS, key=len, reverse=True))
NAMED = re.compile(rf"(?<![\w.-])(?:python -m sweep\.)?({_NAMES})((?: --[a-z][a-z0-9-]*(?: [^-\s;,][^\s;,]*)?)+)")
SOURCES = [
    path.relative_to(ROOT).as_posix()
    for room in ("sweep", "trainables")
    for path in sorted((ROOT / room).rglob("*.py"))
]


@cache
def _texts(source: str) -> list[str]:
    return [text for text in texts_of((ROOT / source).read_text(encoding="utf-8")) if FLAG.search(text)]


@cache
def _calls(source: str) -> list[tuple[str, list[str]]]:
    """Return the commands that code makes for messages, ``command("score", "--verify")``, and their flags."""
    found = []
    for node in ast.walk(ast.parse((ROOT / source).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            words = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if name in ("command", "call") and words and isinstance(node.args[0], ast.Constant):
                found.append((" ".join(words), [flag for word in words for flag in FLAG.findall(word)]))
    return found


def _command_of(words: str) -> str:
    return next((name for name in sorted(COMMANDS, key=len, reverse=True) if f"{words} ".startswith(f"{name} ")), "")


@pytest.mark.parametrize("source", [one for one in SOURCES if _texts(one)])
def test_every_flag_that_a_message_names_exists(source: str) -> None:
    unknown = []
    for text in _texts(source):
        foreign = " ".join(flags for program, flags in FOREIGN.items() if program in text)
        known = {*KNOWN, *foreign.split(), *OUR_CALLS.get(source, "").split()}
        unknown += [f"{flag} in {text[:80]!r}" for flag in FLAG.findall(text) if flag not in known]
    assert not unknown


@pytest.mark.parametrize("source", [one for one in SOURCES if any(NAMED.search(text) for text in _texts(one))])
def test_a_flag_behind_a_command_is_one_of_that_command(source: str) -> None:
    wrong = []
    for text in _texts(source):
        for name, rest in NAMED.findall(text):
            flags = FLAG.findall(rest)
            wrong += [f"{name} {flag} in {text[:80]!r}" for flag in flags if flag not in {*COMMANDS[name], *HELP}]
    assert not wrong


@pytest.mark.parametrize("source", [one for one in SOURCES if _calls(one)])
def test_every_command_that_code_makes_exists_with_its_flags(source: str) -> None:
    for words, flags in _calls(source):
        name = _command_of(words)
        assert name or words.split()[0] == "patches", f"{source}: {words}"
        assert set(flags) <= {*(COMMANDS[name] if name else ()), *HELP}, f"{source}: {words}"


def test_every_module_that_is_to_be_run_exists() -> None:
    for source in SOURCES:
        for text in texts_of((ROOT / source).read_text(encoding="utf-8")):
            for module in re.findall(
                r"python -m ((?:sweep|trainables|benchmarks|docs|search_spaces)[a-z0-9_.]*[a-z0-9_])", text
            ):
                assert importlib.util.find_spec(module), f"{source}: {text[:80]}"


def test_the_guard_sees_what_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('"""Doc --nope."""\nraise E(f"{x}: say --nope {y}, or score --folds 3")\n')
    (text,) = texts_of((tmp_path / "a.py").read_text())
    assert [flag for flag in FLAG.findall(text) if flag not in KNOWN] == ["--nope"]
    assert [(name, FLAG.findall(rest)) for name, rest in NAMED.findall(text)] == [("score", ["--folds"])]
    assert "--folds" not in COMMANDS["score"]
