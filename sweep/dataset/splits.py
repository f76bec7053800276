"""Which source goes into which split."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from trainables.data.tiles import SPLITS, natural_order
from trainables.errors import DataError

AUSTIN_TRAIN = (2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 14, 15, 17, 18, 19, 20, 22, 23, 24, 25, 27, 28, 29, 30)
AUSTIN_VAL = (1, 6, 11, 16, 21, 26)
AUSTIN_TEST = (31, 32, 33, 34, 35, 36)


def numbered_split(prefix: str) -> dict[str, list[str]]:
    """Return the study's split of 36 tiles called ``PREFIX1`` to ``PREFIX36``."""
    numbers = {"train": AUSTIN_TRAIN, "val": AUSTIN_VAL, "test": AUSTIN_TEST}
    return {split: [f"{prefix}{number}" for number in chosen] for split, chosen in numbers.items()}


def read_split(text: str, names: Iterable[str]) -> dict[str, list[str]]:
    """Assign sources to splits.

    Args:
        text: ``austin``, the study's own split, or the path of a TOML file with the keys ``train``, ``val`` and
            ``test``, each a list of names or patterns (``"tile1_*"``).
        names: The sources that there are.

    Returns:
        Split to names, in natural order. Sources that match nothing are left out.

    Raises:
        DataError: Everything that is wrong, all at once.
    """
    known = sorted(names, key=natural_order)
    patterns = numbered_split("austin") if text == "austin" else _read_file(Path(text))
    faults: list[str] = []
    chosen: dict[str, list[str]] = {}
    owner: dict[str, str] = {}
    for split in SPLITS:
        chosen[split] = []
        for pattern in patterns[split]:
            matches = [name for name in known if fnmatchcase(name, pattern)]
            if not matches:
                faults.append(f"--split {text}: {split} names {pattern!r}, which is not among the sources; add it")
            for name in matches:
                if owner.setdefault(name, split) != split:
                    faults.append(f"--split {text}: tile {name!r} is in {owner[name]} and in {split}; keep it in one")
                elif name not in chosen[split]:
                    chosen[split].append(name)
        if not chosen[split]:
            faults.append(f"--split {text}: {split} is empty; name at least one tile")
    if faults:
        raise DataError(dict.fromkeys(faults))
    return chosen


def _read_file(path: Path) -> Mapping[str, list[str]]:
    shape = 'a split file reads train = ["NAME", ...], val = [...], test = [...]'
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"--split {path}: no such file; {shape}, or say austin") from error
    except (OSError, ValueError) as error:
        raise DataError(f"--split {path}: not readable as TOML ({error}); {shape}") from error
    good = set(values) == set(SPLITS) and all(
        isinstance(names, list) and all(isinstance(name, str) for name in names) for names in values.values()
    )
    if not good:
        raise DataError(f"--split {path}: is no split; {shape}")
    return values
