"""Recognises a layout by the paths of its images, and finds the mask of each by a pattern."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from sweep.patches.layouts.layout import FoundSources
from sweep.patches.layouts.listing import Listing
from sweep.patches.layouts.pairing import Pair, as_sources
from sweep.patches.splits.chosen import split_called
from trainables.errors import DataError
from trainables.task import Task
from trainables.wording import counted

Recognise = Callable[[Listing], FoundSources | None]
SPLIT = "(?P<split>train|val|test)"
"""A folder of a split, for the regular expression of a pattern."""


@dataclass(frozen=True, kw_only=True)
class PathPattern:
    """How the paths of images and masks go together.

    Attributes:
        image: A regular expression for all of an image's path below the folder. Its groups: ``name``, and maybe
            ``split`` and ``scene``.
        mask: The mask's path without its ending, as ``re.Match.expand`` takes it.
        splits: What the publisher calls splits beside the usual names.
    """

    image: str
    mask: str
    splits: Mapping[str, str] = field(default_factory=dict)

    def match(self, listing: Listing) -> Matches:
        """Find the images and their masks.

        Raises:
            DataError: Two files that may be the mask of an image.
        """
        pairs: dict[str, Pair] = {}
        lonely: dict[str, str] = {}
        faults = []
        used: set[Path] = set()
        for path, match in matches_of(self.image, listing):
            file = listing.files[path]
            wanted = match.expand(self.mask)
            masks = [one for one in listing.stems.get(wanted, ()) if one != path]
            if len(masks) > 1:
                others = " and ".join(PurePosixPath(one).name for one in masks)
                faults.append(f"{file}: has two masks, {others}, and only one can be meant; move the other away")
            elif masks:
                pairs[path] = self.pair(match, file, listing.files[masks[0]])
                used.add(pairs[path].mask)
            else:
                lonely[path] = wanted
        if faults:
            raise DataError(faults)
        return Matches(listing=listing, pairs=pairs, lonely=lonely, used=used)

    def pair(self, match: re.Match[str], image: Path, mask: Path) -> Pair:
        """Return an image with its mask, or with what holds its labels."""
        groups = {name: value for name, value in match.groupdict().items() if value}
        split, scene = groups.get("split", ""), groups.get("scene", "").replace("/", "_")
        return Pair(
            stem=groups["name"],
            image=image,
            mask=mask,
            place=tuple(part for part in (split, scene) if part),
            scene=scene,
            split=self.splits.get(split, split_called(split)),
        )


@dataclass(frozen=True, kw_only=True)
class Matches:
    """What a pattern finds.

    Attributes:
        listing: Where it was looked for.
        pairs: Path of an image to the pair.
        lonely: Path of an image without a mask to the path without ending that was looked for.
        used: The masks of the pairs.
        unlisted: Pairs that were left out, as no list of a split names them.
    """

    listing: Listing
    pairs: Mapping[str, Pair]
    lonely: Mapping[str, str]
    used: set[Path]
    unlisted: int = 0

    def only_with_masks(self) -> Matches:
        """Return the same without the images that have none, for layouts that publish few masks."""
        return replace(self, lonely={})

    @property
    def notes(self) -> list[str]:
        """Folders whose images have no masks at all, as of the test set of a benchmark, and masks without image."""
        unlisted = [f"in no list of a split, left out: {counted(self.unlisted, 'image')}"] if self.unlisted else []
        return [*self.listing.notes, *self._folders_without_masks(), *self._masks_without_images(), *unlisted]

    def require_masks(self) -> None:
        """Refuse images without mask in folders whose other images have one.

        Raises:
            DataError: There are such.
        """
        whole = {_folder(path) for path in self.pairs}
        faults = [
            f"{self.listing.files[path]}: has no mask, looked for {wanted}.*; add it, or move the image away"
            for path, wanted in self.lonely.items()
            if _folder(path) in whole
        ]
        if faults:
            raise DataError(faults)

    def _folders_without_masks(self) -> Iterator[str]:
        whole = {_folder(path) for path in self.pairs}
        for folder, count in Counter(map(_folder, self.lonely)).items():
            if folder not in whole:
                yield f"{self.listing.root / folder}: without masks, left out: {counted(count, 'image')}"

    def _masks_without_images(self) -> Iterator[str]:
        """Count masks that are named as those of pairs are, and that no image has."""
        images = {pair.image for pair in self.pairs.values()}
        known = self.used | images
        beside: dict[Path, list[Path]] = {}
        for file in self.listing.rasters.values():
            beside.setdefault(file.parent, []).append(file)
        for folder, before, after in sorted({(pair.mask.parent, *_rest(pair)) for pair in self.pairs.values()}):
            others = [
                file
                for file in beside[folder]
                if file not in known and file.stem.startswith(before) and file.stem.endswith(after)
            ]
            if others and (before or after or images.isdisjoint(beside[folder])):
                yield f"{folder}: without image, left out: {counted(len(others), 'mask')}, such as {others[0].name}"


def matches_of(image: str, listing: Listing) -> Iterator[tuple[str, re.Match[str]]]:
    """Yield the paths of rasters that a regular expression fits, with the match."""
    pattern = re.compile(image)
    for path in listing.rasters:
        if match := pattern.fullmatch(path):
            yield path, match


def first_of(*ways: Recognise) -> Recognise:
    """Return what recognises a folder as the first of several does that can."""

    def recognise(listing: Listing) -> FoundSources | None:
        return next((found for way in ways if (found := way(listing)) is not None), None)

    return recognise


def recognised_by(
    pattern: PathPattern, *, task: Task | None = None, foreground: str = "", binarise: bool = False
) -> Recognise:
    """Return what recognises a folder by a pattern that fits one layout alone."""

    def recognise(listing: Listing) -> FoundSources | None:
        matches = pattern.match(listing)
        return found(matches, task=task, foreground=foreground, binarise=binarise) if matches.pairs else None

    return recognise


def found(
    matches: Matches,
    *,
    task: Task | None = None,
    task_faults: Sequence[str] = (),
    foreground: str = "",
    binarise: bool = False,
    notes: Sequence[str] = (),
) -> FoundSources:
    """Return the sources of what a pattern found.

    Raises:
        DataError: Images without masks, or two of one name.
    """
    matches.require_masks()
    return FoundSources(
        sources=as_sources(matches.pairs.values()),
        task=task,
        task_faults=task_faults,
        foreground=foreground,
        binarise=binarise,
        notes=(*matches.notes, *notes),
    )


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _rest(pair: Pair) -> tuple[str, str]:
    """Return what a mask's stem has before and after the image's name."""
    before, name, after = pair.mask.stem.partition(pair.stem)
    return (before, after) if name else ("", "")
