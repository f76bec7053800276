"""``--images``, ``--masks`` and ``--mask-suffix``: which files are images and which are masks, said by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sweep.patches.layouts.describing import contents
from sweep.patches.layouts.layout import FoundSources
from sweep.patches.layouts.listing import Listing
from sweep.patches.layouts.named_folders import MASK_SUFFIXES
from sweep.patches.layouts.pairing import Pair, as_sources, placed
from trainables.data.tiles import same_name
from trainables.errors import DataError
from trainables.wording import counted

Keys = Mapping[str, str]
"""Path of a file to what it shares with its partner."""


@dataclass(frozen=True, kw_only=True)
class ByHand:
    """What a person says of images and masks.

    Attributes:
        images: A folder or a glob below the source folder; empty for all rasters.
        masks: The same for masks.
        suffix: What a mask's name has more than its image's.
    """

    images: str = ""
    masks: str = ""
    suffix: str = ""

    def __bool__(self) -> bool:
        return bool(self.images or self.masks or self.suffix)

    @property
    def words(self) -> str:
        """The flags as they were given."""
        flags = {"--images": self.images, "--masks": self.masks, "--mask-suffix": self.suffix}
        return " ".join(f"{flag} {value}" for flag, value in flags.items() if value)

    def find(self, listing: Listing) -> FoundSources:
        """Pair images and masks.

        A pair has the same for the wildcards of both globs, or the same path below both folders; if there is none,
        the same name.

        Raises:
            DataError: Globs that name nothing, files that would be both, images without mask, or two masks for one.
        """
        images, masks = self._images_and_masks(listing)
        others = _other_masks(images) if self.suffix and not self.images else {}
        images = {path: key for path, key in images.items() if path not in others}
        names = ", ".join(list(others)[:1])
        left_out = [f"called as other masks are, left out: {counted(len(others), 'file')}, such as {names}"]
        for keys in ({"images": images, "masks": masks}, {"images": _stems(images), "masks": _stems(masks)}):
            of_masks = {path: key.removesuffix(self.suffix) for path, key in keys["masks"].items()}
            if set(keys["images"].values()) & set(of_masks.values()):
                pairs = self._pairs(listing, keys["images"], of_masks)
                return FoundSources(sources=as_sources(pairs), notes=(*listing.notes, *(left_out if others else ())))
        raise DataError(
            f"{self.words}: {counted(len(images), 'image')} and {counted(len(masks), 'mask')}, but none of one name "
            f"({next(iter(images))}, {next(iter(masks))}); say --mask-suffix _SUFFIX if masks are called NAME_SUFFIX, "
            f"or patterns with the same * in both: --images GLOB --masks GLOB"
        )

    def _images_and_masks(self, listing: Listing) -> tuple[Keys, Keys]:
        images, masks = named(listing, self.images, "--images"), named(listing, self.masks, "--masks")
        if self.suffix:
            masks = {path: key for path, key in masks.items() if PurePosixPath(path).stem.endswith(self.suffix)}
            if not masks:
                where = f"--masks {self.masks}" if self.masks else str(listing.root)
                raise DataError(f"--mask-suffix {self.suffix}: no raster of {where} has a name that ends so")
        if not self.images or not self.masks:
            images = {path: key for path, key in images.items() if self.images or path not in masks}
            masks = {path: key for path, key in masks.items() if self.masks or path not in images}
        if both := sorted(images.keys() & masks.keys()):
            raise DataError(f"{self.words}: {counted(len(both), 'file')} would be image and mask, such as {both[0]}")
        if not images or not masks:
            raise DataError(f"{self.words}: leaves no {'masks' if images else 'images'}; say which those are, too")
        return images, masks

    def _pairs(self, listing: Listing, images: Keys, masks: Keys) -> Sequence[Pair]:
        partner = _by_key(listing, masks)
        image_of = _by_key(listing, images)
        tried = self.masks or "/".join(PurePosixPath(next(iter(masks))).parts[:-1]) or "."
        faults = [
            f"{listing.files[path]}: has no mask, looked for {key}{self.suffix}.* in {tried}; add it, or move the "
            f"image away"
            for key, path in image_of.items()
            if key not in partner
        ]
        faults += [
            f"{listing.files[path]}: has no image {key}.*; add it, or move the mask away"
            for key, path in partner.items()
            if key not in image_of
        ]
        if faults:
            raise DataError(sorted(faults))
        common = set.intersection(*(set(PurePosixPath(path).parts[:-1]) for path in images))
        return [
            placed(
                PurePosixPath(path).stem,
                listing.files[path],
                listing.files[partner[key]],
                [part for part in PurePosixPath(path).parts[:-1] if part not in common],
            )
            for key, path in image_of.items()
        ]


def _other_masks(images: Keys) -> Keys:
    """Return those that are called as masks of others are, such as ``a_gt`` beside ``a``."""
    keys = set(images.values())
    return {
        path: key
        for path, key in images.items()
        if any(key.endswith(suffix) and key.removesuffix(suffix) in keys for suffix in MASK_SUFFIXES)
    }


def _by_key(listing: Listing, keys: Keys) -> dict[str, str]:
    found: dict[str, str] = {}
    faults = []
    for path, key in keys.items():
        if (twin := found.setdefault(key, path)) != path:
            faults.append(
                f"{listing.files[path]}: same name as {twin}, and only one can be meant; move one away, or say a glob "
                f"that names one"
            )
    if faults:
        raise DataError(faults)
    return found


def named(listing: Listing, glob: str, flag: str) -> Keys:
    """Return the rasters that a glob names, and what its wildcards stand for."""
    glob = same_name(glob).strip("/").removeprefix("./")
    if not glob or glob == ".":
        return {path: _without_ending(path) for path in listing.rasters}
    pattern = _pattern(glob)
    found = {path: match for path in listing.rasters if (match := pattern.fullmatch(path))}
    if not found:
        raise DataError(f"{flag} {glob}: names no raster in {listing.root}, which holds {contents(listing)}")
    return {path: _without_ending("/".join(part or "" for part in match.groups())) for path, match in found.items()}


def _pattern(glob: str) -> re.Pattern[str]:
    """Return a glob as a regular expression with a group for each wildcard; without any it is a folder."""
    if not set(glob) & set("*?["):
        return re.compile(f"{re.escape(glob)}/(.+)|({re.escape(glob)})")
    wild = {"**/": "(.*/)?", "**": "(.*)", "*": "([^/]*)", "?": "([^/])"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    return re.compile("".join(wild.get(part, re.escape(part)) for part in parts))


def _without_ending(path: str) -> str:
    return re.sub(r"\.[A-Za-z0-9]{1,4}$", "", path)


def _stems(keys: Keys) -> Keys:
    return {path: PurePosixPath(path).stem for path in keys}
