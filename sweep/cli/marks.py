"""What is known of an option beside its type: who needs it, what numbers it takes, what a resume does with it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar, cast, get_type_hints

from trainables.errors import ExperimentError

RARE = "rare"
"""Marks an option that ``--help`` leaves to ``--help-all``: ``Annotated[bool, RARE]``."""

REFUSED = "refused"
"""Marks an inherited option that a command refuses and says what to give instead; no help shows it."""

Mark = TypeVar("Mark")


class OnResume(Enum):
    """What ``--resume`` does with an option of a sweep; every option of every phase has one of these marks."""

    FIXED = "is part of the experiment, which is kept as it was started"
    MAY_CHANGE = "may change with --resume"
    THIS_RUN = "is for this run alone"


@dataclass(frozen=True)
class Bounds:
    """The numbers that an option takes, both ends included; of a list of numbers, each of them."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:,} to {self.high:,}"


@dataclass(frozen=True)
class TrackedBy:
    """An option that makes a tracker follow the trials.

    Its name, one word, is also that of the service's package, of the extra and of the module in ``sweep/observers``.

    Attributes:
        takes: What the option takes, with its article.
    """

    takes: str


def marked(options: type[Any], kind: type[Mark]) -> Mapping[str, Mark]:
    """Return the marks of a kind by the names of the options that have one."""
    found: Mapping[str, Mark] = _marked(cast(Hashable, options), cast(Hashable, kind))
    return found


@cache
def _marked(options: Any, kind: Any) -> Mapping[str, Any]:
    hints = get_type_hints(options, include_extras=True)
    found = {
        one.name: mark
        for one in fields(options)
        for mark in getattr(hints[one.name], "__metadata__", ())
        if isinstance(mark, kind)
    }
    return MappingProxyType(found)


RENAMED = {"from_map": "from", "for_program": "for"}
"""Options whose flag is a word that Python keeps for itself."""


def flag(name: str) -> str:
    """Return an option as it is typed: ``--max-failures``."""
    return f"--{RENAMED.get(name, name).replace('_', '-')}"


def typed(options: Any) -> frozenset[str]:
    """Return the names of the options that were typed; of options made in code, those that differ from the default."""
    if options.typed is not None:
        names: frozenset[str] = options.typed
        return names
    return frozenset(one.name for one in fields(options) if getattr(options, one.name) != one.default)


def require_in_bounds(options: Any) -> None:
    """Refuse numbers that an option does not take, before anything is done with them.

    Raises:
        ExperimentError: All of them at once.
    """
    faults = []
    for name, bounds in marked(type(options), Bounds).items():
        value = getattr(options, name)
        for number in value if isinstance(value, tuple) else (value,):
            if number is not None and not bounds.low <= number <= bounds.high:
                end = f"at least {bounds.low:,}" if number < bounds.low else f"at most {bounds.high:,}"
                end = end if number == number else f"a number from {bounds}"  # NaN
                faults.append(f"{flag(name)} {_shown(number)}: must be {end}")
    if faults:
        raise ExperimentError(faults)


def _shown(number: float) -> str:
    """Return a number as it was typed; of a very long one, its beginning: Python itself refuses to write those."""
    try:
        text = str(number)
    except ValueError:
        return "of more than 4,300 digits"
    return text if len(text) <= 20 else f"{text[:12]}... ({len(text)} digits)"
