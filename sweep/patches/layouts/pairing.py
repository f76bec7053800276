"""Which mask belongs to which image, and what the pair is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sweep.patches.layouts.listing import Listing
from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.splits.chosen import split_called
from trainables.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An image and its mask.

    Attributes:
        stem: The image's name without its ending.
        image: The image.
        mask: Its mask, or what holds its labels.
        place: The folders that tell it from others of its name, outermost first.
        scene: What it shares with its neighbours; empty where that is not known.
        split: The published split; empty for none.
    """

    stem: str
    image: Path
    mask: Path
    place: Sequence[str] = ()
    scene: str = ""
    split: str = ""


def placed(stem: str, image: Path, mask: Path, place: Sequence[str]) -> Pair:
    """Return a pair whose folders are split, scene or both."""
    splits = [split_called(folder) for folder in place if split_called(folder)]
    scene = "_".join(folder for folder in place if not split_called(folder))
    return Pair(stem=stem, image=image, mask=mask, place=place, scene=scene, split=splits[0] if splits else "")


def as_sources(pairs: Iterable[Pair], *, always: bool = False) -> dict[str, SourceRaster]:
    """Name the pairs: by their stems, and with their places in front where stems occur twice.

    A split that has all pairs is no division, and is forgotten.

    Args:
        pairs: At least one.
        always: Put the places in front of every name.

    Raises:
        DataError: Two pairs of one name.
    """
    pairs = list(pairs)
    stems = Counter(pair.stem for pair in pairs)
    always = always or max(stems.values()) > 1
    divided = len({pair.split for pair in pairs}) > 1
    found: dict[str, SourceRaster] = {}
    faults = []
    for pair in pairs:
        name = "_".join((*pair.place, pair.stem)) if always else pair.stem
        split = pair.split if divided else ""
        source = SourceRaster(name=name, image=pair.image, mask=pair.mask, folder=pair.scene, split=split)
        if (twin := found.setdefault(name, source)) is not source:
            faults.append(f"{source.image}: makes the same name {name!r} as {twin.image}; rename one")
    if faults:
        raise DataError(faults)
    return found


def by_stem(listing: Listing, folder: str, suffix: str = "", without: str | tuple[str, ...] = ()) -> dict[str, str]:
    """Return the rasters right in a folder by the stems that images and masks share.

    Args:
        listing: What there is.
        folder: Below its root; empty for the root itself.
        suffix: What their stems end in, which is cut off; others are left out.
        without: Stems that end so, or in one of these, are left out.

    Raises:
        DataError: Two files of one stem.
    """
    found: dict[str, str] = {}
    faults = []
    for name in listing.folders.get(folder, ()):
        path = f"{folder}/{name}" if folder else name
        stem = name.rpartition(".")[0]
        if path not in listing.rasters or not stem.endswith(suffix) or (without and stem.endswith(without)):
            continue
        stem = stem.removesuffix(suffix)
        if (twin := found.setdefault(stem, path)) != path:
            faults.append(
                f"{listing.files[path]}: same name as {PurePosixPath(twin).name}, and only one can be meant; move the "
                f"other away"
            )
    if faults:
        raise DataError(faults)
    return found


def lonely(
    listing: Listing, files: Mapping[str, str], others: Mapping[str, str], folder: str, kind: str, suffix: str = ""
) -> list[str]:
    """Say which files have no counterpart, and where one of that name is there, but of an ending that is not read.

    Args:
        listing: What there is.
        files: Stem to path.
        others: The same for their counterparts.
        folder: Where those are.
        kind: ``mask`` or ``image``.
        suffix: What the counterparts' stems end in.
    """
    faults = []
    missing = sorted(files.keys() - others.keys())
    unread = {PurePosixPath(name).stem: name for name in listing.folders.get(folder, ())} if missing else {}
    for stem in missing:
        wanted = f"{stem}{suffix}"
        instead = f"only {unread[wanted]}, which is not read; save it as {wanted}.png" if wanted in unread else ""
        faults.append(
            f"{listing.files[files[stem]]}: has no {kind} {wanted}.* in {listing.root / folder}, {instead}"
            if instead
            else f"{listing.files[files[stem]]}: has no {kind} {wanted}.* in {listing.root / folder}; add it"
        )
    return faults
