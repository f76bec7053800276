"""One rule for every file that a command writes where the user said: what is not ours is not replaced unasked.

A file of ours carries a seal: a mark with the hash of everything else in it. Editing the file breaks the seal, so that
what a person added is not lost either.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import stat
import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sweep.records.experiment import DESCRIPTION_FILE, LEDGER_FILE
from trainables.data.manifest import MANIFEST_FILE
from trainables.data.tiles import SPLITS
from trainables.documents import DamagedError, parse_json, read_bounded
from trainables.errors import ExperimentError

COMMENTS = {
    ".html": b"<!-- tilesweep %s -->\n",
    ".md": b"<!-- tilesweep %s -->\n",
    ".svg": b"<!-- tilesweep %s -->\n",
    ".pdf": b"%%tilesweep %s\n",
    ".yml": b"# tilesweep %s\n",
    ".vrt": b"<!-- tilesweep %s -->\n",
}
"""Endings -> the line at the end of a file that is its seal."""
KEY = "tilesweep"
"""The field of a JSON object, and of a PNG's text, that is its seal."""
LARGEST = 256 * 2**20
"""Bytes up to which a file is read to see whether it is ours; no report or picture is larger."""


def sealed(content: bytes, ending: str) -> bytes:
    """Return a file's content with its seal.

    Args:
        content: Of a format that can hold a remark without being changed by it.
        ending: ``.html``, ``.md``, ``.svg``, ``.vrt``, ``.pdf``, ``.yml``, ``.json`` (an object) or ``.png``.
    """
    if ending == ".json":
        values = json.loads(content)
        return (json.dumps({**values, KEY: _hash(json.dumps(values).encode())}, indent=2) + "\n").encode()
    if ending == ".png":
        return content[:-12] + _png_text(_hash(content)) + content[-12:]  # before the last chunk, which is empty
    content = content if content.endswith(b"\n") else content + b"\n"
    return content + COMMENTS[ending] % _hash(content).encode()


def is_sealed(content: bytes, ending: str) -> bool:
    """Whether a file's content is as ``sealed`` returned it."""
    if ending == ".json":
        with suppress(DamagedError):
            values = parse_json(content, dict[str, Any])
            return bool(values.pop(KEY, None) == _hash(json.dumps(values).encode()))
        return False
    if ending == ".png":
        length = len(_png_text(_hash(b"")))
        before, end = content[: -12 - length], content[-12:]
        return content[-12 - length : -12] == _png_text(_hash(before + end))
    comment = re.escape(COMMENTS[ending]).replace(b"%%", b"%").replace(b"%s", rb"([0-9a-f]{64})")
    found = re.search(comment + rb"\Z", content[-200:])
    return bool(found) and found is not None and _hash(content[: -len(found[0])]).encode() == found[1]


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _png_text(text: str) -> bytes:
    """Return a PNG's text chunk. Source: PNG specification, third edition, 11.3.3.2."""
    data = b"tEXt" + KEY.encode() + b"\0" + text.encode()
    return struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))


def require_no_tiles(folder: Path, name: str) -> None:
    """Refuse to write where a dataset keeps its tiles.

    Raises:
        ExperimentError: As said.
    """
    place = Path(os.path.realpath(folder))
    if place.name in ("images", "masks") and place.parent.name in SPLITS:
        raise ExperimentError(f"{name}: is where a dataset keeps its tiles; choose another folder")


def unused_beside(folder: Path) -> Path:
    """Return a path beside a folder where nothing is yet: its name with the first number from 2 that is free."""
    place = folder if folder.name.strip(".") else folder.resolve()
    names = (place.parent / f"{place.name}_{number}" for number in itertools.count(2))
    return next(name for name in names if not os.path.lexists(name))


def require_free(
    path: Path,
    *,
    flag: str = "--out",
    overwrite: bool | None = False,
    ending: str | None = None,
    sha256: str | None = None,
) -> None:
    """Refuse to write a file where something stands that is not ours to replace.

    Args:
        path: The file.
        flag: What the user gave it to, for the message; empty where the command chose the place itself.
        overwrite: Replace what the user can have wanted to replace. A folder, a link, a dataset's tile and a file of an
            experiment are no such things. None where the command has no such flag.
        ending: How the file is sealed, see ``sealed``; None for a format without a seal, of which nothing is replaced
            unasked.
        sha256: Hash of such a file as it was written, where that is known: then it is replaced unless it was edited.

    Raises:
        ExperimentError: As said.
    """
    name = f"{flag} {path}".strip()
    require_no_tiles(path.parent, name)
    place = Path(os.path.realpath(path.parent)) / path.name
    try:
        mode = place.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise unwritable(path, error, flag) from error
    if stat.S_ISDIR(mode):
        raise ExperimentError(f"{name}: exists already and is a folder; name a file")
    if stat.S_ISLNK(mode):
        raise ExperimentError(f"{name}: is a link to {place.readlink()}; name a file that is no link")
    if not stat.S_ISREG(mode):
        raise ExperimentError(f"{name}: is no regular file; name another one")
    if place.name in (MANIFEST_FILE, LEDGER_FILE):
        raise ExperimentError(f"{name}: is a record of tilesweep and is never replaced; choose another name")
    if (ending and _is_ours(place, ending)) or (sha256 and sha256 == sha256_of(place)):
        return
    if flag and any((folder / DESCRIPTION_FILE).is_file() for folder in place.parents):
        raise ExperimentError(f"{name}: is a file of an experiment and is never replaced; choose another name")
    if not overwrite:
        why = ", not as tilesweep wrote it" if ending or sha256 else ""
        fix = f"{'choose another name' if flag else 'move it'}{', or say --overwrite' if overwrite is not None else ''}"
        raise ExperimentError(f"{name}: exists already{why}; {fix}")


def sha256_of(path: Path) -> str:
    """Return the hash of a file; empty for one that cannot be read, or is larger than anything that is written here."""
    try:
        return _hash(read_bounded(path, LARGEST))
    except (OSError, DamagedError):
        return ""


def _is_ours(place: Path, ending: str) -> bool:
    try:
        return is_sealed(read_bounded(place, LARGEST), ending)
    except (OSError, DamagedError):
        return False


def write_files(
    contents: Mapping[Path, bytes],
    *,
    flag: str = "--out",
    overwrite: bool | None = False,
    ending: str | None = None,
    make_folders: bool = True,
) -> None:
    """Write sealed files: all of them are checked before the first is written, and each is there whole or not at all.

    Args:
        contents: File -> what ``sealed`` returned.
        flag: See ``require_free``; likewise below.
        overwrite: As above.
        ending: As above; None is each file's own.
        make_folders: Make the folder of a file where it is not there.

    Raises:
        ExperimentError: Something that is not ours is there, or a file cannot be written.
    """
    for path in contents:
        require_free(path, flag=flag, overwrite=overwrite, ending=ending or ending_of(path))
    for path, content in contents.items():
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            if make_folders:
                path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            temporary.replace(path)
        except OSError as error:
            raise unwritable(path, error, flag) from error
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def ending_of(path: Path) -> str:
    """Return how a file is sealed, from its name."""
    ending = path.suffix.lower()
    return ".html" if ending == ".htm" else ending


def unwritable(path: Path, error: OSError, flag: str = "--out") -> ExperimentError:
    """Return the error of a file that cannot be written."""
    return ExperimentError(f"{f'{flag} {path}'.strip()}: cannot be written ({error.strerror}); choose another place")
