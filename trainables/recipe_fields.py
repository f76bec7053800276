"""What is known of a field of the recipe besides its type and default; said once, where the field is declared."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Flag, auto
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from trainables.errors import nearest

_KEY = "known"
Value = TypeVar("Value")


class Values(Protocol):
    """The values that a field takes."""

    def fault(self, value: Any) -> str:
        """Say what a value of the right type must be instead; empty for one that is allowed."""
        ...


@dataclass(frozen=True)
class Anything:
    """Every value of the type, as far as the field alone is looked at."""

    def fault(self, value: Any) -> str:
        """Allow it."""
        return ""


@dataclass(frozen=True)
class Choices:
    """One of some names, as they are when a recipe is made."""

    names: Collection[str]

    def fault(self, value: Any) -> str:
        """Suggest the nearest name."""
        return "" if value in self.names else nearest(value, tuple(self.names))


@dataclass(frozen=True)
class Range:
    """A real number; an open end is not allowed itself."""

    low: float
    high: float
    low_open: bool = False
    high_open: bool = False

    def fault(self, value: Any) -> str:
        """Name the interval."""
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        if above and below:
            return ""
        return f"it must be in {'[('[self.low_open]}{self.low:g}, {self.high:g}{'])'[self.high_open]}"


@dataclass(frozen=True)
class Between:
    """A number, both ends included."""

    least: float
    most: float

    def fault(self, value: Any) -> str:
        """Name the end that is passed."""
        if value < self.least:
            return f"it must be at least {self.least}"
        return f"it must be at most {self.most:,}" if value > self.most else ""


@dataclass(frozen=True)
class Multiple:
    """A whole multiple of a number, from that on; and 0, where that is allowed."""

    of: int
    most: int
    or_zero: bool = False

    def fault(self, value: Any) -> str:
        """Name what is allowed."""
        if (0 if self.or_zero else self.of) <= value <= self.most and value % self.of == 0:
            return ""
        if self.or_zero:
            return f"it must be 0 or a multiple of {self.of}, at most {self.most}"
        return f"it must be a multiple of {self.of}, at least {self.of} and at most {self.most}"


class FieldMark(Flag):
    """What is decided by a field."""

    PLAIN = 0
    """Nothing of these."""
    MEMORY = auto()
    """How much memory a training takes."""
    COMPARABLE = auto()
    """Whether val IoU after an epoch means the same in two trainings: both must have the same value."""
    COLUMN = auto()
    """What a reader of the trials table looks for: it has a column of its own there."""


PLAIN, MEMORY, COMPARABLE, COLUMN = FieldMark.PLAIN, FieldMark.MEMORY, FieldMark.COMPARABLE, FieldMark.COLUMN


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a field.

    Attributes:
        values: Those that it takes.
        marks: What it decides.
        fixed: Why no search may change it; empty where one may.
    """

    values: Values
    marks: FieldMark
    fixed: str = ""


def known(default: Value, values: Values, marks: FieldMark, *, fixed: str = "") -> Value:
    """Declare a field of a dataclass; see ``Known``."""
    about = Known(values=values, marks=marks, fixed=fixed)
    return dataclasses.field(default=default, metadata={_KEY: about})


def fields_of(recipe: type[Any]) -> Mapping[str, Known]:
    """Return what is known of each field of a dataclass, in their order.

    Raises:
        KeyError: A field is not declared by ``known``.
    """
    return MappingProxyType({one.name: one.metadata[_KEY] for one in dataclasses.fields(recipe)})


def marked(fields: Mapping[str, Known], mark: FieldMark) -> tuple[str, ...]:
    """Return the names of the fields that have a mark."""
    return tuple(name for name, one in fields.items() if mark in one.marks)
