"""Reading a command line, and what --help shows: the usual options and examples; --help-all shows every option."""

from __future__ import annotations

import inspect
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, TypeVar, get_type_hints

import tyro
from tyro.conf import arg

from sweep.cli.groups import COMMA, Headings, sections_of
from sweep.cli.help_page import WIDEST, show_help
from sweep.cli.marks import RARE, REFUSED, Bounds, OnResume, marked
from sweep.cli.mistakes import mistakes
from trainables.errors import ExperimentError
from trainables.secrets import hide_secret

Options = TypeVar("Options")
MOST = 24
"""Letters of a default that a help shows: of a checksum the first ones."""


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
    said = io.StringIO()
    try:
        with redirect_stdout(said), _one_column():
            return tyro.cli(
                _as_shown(options, everything), args=["--help"], prog=program, description="", config=settings
            )
    finally:
        usage = said.getvalue().partition("\n")[0]
        show_help(
            inspect.cleandoc(options.__doc__ or ""),
            sections_of(said.getvalue()),
            _closing(options, everything),
            examples=[(f"{program} {words}".rstrip(), purpose) for words, purpose in examples.items()],
            usage="" if usage.endswith("[-h] [OPTIONS]") else usage,  # which says nothing
        )


@contextmanager
def _one_column() -> Iterator[None]:
    """Keep tyro from wrapping, and from putting headings side by side, as it does on terminals of twice 65 columns."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(WIDEST)
    try:
        yield
    finally:
        os.environ.pop("COLUMNS")
        os.environ.update({} if before is None else {"COLUMNS": before})


def _closing(options: type[Any], everything: bool) -> Iterator[str]:
    if "architectures" in {one.name for one in fields(options)}:
        yield _architectures()
    if not everything and rare(options):
        yield "These are the usual options; --help-all shows all."


def _architectures() -> str:
    """Return what ``--architectures`` takes; numbered names by the first and last."""
    from trainables.models.registry import ARCHITECTURES

    series: dict[str, list[str]] = {}
    for name in ARCHITECTURES:
        series.setdefault(re.sub(r"(?<=[a-z])\d$", "", name), []).append(name)
    names = [one for found in series.values() for one in ([f"{found[0]} to {found[-1]}"] if found[2:] else found)]
    return f"architectures: {', '.join(names)}, smp:NETWORK/ENCODER, probe:NAME, FILE.py:FUNCTION"


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


def _hint(notes: Sequence[str], plain: bool) -> Callable[[str], str]:
    """Return what makes the remark behind an option's purpose out of tyro's own: ``(default: 2)``."""

    def hint(default: str) -> str:
        known = default if len(default) <= MOST else f"{default[:MOST]}..."
        said = [*([] if plain else [f"default: {known}"]), *notes]
        return re.sub(r"(?<=\w),(?=\w)", COMMA, f"({'; '.join(said)})") if said else ""

    return hint


def _as_shown(options: type[Options], everything: bool) -> type[Options]:
    """Return the options as a help shows them: without rare ones, and without defaults that say nothing."""
    hints = get_type_hints(options, include_extras=True)
    hidden = with_mark(options, REFUSED) | (set() if everything else rare(options))
    suppress: Any = tyro.conf.Suppress
    annotations: dict[str, Any] = {}
    headings = Headings([one.name for one in fields(options)])  # type: ignore[arg-type]
    for one in fields(options):  # type: ignore[arg-type]
        if one.name in hidden:
            annotations[one.name] = suppress[hints[one.name]]
            continue
        plain = one.default in (None, False, (), "") and one.default is not MISSING
        notes = remarks(options, one.name) if everything else []
        remark = () if one.default is MISSING else (arg(help_behavior_hint=_hint(notes, plain)),)
        for mark in (*headings.of(one.name), *remark):
            hints[one.name] = Annotated[hints[one.name], mark]
        annotations[one.name] = hints[one.name]
    defaults = {one.name: one.default for one in fields(options) if one.name in annotations}  # type: ignore[arg-type]
    members = {"__annotations__": annotations, "__doc__": options.__doc__, "__module__": options.__module__, **defaults}
    return dataclass(frozen=True, kw_only=True)(type(options.__name__, (options,), members))
