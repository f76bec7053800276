"""What is wrong with a command line: a line for each fault, with the form that is allowed."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from sweep.cli.marks import Bounds, flag
from trainables.errors import did_you_mean
from trainables.secrets import hide_secret

SHOWN = 40
"""Letters of a value that an error shows."""
HELP = ("--help", "--help-all")
SETTINGS = {"lr": "learning_rate", "epochs": "max_epochs", "batch": "batch_size", "dropout": "decoder_dropout"}
"""What fields of a recipe are called elsewhere."""
_POSITIONAL = typing.cast(Any, tyro.conf.Positional[int]).__metadata__[0]


@dataclass(frozen=True)
class _Option:
    """An option of a command, as it is typed.

    Attributes:
        field: Where its value goes.
        hint: Its type, without None and without remarks.
        marks: The remarks.
    """

    field: Field[Any]
    hint: Any
    marks: tuple[Any, ...]

    @property
    def positional(self) -> bool:
        return _POSITIONAL in self.marks

    @property
    def flag(self) -> str:
        return flag(self.field.name)

    @property
    def required(self) -> bool:
        return self.field.default is MISSING and self.field.default_factory is MISSING

    @property
    def spec(self) -> PrimitiveConstructorSpec[Any] | None:
        return next((one for one in self.marks if isinstance(one, PrimitiveConstructorSpec)), None)

    @property
    def metavar(self) -> str:
        """What stands for its value in the help."""
        named = [one.metavar for one in self.marks if getattr(one, "metavar", None)]
        return str(named[0]) if named else "|".join(_choices(self.hint)) or self.field.name.upper()

    @property
    def takes(self) -> tuple[int, int | None]:
        """How many values it takes at least and at most; None for any number."""
        if self.hint is bool:
            return 0, 0
        if self.spec:
            return (0, None) if self.spec.nargs == "*" else (1, 1)
        return (0, None) if get_origin(self.hint) is tuple else (1, 1)

    def fault(self, values: Sequence[str]) -> str:
        """Say which form its values must have; empty where they have it."""
        if self.spec:
            try:
                self.spec.instance_from_str(list(values))
            except ValueError as error:
                return self._form(str(error))
        for value in values:
            choices = _choices(self.hint)
            if choices and value not in choices:
                return f"must be {_either(choices)}{_guess(value, choices)}"
            try:
                if self.hint in (int, float):
                    self.hint(value)
            except ValueError:
                return f"must be {self._number}"
        return ""

    @property
    def _number(self) -> str:
        bounds = next((one for one in self.marks if isinstance(one, Bounds)), None)
        return f"a {'whole ' if self.hint is int else ''}number{f' from {bounds}' if bounds else ''}"

    def _form(self, said: str) -> str:
        """Return the form of a value that is made of parts; what its reader says is kept where that is ours."""
        inner = get_args(self.hint)
        if said.startswith(("invalid literal", "could not convert", "not enough values", "too many values")):
            kind = "whole numbers" if int in inner else "numbers"
            return f"must be {kind} with commas between them: {self.metavar}"
        return said or f"must be of the form {self.metavar}"


def mistakes(options: type[Any], words: Sequence[str], program: str) -> list[str]:
    """Say what is wrong with a command line, a fault a line; none where every word has the form that it must have.

    Args:
        options: The command's options.
        words: What was typed behind the command's name.
        program: What was typed before that.
    """
    known = _options(options)
    by_flag = {one.flag: one for one in known if not one.positional}
    free = [one for one in known if one.positional]
    room = None if any(one.takes[1] is None for one in free) else len(free)
    faults: list[str] = []
    given: set[str] = set()
    loose: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not _is_flag(word):
            loose.append(word)
            continue
        name, glued, value = word.partition("=")
        name = name.replace("_", "-")
        option = by_flag.get(name)
        if option is None:
            faults.append(_unknown(name, by_flag, program))
            while rest and not glued and not _is_flag(rest[0]):  # its value, which says nothing by itself
                rest.pop(0)
            continue
        given.add(name)
        least, most = option.takes
        values = [value] if glued else []
        while rest and not glued and not _is_flag(rest[0]) and (most is None or len(values) < most):
            values.append(rest.pop(0))
        if glued and most == 0:
            faults.append(f"{name}: takes no value; leave out {_shown('=' + value)}")
        elif len(values) < least:
            faults.append(f"{name}: takes a value, {option.metavar}, and none was given")
        elif most != 0 and (fault := option.fault(values)):
            faults.append(f"{name} {_shown(' '.join(values))}: {fault}")
    if room is not None and len(loose) > room:
        faults.append(f"{_shown(loose[room])}: nothing takes this word; options begin with --, see {program} --help")
    for one, word in zip(free, loose, strict=False):
        if fault := one.fault([word]):
            faults.append(f"{_shown(word)}: {fault}")
    faults += [f"{one.flag}: is missing; give {one.flag} {one.metavar}" for one in _missing(by_flag.values(), given)]
    faults += [f"{one.metavar}: is missing; give it after {program}" for one in free[len(loose) :] if one.required]
    return faults


def unknown_option(word: str, known: Sequence[str], program: str) -> str:
    """Say that there is no such option, and which are meant or where all are listed."""
    guess = did_you_mean(word, [*known, *HELP])
    return f"{_shown(word)}: no such option; {guess or f'{program} --help-all lists all'}"


def _unknown(name: str, known: Mapping[str, _Option], program: str) -> str:
    field = name.removeprefix("--").replace("-", "_")
    setting = SETTINGS.get(field, field)
    if flag(setting) in known:
        return f"{name}: no such option; did you mean {flag(setting)!r}?"
    if "--recipes" in known and setting in _recipe_fields():
        more = "; --profile demo trains for few epochs" if setting == "max_epochs" else ""
        return (
            f"{name}: no such option; {setting} is part of a recipe: write [ARCHITECTURE] and a line {setting} = ... "
            f"into a file for --recipes FILE{more}"
        )
    return unknown_option(name, list(known), program)


def _recipe_fields() -> set[str]:
    from trainables.recipe import Recipe

    return {one.name for one in fields(Recipe)} - {"architecture"}


def _options(options: type[Any]) -> list[_Option]:
    hints = get_type_hints(options, include_extras=True)
    return [_Option(one, *_bare(hints[one.name])) for one in fields(options)]


def _bare(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return a type without None and remarks, and the remarks."""
    if hasattr(hint, "__metadata__"):
        bare, marks = _bare(hint.__origin__)
        return bare, (*hint.__metadata__, *marks)
    if get_origin(hint) in (typing.Union, types.UnionType):
        (one,) = (part for part in get_args(hint) if part is not type(None))
        return _bare(one)
    return hint, ()


def _missing(options: Sequence[_Option] | Any, given: set[str]) -> Iterator[_Option]:
    return (one for one in options if one.required and one.flag not in given)


def _is_flag(word: str) -> bool:
    """Whether a word is an option rather than a value, such as a negative number."""
    return word.startswith("--") or (word.startswith("-") and len(word) > 1 and not _is_number(word))


def _is_number(word: str) -> bool:
    try:
        float(word.partition(",")[0])
    except ValueError:
        return False
    return True


def _choices(hint: Any) -> list[str]:
    return [str(one) for one in get_args(hint)] if get_origin(hint) is Literal else []


def _either(choices: Sequence[str]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}" if len(choices) > 1 else choices[0]


def _guess(value: str, choices: Sequence[str]) -> str:
    guess = did_you_mean(value, choices)
    return f"; {guess}" if guess else ""


def _shown(text: str) -> str:
    hidden = hide_secret(text)
    return hidden if len(hidden) <= SHOWN else f"{hidden[:SHOWN]}..."
