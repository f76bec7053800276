"""What the values of a map are called."""

from __future__ import annotations

from collections.abc import Sequence

from trainables.errors import DataError
from trainables.task import MAX_CLASSES

PICTURE = [0, 255]
"""The values of a binary mask that is a picture."""
BINARY = ("background", "foreground")


def class_names(path: str, values: Sequence[int], tag: str, given: Sequence[str]) -> dict[int, str]:
    """Return value to name, in order; a class that the map does not show can be in it, since a label can be of it.

    Args:
        path: Of the map, for errors.
        values: That it shows.
        tag: Its names as predictions carry them; may be empty.
        given: The names of the values 0, 1, 2, ... that the user gave; empty for none. Of a picture with 0 and 255,
            255 is the second.

    Raises:
        DataError: A value has no name, there are too many, or there is one class alone.
    """
    if len(values) > MAX_CLASSES:
        raise DataError(
            f"{path}: shows {len(values)} values; a class map has {MAX_CLASSES} classes at most: name the map of "
            f"classes, not of probabilities"
        )
    if given:
        numbers = PICTURE if len(given) == 2 and set(values) <= set(PICTURE) and 255 in values else range(len(given))
        names = dict(zip(numbers, given, strict=True))
    else:
        names = _tagged(tag)
    if not names and set(values) <= {0, 1}:
        names = dict(enumerate(BINARY))
    elif not names and set(values) <= set(PICTURE):
        names = dict(zip(PICTURE, BINARY, strict=True))
    names = names or {value: f"class {value}" for value in values}
    if unknown := sorted(set(values) - set(names)):
        source = f"--classes names {len(given)}, from 0" if given else f"the file names {', '.join(names.values())}"
        raise DataError(f"{path}: shows the value {unknown[0]}, and {source}; name them all with --classes A,B,...")
    if len({name.casefold() for name in names.values()}) < len(names) or "?" in names.values():
        raise DataError("--classes: two classes have one name, or one is called ?; give each a name of its own")
    if len(names) < 2:
        raise DataError(
            f"{path}: shows one class alone ({', '.join(names.values())}), so a label cannot differ from it; name the "
            f"classes that there may be with --classes A,B,..."
        )
    return dict(sorted(names.items()))


def _tagged(tag: str) -> dict[int, str]:
    """Read ``0=land,1=roof``; nothing of what is no such text."""
    names: dict[int, str] = {}
    for part in tag.split(",") if tag else ():
        value, found, name = part.partition("=")
        if not found or not value.isdecimal() or int(value) > 255:
            return {}
        names[int(value)] = name
    return names
