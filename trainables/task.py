"""``Task``: what a dataset's masks mean, and so what a model is to predict."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from trainables.documents import DamagedError, check
from trainables.errors import DataError
from trainables.escaping import visible

Colour = tuple[int, int, int]
IGNORE_INDEX = 255
"""Pixels of this value count neither in the loss nor in a score."""
MAX_CLASSES = 64
MAX_NAME = 100
"""Letters of a class's name."""
IGNORE, REST = "ignore", "*"
"""What ``remap`` calls pixels that do not count, and every value that it does not name."""


class _Values(TypedDict):
    """What a person or a manifest writes of a task."""

    kind: NotRequired[str]
    classes: NotRequired[list[str]]
    colours: NotRequired[list[list[int]]]
    remap: NotRequired[dict[str, str]]
    ignores: NotRequired[bool]


_FIRST_COLOURS: tuple[Colour, ...] = (
    (0, 0, 0),
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
"""Black for the first class, then Okabe and Ito's colours (2008), told apart with every common colour blindness."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a dataset's masks mean. Without a word in the manifest it is binary.

    Attributes:
        kind: ``binary`` (one logit; the second class is the foreground) or ``multiclass`` (one logit per class).
        classes: Names in the order of their indices; two for a binary task, 2 to 64 else.
        colours: RGB per class, each number from 0 to 255: how pictures show a class, and how masks in colours are read.
            Without them pictures take colours of their own, and masks in colours cannot be read.
        remap: Value in a mask file (an index, ``3``; a colour, ``155,155,155``; ``*``, any other), or the name of a
            label, to the name of its class, or ``ignore``. What it does not name keeps its own meaning.
        ignores: Whether masks hold pixels that count neither in the loss nor in a score, as 255. A binary mask that
            does not is read with 255 as foreground.
    """

    kind: Literal["binary", "multiclass"] = "binary"
    classes: tuple[str, ...] = ("background", "foreground")
    colours: tuple[Colour, ...] = ()
    remap: Mapping[str, str] = field(default_factory=dict)
    ignores: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("binary", "multiclass"):
            raise DataError(f"task: kind is {self.kind!r}; it must be binary or multiclass")
        count = len(self.classes)
        if odd := [name for name in self.classes if not (0 < len(name) <= MAX_NAME and name.isprintable())]:
            raise DataError(
                f"task: a class is called {visible(odd[0][:40])!r}; give each 1 to {MAX_NAME} printable letters"
            )
        if self.kind == "binary" and count != 2:
            raise DataError(f"task: {count} classes in a binary task; name two, or set kind to multiclass")
        if not 2 <= count <= MAX_CLASSES:
            raise DataError(f"task: {count} classes; name 2 to {MAX_CLASSES}")
        if len(set(self.classes)) < count or {IGNORE, REST} & set(self.classes):
            raise DataError(f"task: classes are {list(self.classes)!r}; names must differ, none may be ignore or *")
        if self.colours and len(self.colours) != count:
            raise DataError(f"task: {len(self.colours)} colours for {count} classes; give one per class, or none")
        for colour in self.colours:
            if len(colour) != 3 or not all(type(one) is int and 0 <= one <= 255 for one in colour):
                raise DataError(f"task: colour {list(colour)!r}; give three whole numbers from 0 to 255")
        if len(set(self.colours)) < len(self.colours):
            raise DataError(f"task: colours are {list(self.colours)!r}; two classes share one, give each its own")
        meant: dict[int | Colour | str | None, str] = {}
        for value, name in self.remap.items():
            if (twin := meant.setdefault(parse_value(value), value)) != value:
                raise DataError(f"task: remap holds {twin!r} and {value!r}, which are one value; keep one")
            if name not in (*self.classes, IGNORE):
                raise DataError(f"task: remap of {value!r} names {name!r}; known: {', '.join(self.classes)}, {IGNORE}")

    @property
    def binary(self) -> bool:
        """Whether the model has one logit, of the foreground."""
        return self.kind == "binary"

    @property
    def channels(self) -> int:
        """Logits per pixel."""
        return 1 if self.binary else len(self.classes)

    @property
    def ignores_pixels(self) -> bool:
        """Whether masks may hold 255 for pixels that do not count; always in a multi-class task."""
        return self.ignores or not self.binary or IGNORE in self.remap.values()

    @property
    def scored_classes(self) -> tuple[int, ...]:
        """The classes whose IoU is averaged: the foreground alone in a binary task."""
        return (1,) if self.binary else tuple(range(len(self.classes)))

    @property
    def shown_colours(self) -> tuple[Colour, ...]:
        """RGB per class for pictures: the given colours, or ones that differ."""
        if self.colours:
            return self.colours
        hues = range(len(self.classes) - len(_FIRST_COLOURS))
        wheel = (colorsys.hsv_to_rgb(0.618 * hue % 1, 0.55 + 0.4 * (hue % 2), 0.85) for hue in hues)
        more = tuple((round(255 * r), round(255 * g), round(255 * b)) for r, g, b in wheel)
        return (*_FIRST_COLOURS, *more)[: len(self.classes)]

    @property
    def summary(self) -> str:
        """One line for plans and tables."""
        if self == Task():
            return "binary"
        names = f"{self.kind}: {', '.join(self.classes)}"
        return f"{names} (some pixels ignored)" if self.ignores or IGNORE in self.remap.values() else names

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {**asdict(self), "classes": list(self.classes), "colours": [list(one) for one in self.colours]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Task:
        """Read what ``to_dict`` returned, or a person wrote; fields may be left out.

        Raises:
            DataError: An unknown field, or values that make no task.
        """
        known = ("kind", "classes", "colours", "remap", "ignores")
        if unknown := sorted(set(values) - set(known)):
            raise DataError(f"task: {visible(str(unknown[0])[:40])!r} does not exist; known: {', '.join(known)}")
        try:
            fields: dict[str, Any] = {**check(dict(values), _Values)}
        except DamagedError as error:
            raise DataError(f"task: {error}; see docs/your-data.md") from error
        for name in ("classes", "colours"):
            if name in fields:
                fields[name] = tuple(tuple(one) if isinstance(one, list) else one for one in fields[name])
        return cls(**fields)


def parse_value(text: str) -> int | Colour | str | None:
    """Parse the left side of a remapping: an index, a colour, ``*`` (None), or else the name of a label as it is.

    Raises:
        DataError: Numbers that are neither, or no name.
    """
    if text == REST:
        return None
    parts = [part.strip() for part in text[:MAX_NAME].split(",")]
    if len(parts) in (1, 3) and all(part.isdecimal() and len(part) <= 3 and int(part) <= 255 for part in parts):
        numbers = [int(part) for part in parts]
        return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2])
    if all(part.isdecimal() for part in parts) or not (0 < len(text) <= MAX_NAME and text.isprintable()):
        raise DataError(
            f"task: remap of {visible(text[:40])!r}; give an index (3), a colour (155,155,155) or *, numbers up to "
            f"255, or the name of a label"
        )
    return text
