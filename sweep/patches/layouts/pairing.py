"""Which mask belongs to which image, and what the pair is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sweep.patches.layouts.listing import Listing
from sweep.patches.layouts.sources import SourceRaster
from sweep.patches.splits.chosen import split_called
from trainables.errors import DataError

SUFFIX_LENGTH = 24
"""Letters by which a mask's name may be longer than its image's."""


@dataclass(frozen=True)
class Naming:
    """How files are called, beside what an image and its mask have in common.

    Attributes:
        before: What their names begin with.
        after: What their names without the ending end in.
    """

    before: str = ""
    after: str = ""

    def key(self, stem: str) -> str | None:
        """Return what a name has in common with its partner's; None for a file that is called otherwise."""
        fits = stem.startswith(self.before) and stem.endswith(self.after)
        return stem[len(self.before) : len(stem) - len(self.after)] if fits and len(stem) > len(self.affixes) else None

    def stem(self, key: str) -> str:
        """Return the name of the file that has this in common with its partner."""
        return f"{self.before}{key}{self.after}"

    @property
    def affixes(self) -> str:
        """Both."""
        return self.before + self.after


PLAIN = Naming()
"""Files that are called as their partners are."""


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

    Where that makes one name for several, the folders that distinguish their images are in their names, too. A split
    that has all pairs is no division, and is forgotten.

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
    names = _told_apart(pairs, ["_".join((*pair.place, pair.stem)) if always else pair.stem for pair in pairs])
    found: dict[str, SourceRaster] = {}
    faults = []
    for pair, name in zip(pairs, names, strict=True):
        split = pair.split if divided else ""
        source = SourceRaster(name=name, image=pair.image, mask=pair.mask, folder=pair.scene, split=split)
        if (twin := found.setdefault(name, source)) is not source:
            faults.append(f"{source.image}: makes the same name {name!r} as {twin.image}; rename one")
    if faults:
        raise DataError(faults)
    return found


def _told_apart(pairs: Sequence[Pair], names: Sequence[str]) -> list[str]:
    """Return the names; where several are the same, with the folders in which their images differ."""
    folders: dict[str, list[tuple[str, ...]]] = {}
    for pair, name in zip(pairs, names, strict=True):
        folders.setdefault(name, []).append(pair.image.parent.parts)
    differing = {
        name: [level for level, parts in enumerate(zip(*found, strict=False)) if len(set(parts)) > 1]
        for name, found in folders.items()
    }
    told = []
    for pair, name in zip(pairs, names, strict=True):
        own = [pair.image.parent.parts[level] for level in differing[name]]
        apart = [part for part in own if part not in pair.place]
        told.append("_".join((*pair.place, *apart, pair.stem)) if apart else name)
    return told


def by_stem(
    listing: Listing, folder: str, naming: Naming = PLAIN, without: str | tuple[str, ...] = ()
) -> dict[str, str]:
    """Return the rasters right in a folder by what the names of images and masks share.

    Args:
        listing: What there is.
        folder: Below its root; empty for the root itself.
        naming: How they are called; others are left out.
        without: Stems that end so, or in one of these, are left out.

    Raises:
        DataError: Two files of one stem.
    """
    found: dict[str, str] = {}
    faults = []
    for name in listing.folders.get(folder, ()):
        path = f"{folder}/{name}" if folder else name
        stem = name.rpartition(".")[0]
        key = naming.key(stem)
        if path not in listing.rasters or key is None or (without and stem.endswith(without)):
            continue
        if (twin := found.setdefault(key, path)) != path:
            faults.append(
                f"{listing.files[path]}: same name as {PurePosixPath(twin).name}, and only one can be meant; move the "
                f"other away"
            )
    if faults:
        raise DataError(faults)
    return found


def common_suffix(images: Set[str], masks: Set[str]) -> str | None:
    """Return what most masks' names have more than their images'; None where few have a partner.

    Args:
        images: Names of images without their ending; at least one.
        masks: The same of masks.
    """
    first = min(images)
    suffixes = {mask[len(first) :] for mask in masks if mask.startswith(first)}
    fitting = [one for one in sorted(suffixes, key=len) if len(one) <= SUFFIX_LENGTH and not one[:1].isdigit()]
    return next((one for one in fitting if 2 * len({f"{image}{one}" for image in images} & masks) > len(images)), None)


def lonely(
    listing: Listing,
    files: Mapping[str, str],
    others: Mapping[str, str],
    folder: str,
    kind: str,
    naming: Naming = PLAIN,
) -> list[str]:
    """Say which files have no counterpart, and where one of that name is there, but of an ending that is not read.

    Args:
        listing: What there is.
        files: What the names of partners share, to path.
        others: The same for their counterparts.
        folder: Where those are.
        kind: ``mask`` or ``image``.
        naming: How the counterparts are called.
    """
    faults = []
    missing = sorted(files.keys() - others.keys())
    unread = {PurePosixPath(name).stem: name for name in listing.folders.get(folder, ())} if missing else {}
    for stem in missing:
        wanted = naming.stem(stem)
        instead = f"only {unread[wanted]}, which is not read; save it as {wanted}.png" if wanted in unread else ""
        faults.append(
            f"{listing.files[files[stem]]}: has no {kind} {wanted}.* in {listing.root / folder}, {instead}"
            if instead
            else f"{listing.files[files[stem]]}: has no {kind} {wanted}.* in {listing.root / folder}; add it"
        )
    return faults
