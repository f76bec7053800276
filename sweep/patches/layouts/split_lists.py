"""Text files in which publishers list the images of each split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sweep.patches.layouts.listing import Listing
from sweep.patches.layouts.matching import Matches
from sweep.patches.splits.chosen import split_called
from trainables.data.tiles import same_name
from trainables.documents import MIB, read_bounded
from trainables.errors import DataError
from trainables.wording import counted

MAX_BYTES = 64 * MIB

Lists = Mapping[str, frozenset[str]]
"""Split to what its list names: paths or names, with or without ending."""


def read_lists(listing: Listing, files: Mapping[str, str]) -> Lists:
    """Read the lists that are there.

    Args:
        listing: What there is.
        files: Split to the path of its list below the root.

    Raises:
        DataError: One cannot be read.
    """
    there = {split: path for split, path in files.items() if path in listing.files}
    return {split: frozenset(read_lines(listing, path)) for split, path in there.items()}


def image_sets(listing: Listing) -> Lists:
    """Read the lists of ``ImageSets/Segmentation`` that are called as splits are."""
    start = "ImageSets/Segmentation/"
    files = {path.removeprefix(start).removesuffix(".txt"): path for path in listing.files if path.startswith(start)}
    return read_lists(listing, {split_called(name): path for name, path in files.items() if split_called(name)})


def read_lines(listing: Listing, path: str) -> list[str]:
    """Return the lines of a text file that are not empty, in Unicode's composed form.

    Raises:
        DataError: It cannot be read, or holds no UTF-8.
    """
    file = listing.files[path]
    try:
        text = read_bounded(file, MAX_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8"
        raise DataError(f"{file}: cannot be read ({reason}); allow it, or save it again as UTF-8") from error
    return [line for line in (same_name(line.strip()) for line in text.splitlines()) if line]


def divided(matches: Matches, lists: Lists) -> Matches:
    """Put the pairs into the splits whose lists name them; what no list names is left out, unless there are none.

    A line may name an image by its path or its name, with or without ending, and what comes after a space does not
    count. Of two splits that name an image, the earlier one has it.

    Args:
        matches: The pairs.
        lists: Split to names; empty leaves the pairs as they are.

    Raises:
        DataError: They name none of the images.
    """
    if not lists:
        return matches
    owners: dict[str, str] = {}
    for split, names in lists.items():
        for name in map(_without_ending, names):
            owners.setdefault(name, split)
            owners.setdefault(name.rpartition("/")[2], split)
    pairs = {}
    for path, pair in matches.pairs.items():
        split = owners.get("/".join((*pair.place, pair.stem)), owners.get(pair.stem, ""))
        if split:
            pairs[path] = replace(pair, split=split)
    if matches.pairs and not pairs:
        raise DataError(
            f"{matches.listing.root}: the lists of {', '.join(lists)} name none of its "
            f"{counted(len(matches.pairs), 'image')}, such as {next(iter(matches.pairs.values())).stem}; correct the "
            f"lists, or move them away"
        )
    return replace(matches, pairs=pairs, unlisted=len(matches.pairs) - len(pairs))


def _without_ending(name: str) -> str:
    name = name.split()[0].replace("\\", "/")
    stem, _, ending = name.rpartition(".")
    return stem if stem and ending.lower() in ("jpg", "jpeg", "png", "tif", "tiff", "bmp") else name
