"""Which options a command takes, read from the command itself."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Literal

import docstring_parser
import tyro

from sweep.cli.usage import remarks


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of a command.

    Attributes:
        flag: As it is typed, such as ``--max-concurrent``; for a positional one its name.
        value: What stands behind it, such as ``N``; empty for a switch.
        default: As it is typed; empty where there is none.
        required: Whether it must be given.
        text: What it is for.
    """

    flag: str
    value: str
    default: str
    required: bool
    text: str


def groups(options: type[Any]) -> Iterator[tuple[type[Any], list[Option]]]:
    """Yield a command's options by the class that brings them, its own ones first."""
    told: set[str] = set()
    for owner in options.__mro__:
        if is_dataclass(owner):
            own = own_options(owner)
            yield owner, [one for one in own if one.flag not in told]
            told |= {one.flag for one in own}


def own_options(owner: type[Any]) -> list[Option]:
    """Return the options that a dataclass itself brings, without those that it inherits."""
    own = docstring_parser.parse_from_object(owner)
    texts = {one.args[1]: " ".join((one.description or "").split()) for one in own.params}
    hints = typing.get_type_hints(owner, include_extras=True)
    notes = {name: f" ({'; '.join(said)})" for name in texts if (said := remarks(owner, name))}
    return [
        _option(one, hints[one.name], texts.get(one.name, "") + notes.get(one.name, ""))
        for one in fields(owner)
        if one.name in inspect.get_annotations(owner)
    ]


def _option(one: Field[Any], hint: Any, text: str) -> Option:
    extras = getattr(hint, "__metadata__", ())
    kind = typing.get_args(hint)[0] if extras else hint
    shown = next((extra.metavar for extra in extras if getattr(extra, "metavar", None)), None)
    named = shown or _value(kind)
    positional = any(extra is tyro.conf.Positional for extra in extras)
    return Option(
        flag=named if positional else f"--{one.name.replace('_', '-')}",
        value="" if positional else named,
        default=_default(one.default),
        required=one.default is MISSING and one.default_factory is MISSING,
        text=text,
    )


def _value(kind: Any) -> str:
    """Return what a type's values look like on the command line."""
    if kind is bool:
        return ""
    kinds = [one for one in typing.get_args(kind) if one is not NoneType]
    if typing.get_origin(kind) is Literal:
        return "|".join(map(str, kinds))
    if kinds and kind is not kinds[0]:
        return _value(kinds[0])
    return {int: "N", float: "NUMBER", str: "TEXT", Path: "PATH"}.get(kind, "VALUE")


def _default(value: Any) -> str:
    if value is None or value is MISSING or value is False or value == () or value == "":
        return ""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
