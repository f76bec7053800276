"""Reads files that a person, another program or an attacker may have written: bounded, typed, every fault in one line.

Every JSON, JSON Lines and TOML file that tilesweep reads, its own included, is read by these functions.
"""

from __future__ import annotations

import reprlib
import stat
import tomllib
from collections.abc import Hashable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from pydantic import TypeAdapter

MIB = 2**20
MAX_BYTES = 64 * MIB
"""What a file may hold where its reader states no other bound."""
SHOWN = 60
"""Characters of a bad value that an error quotes."""

Schema = TypeVar("Schema")


class DamagedError(ValueError):
    """A file that cannot be what its reader expects; the message is one short line without the file's name."""


def read_bounded(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Read a regular file whole.

    Args:
        path: The file; a pipe, a device or a folder is refused before it is opened.
        limit: Bytes that it may hold.

    Raises:
        DamagedError: It is no regular file, or larger than the limit.
        OSError: It is not there or cannot be read.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise DamagedError("is not a regular file")
    if found.st_size > limit:
        raise DamagedError(_too_large(found.st_size, limit))
    with path.open("rb") as file:
        data = file.read(found.st_size + 1)  # memory for what is asked for is taken at once
        if len(data) > found.st_size:  # it may grow while it is read, and /proc says 0 for what has no end
            data += file.read(limit + 1 - len(data))
    if len(data) > limit:
        raise DamagedError(_too_large(len(data), limit))
    return data


def parse_json(data: bytes | str, schema: type[Schema], limit: int = MAX_BYTES) -> Schema:
    """Parse JSON and check it against a schema.

    Args:
        data: UTF-8, with or without a byte order mark.
        schema: A type that pydantic can check: a ``typing_extensions.TypedDict``, a dataclass, ``dict[str, float]``;
            ``object`` takes everything.
        limit: Bytes that it may hold.

    Returns:
        The value, as the schema says it. A number beyond the range of a float is infinite, and NaN is read as such:
        whoever computes with a number from a file checks that it is finite.

    Raises:
        DamagedError: Not JSON, nested too deep, a number that is none, a field that is missing or of another type.
    """
    from pydantic import ValidationError

    text = _decode(data, limit)
    try:
        return _adapter(schema).validate_json(text)
    except ValidationError as error:
        raise DamagedError(_first_fault(error)) from error
    except (RecursionError, OverflowError, MemoryError) as error:
        raise DamagedError(f"is nested too deep or holds too large a number ({type(error).__name__})") from error


def parse_toml(data: bytes | str, schema: type[Schema], limit: int = MAX_BYTES) -> Schema:
    """Parse TOML and check it against a schema; see ``parse_json``."""
    text = _decode(data, limit)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DamagedError(_short(str(error))) from error
    except (ValueError, RecursionError, OverflowError, MemoryError) as error:  # an integer of 5,000 digits, and deeper
        raise DamagedError(f"is nested too deep or holds too large a number ({type(error).__name__})") from error
    return check(values, schema)


def check(values: object, schema: type[Schema]) -> Schema:
    """Return values as a schema says them; see ``parse_json``."""
    from pydantic import ValidationError

    try:
        return _adapter(schema).validate_python(values)
    except ValidationError as error:
        raise DamagedError(_first_fault(error)) from error
    except (RecursionError, OverflowError, MemoryError) as error:
        raise DamagedError(f"is nested too deep or holds too large a number ({type(error).__name__})") from error


def _adapter(schema: type[Schema]) -> TypeAdapter[Schema]:
    return cast("TypeAdapter[Schema]", _built(cast(Hashable, schema)))


@cache
def _built(schema: Any) -> object:
    from pydantic import TypeAdapter

    return TypeAdapter(schema)


def _decode(data: bytes | str, limit: int) -> str:
    if len(data) > limit:
        raise DamagedError(_too_large(len(data), limit))
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DamagedError(f"is not UTF-8 (byte {error.start})") from error


def _too_large(size: int, limit: int) -> str:
    return f"holds {size:,} bytes or more; at most {limit:,} are read"


def _first_fault(error: Any) -> str:
    """Return the first of pydantic's faults: ``plan.trials: Input should be a valid integer, is 'x'``."""
    fault = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    message = str(fault["msg"]).replace("Invalid JSON", "no JSON")
    value = "" if fault["type"] in ("missing", "json_invalid") else f", is {quoted(fault['input'])}"
    return f"{_short(place)}: {message}{value}" if place else f"{message}{value}"


def quoted(value: object) -> str:
    """Return a short repr of any value, whatever its own ``__repr__`` does."""
    try:
        return _short(reprlib.repr(value))
    except Exception:  # an integer of more than 4,300 digits, what nests too deep, a repr of somebody's own
        return f"a {type(value).__name__} that cannot be shown"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 3]}..."
