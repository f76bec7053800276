"""Reading a command line, and what --help shows: the usual options and examples; --help-all shows every option."""

from __future__ import annotations

import inspect
import io
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, TypeVar, get_type_hints

import tyro
from tyro.conf import arg

from sweep.cli.groups import COMMA, Headings, under_headings
from sweep.cli.marks import RARE, REFUSED, Bounds, OnResume, marked
from sweep.cli.mistakes import mistakes
from trainables.errors import ExperimentError
from trainables.secrets import hide_secret

Options = TypeVar("Options")
WIDEST = 129
"""Columns of a help."""


def parse(options: type[Options], words: Sequence[str], *, program: str, examples: Mapping[str, str]) -> Options:
    """Read a command line; shows the help, and exits where that is asked for.

    Raises:
        ExperimentError: What is wrong with it, all at once.
    """
    settings = (tyro.conf.FlagCreatePairsOff,)
    wanted = {"-h", "--help", "--help-all"} & set(words)
    if not wanted:
        try:
            with redirect_stderr(io.StringIO()) as said, redirect_stdout(io.StringIO()):
                parsed = tyro.cli(options, args=words, prog=program, config=settings)
        except SystemExit:
            raise ExperimentError(mistakes(options, words, program) or _unboxed(said.getvalue())) from None
        object.__setattr__(parsed, "typed", _typed(options, words))
        return parsed
    everything = "--help-all" in wanted
    shown = _as_shown(options, everything)
    about = describe(options, program, examples)
    said = io.StringIO()
    try:
        with redirect_stdout(said), _one_column():
            return tyro.cli(shown, args=["--help"], prog=program, description=about, config=settings)
    finally:
        sys.stdout.write(under_headings(said.getvalue()))
        if "architectures" in {one.name for one in fields(options)}:  # type: ignore[arg-type]
            sys.stdout.write(_architectures())
        if not everything and rare(options):
            sys.stdout.write("These are the usual options; --help-all shows all.\n")


@contextmanager
def _one_column() -> Iterator[None]:
    """Keep tyro from putting headings side by side, as it does on terminals of twice 65 columns."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(min(shutil.get_terminal_size().columns, WIDEST))
    try:
        yield
    finally:
        os.environ.pop("COLUMNS")
        os.environ.update({} if before is None else {"COLUMNS": before})


def _architectures() -> str:
    """Return what ``--architectures`` takes, in lines as wide as the terminal; numbered names by the first and last."""
    from trainables.models.registry import ARCHITECTURES

    series: dict[str, list[str]] = {}
    for name in ARCHITECTURES:
        series.setdefault(re.sub(r"(?<=[a-z])\d$", "", name), []).append(name)
    names = [one for found in series.values() for one in ([f"{found[0]} to {found[-1]}"] if found[2:] else found)]
    said = f"architectures: {', '.join(names)}, smp:NETWORK/ENCODER, FILE.py:FUNCTION"
    return (
        textwrap.fill(said, shutil.get_terminal_size().columns, break_on_hyphens=False, break_long_words=False) + "\n"
    )


def _unboxed(said: str) -> str:
    """Return what tyro says in a box as one line, without secrets."""
    lines = [line.strip("│╭╮╰╯─ ") for line in said.splitlines()]
    return hide_secret(" ".join(line for line in lines if line)) or "the command line cannot be read"


def _typed(options: type[Any], words: Sequence[str]) -> frozenset[str]:
    """Return the names of the options that are given by name, whatever their value."""
    given = {word.partition("=")[0].lstrip("-").replace("-", "_") for word in words if word.startswith("--")}
    return frozenset(one.name for one in fields(options) if one.name in given)


def remarks(options: type[Any], name: str) -> list[str]:
    """Return what help says of an option beside its purpose: which numbers it takes, whether it may change later."""
    bounds = marked(options, Bounds).get(name)
    resume = marked(options, OnResume).get(name)
    said = [str(bounds)] if bounds else []
    return [*said, resume.value] if resume is OnResume.MAY_CHANGE else said


def rare(options: type[Any]) -> set[str]:
    """Return the names of the options that few runs need."""
    return with_mark(options, RARE)


def with_mark(options: type[Any], mark: str) -> set[str]:
    """Return the names of the options that have a mark, such as ``REFUSED``."""
    hints = get_type_hints(options, include_extras=True)
    return {name for name, hint in hints.items() if mark in getattr(hint, "__metadata__", ())}


def describe(options: type[Any], program: str, examples: Mapping[str, str]) -> str:
    """Return what a command does, and examples."""
    calls = {f"{program} {words}".rstrip(): purpose for words, purpose in examples.items()}
    width = max(map(len, calls), default=0)
    lines = inspect.cleandoc(options.__doc__ or "").splitlines()
    lines += ["", "examples:", *(f"  {words:{width}}  {purpose}".rstrip() for words, purpose in calls.items())]
    return "\n".join(lines)


def _hint(notes: Sequence[str], plain: bool) -> Callable[[str], str]:
    """Return what makes the remark behind an option's purpose out of tyro's own: ``(default: 2)``."""

    def hint(default: str) -> str:
        said = [*([] if plain else [f"default: {default}"]), *notes]
        return re.sub(r"(?<=\w),(?=\w)", COMMA, f"({'; '.join(said)})") if said else ""

    return hint


def _as_shown(options: type[Options], everything: bool) -> type[Options]:
    """Return the options as a help shows them: without rare ones, and without defaults that say nothing."""
    hints = get_type_hints(options, include_extras=True)
    hidden = with_mark(options, REFUSED) | (set() if everything else rare(options))
    suppress: Any = tyro.conf.Suppress
    annotations: dict[str, Any] = {}
    headings = Headings()
    for one in fields(options):  # type: ignore[arg-type]
        if one.name in hidden:
            annotations[one.name] = suppress[hints[one.name]]
            continue
        plain = one.default in (None, False, (), "") and one.default is not MISSING
        notes = remarks(options, one.name) if everything else []
        remark = (arg(help_behavior_hint=_hint(notes, plain)),) if plain or notes else ()
        for mark in (*headings.of(one.name), *remark):
            hints[one.name] = Annotated[hints[one.name], mark]
        annotations[one.name] = hints[one.name]
    defaults = {one.name: one.default for one in fields(options) if one.name in annotations}  # type: ignore[arg-type]
    members = {"__annotations__": annotations, "__doc__": options.__doc__, "__module__": options.__module__, **defaults}
    return dataclass(frozen=True, kw_only=True)(type(options.__name__, (options,), members))
