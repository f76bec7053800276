"""Which source goes into which split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.splits.parts import RasterPart
from trainables.data.manifest import SplitOrigin
from trainables.data.tiles import MAX_NAME, SPLITS, natural_order, same_name
from trainables.documents import MIB, DamagedError, parse_toml, read_bounded
from trainables.errors import DataError
from trainables.escaping import visible

AUSTIN = "austin"
AUSTIN_TRAIN = (2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 14, 15, 17, 18, 19, 20, 22, 23, 24, 25, 27, 28, 29, 30)
AUSTIN_VAL = (1, 6, 11, 16, 21, 26)
AUSTIN_TEST = (31, 32, 33, 34, 35, 36)
MAX_BYTES = 32 * MIB
MAX_PATTERNS = 1_000
"""Each is compared with every source."""
PUBLISHED = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""What publishers call the folders of their splits."""
WILDCARDS = frozenset("*?[")


def numbered_split(prefix: str) -> dict[str, list[str]]:
    """Return the study's split of 36 tiles called ``PREFIX1`` to ``PREFIX36``."""
    numbers = {"train": AUSTIN_TRAIN, "val": AUSTIN_VAL, "test": AUSTIN_TEST}
    return {split: [f"{prefix}{number}" for number in chosen] for split, chosen in numbers.items()}


def read_split(text: str, names: Iterable[str]) -> dict[str, list[RasterPart]]:
    """Assign sources, or parts of them, to splits.

    Args:
        text: ``austin``, the study's own split, or the path of a TOML file with the keys ``train``, ``val`` and
            ``test``, each a list of names or patterns (``"tile1_*"``), with ``x=FIRST:END`` and ``y=FIRST:END`` for
            some of the columns and rows.
        names: The sources that there are.

    Returns:
        Split to parts, in natural order; val or test may be empty. Sources that match nothing are left out.

    Raises:
        DataError: Everything that is wrong, all at once.
    """
    known = sorted(names, key=natural_order)
    fix = "name your own tiles in a TOML file" if text == AUSTIN else "add it, or correct the name"
    patterns = numbered_split(AUSTIN) if text == AUSTIN else _read_file(Path(text))
    there = set(known)
    faults: list[str] = []
    chosen: dict[str, dict[RasterPart, None]] = {}
    owner: dict[RasterPart, str] = {}
    for split in SPLITS:
        chosen[split] = {}
        for pattern in patterns[split]:
            wanted = same_name(pattern)
            part = RasterPart(source=wanted) if wanted in there else RasterPart.parse(wanted)
            matches = [part.source] if part.source in there else _matching(known, part.source)
            if not matches:
                faults.append(f"--split {text}: {split} names {pattern!r}, which is not among the sources; {fix}")
            for name in matches:
                found = replace(part, source=name)
                if owner.setdefault(found, split) != split:
                    faults.append(
                        f"--split {text}: tile {str(found)!r} is in {owner[found]} and in {split}; keep it in one"
                    )
                else:
                    chosen[split][found] = None
    if not chosen["train"]:
        faults.append(f"--split {text}: train is empty; name at least one tile")
    if faults:
        raise DataError(dict.fromkeys(faults))
    return {split: list(parts) for split, parts in chosen.items()}


def split_called(folder: str) -> str:
    """Return the split that publishers call so; empty for a name of none, such as that of a scene.

    A year may follow, or what is in it: COCO has ``train2017``, others ``training_data`` and ``test_images``.
    """
    word = re.sub(r"((19|20)\d\d|[_-](data|set|dataset|images|split))$", "", folder.lower())
    return next((split for split, words in PUBLISHED.items() if word in words), "")


def published_split(source: SourceRaster) -> str:
    """Return the split that a source's publisher put it into; empty where none is published."""
    return source.split or split_called(source.folder)


def origin_of(splits: Mapping[str, Sequence[str]], published: Mapping[str, str]) -> SplitOrigin:
    """Say who divided the tiles: whoever published them, where train and val hold what they put there.

    Args:
        splits: Split to tile names.
        published: Tile name to the split that its publisher put it into, empty for none.
    """
    kept = all(published[name] == split for split in ("train", "val") for name in splits[split])
    return "published" if kept else "chosen"


def _matching(names: Iterable[str], pattern: str) -> list[str]:
    return [name for name in names if fnmatchcase(name, pattern)] if WILDCARDS & set(pattern) else []


def _read_file(path: Path) -> Mapping[str, list[str]]:
    shape = 'a split file reads train = ["NAME", ...], val = [...], test = [...]'
    try:
        values = parse_toml(read_bounded(path, MAX_BYTES), dict[str, list[str]], MAX_BYTES)
    except FileNotFoundError as error:
        raise DataError(f"--split {path}: no such file; {shape}, or leave --split out") from error
    except OSError as error:
        raise DataError(f"--split {path}: cannot be read ({error.strerror}); {shape}") from error
    except DamagedError as error:
        raise DataError(f"--split {path}: no split ({error}); {shape}") from error
    patterns = [pattern for names in values.values() for pattern in names]
    if set(values) != set(SPLITS):
        raise DataError(f"--split {path}: is no split; {shape}")
    if odd := [pattern for pattern in patterns if len(pattern) > MAX_NAME or not pattern.isprintable()]:
        raise DataError(f"--split {path}: names {visible(odd[0][:40])!r}, which is no name of a tile; {shape}")
    if sum(bool(WILDCARDS & set(pattern)) for pattern in patterns) > MAX_PATTERNS:
        raise DataError(f"--split {path}: holds more than {MAX_PATTERNS:,} patterns with *, ? or [; name the tiles")
    return values
