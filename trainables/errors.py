"""The exception hierarchy: everything that a user can fix is a ``TilesweepError``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")


LISTED = 16
"""Names that a line lists; of more, it shows the nearest."""
CLOSE = 60
"""Similarity, of 100, from which a name may be meant."""
ALIKE = 15
"""By how much less the similarity of others may be."""


class TilesweepError(Exception):
    """A user's mistake, said in a line that names the file or flag, what is wrong and the fix.

    Args:
        faults: One line, or one for each of several faults that were found at once.

    Attributes:
        faults: The lines.
    """

    def __init__(self, faults: str | Iterable[str]) -> None:
        self.faults: tuple[str, ...] = (faults,) if isinstance(faults, str) else tuple(faults)
        super().__init__("; ".join(self.faults))


class RecipeError(TilesweepError):
    """A hyperparameter outside its range, or a name that does not exist."""


class SpaceError(TilesweepError):
    """A search space that names no hyperparameter, or values that it cannot have."""


class DataError(TilesweepError):
    """A dataset that is incomplete, damaged or inconsistent."""


class WeightsError(TilesweepError):
    """Pretrained weights that are missing, damaged or of another model."""


class HopelessError(TilesweepError):
    """A training that cannot continue, wherever and however often it is tried."""


class DivergedError(HopelessError):
    """A training whose loss became NaN or infinite."""


class InfeasibleError(HopelessError):
    """A training that does not fit into the device's memory, whatever is done about it."""


class ExperimentError(TilesweepError):
    """An experiment that does not exist, cannot be written, or does not fit the request."""


class StorageError(ExperimentError):
    """A storage that is full, unwritable, or out of reach; what was written before is safe."""


class LedgerError(TilesweepError):
    """A second reading of the test split, or a ledger that was tampered with."""


def of_each(
    items: Mapping[str, Item],
    look: Callable[[Item], Found],
    passing: Callable[[Iterable[tuple[str, Item]]], Iterable[tuple[str, Item]]] = iter,
) -> dict[str, Found]:
    """Return what a look at each item gives, by its name.

    Args:
        items: Name to item.
        look: Raises a ``DataError`` for what is wrong.
        passing: Passes names and items on, such as to show how many are done.

    Raises:
        DataError: What is wrong with any of them, all at once.
    """
    found: dict[str, Found] = {}
    faults: list[str] = []
    for name, item in passing(items.items()):
        try:
            found[name] = look(item)
        except DataError as error:
            faults += error.faults
    if faults:
        raise DataError(faults)
    return found


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and all that is behind it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def nearest(name: str, known: Iterable[str]) -> str:
    """Describe the allowed names, closest first guess included; of many, the three that are nearest.

    Returns:
        ``did you mean 'unet'? known: ...`` or ``known: ...`` when nothing is close; of more than ``LISTED`` names
        ``did you mean 'resnet34', 'resnet18' or 'resnet50'?`` or ``the nearest of 68: ...``.
    """
    choices = list(known)
    if len(choices) > LISTED:
        return did_you_mean(name, choices) or f"the nearest of {len(choices)}: {', '.join(_closest(name, choices, 0))}"
    hint = did_you_mean(name, choices, 1)
    return f"{hint and hint + ' '}known: {', '.join(choices)}"


def did_you_mean(name: str, known: Iterable[str], most: int = 3) -> str:
    """Name the known names that are close, at most so many, such as ``did you mean 'unet'?``; empty for none."""
    close = [repr(one) for one in _closest(name, known, CLOSE, most)]
    return f"did you mean {' or '.join([', '.join(close[:-1]), close[-1]][len(close) == 1 :])}?" if close else ""


def _closest(name: str, known: Iterable[str], cutoff: float, most: int = 3) -> list[str]:
    from rapidfuzz import process

    found = process.extract(name, list(known), limit=most, score_cutoff=cutoff)
    return [one for one, score, *_ in found if not cutoff or score > found[0][1] - ALIKE]
