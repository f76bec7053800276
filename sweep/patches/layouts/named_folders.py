"""Folders and files whose names say which are masks: ``images/`` and ``masks/``, ``train_labels/``, ``a_mask.png``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from sweep.patches.layouts.layout import FoundSources, SourceLayout
from sweep.patches.layouts.legend_files import find_legend, legend_or_faults, names_all, read_colours
from sweep.patches.layouts.listing import Listing
from sweep.patches.layouts.pairing import PLAIN, Naming, Pair, as_sources, by_stem, common_suffix, lonely, placed
from sweep.patches.layouts.peeking import are_blurred, colours_of
from trainables.errors import DataError
from trainables.wording import counted

IMAGES = ("imgs", "images", "image", "img", "img_dir", "input", "inputs", "sat", "jpegimages", "photos", "rgb")
MASKS = (
    *("msks", "masks", "mask", "labels", "label", "gt", "gts", "ann_dir", "annotations", "annotation", "map"),
    *("targets", "target", "segmentationclass", "ground_truth", "groundtruth"),
)
"""What people call the folders, in lower case."""
MASK_FOLDERS = ("_labels", "_masks", "_label", "_mask", "_gt", "annot", "_annot", "_map")
"""How the name of a folder of masks continues after that of its images."""
MASK_SUFFIXES = ("_mask", "_masks", "_label", "_labels", "_gt", "_m", "_L", "_seg", "-mask")
"""How the name of a mask continues after that of its image."""


@dataclass(frozen=True, kw_only=True)
class _Twins:
    """A folder of images and its folder of masks, which may be the same one.

    Attributes:
        images: Below the listing's root.
        masks: The same.
        image: How the images are called.
        mask: How the masks are called.
        place: The folders around them, and those in both.
    """

    images: str
    masks: str
    image: Naming
    mask: Naming
    place: tuple[str, ...]

    @property
    def without(self) -> str:
        """What the names of images do not end in."""
        return self.mask.after if self.images == self.masks else ""


def _recognised(listing: Listing, find: Callable[[Listing], Iterator[_Twins]], *, always: bool) -> FoundSources | None:
    twins = list(find(listing))
    pairs: list[Pair] = []
    faults: list[str] = []
    for twin in twins:
        images = by_stem(listing, twin.images, twin.image, without=twin.without)
        masks = by_stem(listing, twin.masks, twin.mask)
        faults += lonely(listing, images, masks, twin.masks, "mask", twin.mask)
        faults += lonely(listing, masks, images, twin.images, "image", twin.image)
        pairs += [
            placed(twin.image.stem(key), listing.files[images[key]], listing.files[masks[key]], twin.place)
            for key in sorted(images.keys() & masks.keys())
        ]
    if not pairs:
        return None
    if faults:
        raise DataError(faults)
    found = FoundSources(
        sources=as_sources(pairs, always=always),
        notes=(
            *listing.notes,
            *_without_masks(listing, [twin.images for twin in twins]),
            *filter(None, map(_said, twins)),
        ),
    )
    return _with_meaning(found, listing, [pair.mask for pair in pairs])


def _with_meaning(found: FoundSources, listing: Listing, masks: Sequence[Path]) -> FoundSources:
    """Add the task of a legend beside the masks, or the rule for masks that a lossy compression blurred."""
    notes = found.notes
    if legend := find_legend(listing):
        task, faults = legend_or_faults(read_colours, listing, legend)
        if task is None:
            return replace(found, task_faults=faults)
        shown = colours_of(masks)
        if shown and names_all(task, shown):
            return replace(found, task=task)
        other = "other colours than the masks show" if shown else "colours, and the masks have none"
        return replace(found, notes=(*notes, f"{legend} names {other}; it is not used"))
    if are_blurred(masks):
        said = "the masks are black and white, blurred by their compression: above 127 is foreground"
        return replace(found, foreground=">127", notes=(*notes, said))
    return found


def _without_masks(listing: Listing, used: Sequence[str]) -> Iterator[str]:
    """Say which folders of images have no masks, and so are left out."""
    counts = Counter(path.rpartition("/")[0] for path in listing.rasters)
    for folder, count in counts.items():
        if folder.rpartition("/")[2].lower() in IMAGES and folder not in used:
            yield f"{listing.root / folder}: without masks, left out: {counted(count, 'image')}"


def _by_words(listing: Listing) -> Iterator[_Twins]:
    """Yield folders that are called images and masks, in any of the words for them."""
    known = {folder.lower(): folder for folder in _folders(listing)}
    for folder in known.values():
        parts = folder.split("/")
        for index in reversed(range(len(parts))):
            if parts[index].lower() not in IMAGES:
                continue
            others = ["/".join((*parts[:index], word, *parts[index + 1 :])).lower() for word in MASKS]
            found = [known[other] for other in others if other in known]
            if len(found) > 1:
                shown = " and ".join(f"{one}/" for one in found)
                raise DataError(
                    f"{listing.root / folder}: may have its masks in {shown}; say which: --images {folder} --masks "
                    f"{found[0]}"
                )
            if found and (naming := _naming(listing, folder, found[0])):
                place = (*parts[:index], *parts[index + 1 :])
                yield _Twins(images=folder, masks=found[0], image=naming[0], mask=naming[1], place=place)
                break


def _by_siblings(listing: Listing) -> Iterator[_Twins]:
    """Yield folders beside which one is called the same and more: ``train`` and ``train_labels``."""
    known = _folders(listing)
    for folder in known:
        found = [other for ending in MASK_FOLDERS if (other := f"{folder}{ending}") in known]
        if folder and found and (naming := _naming(listing, folder, found[0])):
            place = tuple(folder.split("/"))
            yield _Twins(images=folder, masks=found[0], image=naming[0], mask=naming[1], place=place)


def _by_suffix(listing: Listing) -> Iterator[_Twins]:
    """Yield folders that hold masks beside their images, of which at least half have one."""
    for folder in _folders(listing):
        found = []
        used = tuple(
            suffix for suffix in MASK_SUFFIXES if any(f"{suffix}." in name for name in listing.folders[folder])
        )
        for suffix in used:
            images = by_stem(listing, folder, without=used)
            masks = by_stem(listing, folder, Naming(after=suffix))
            if 2 * len(images.keys() & masks.keys()) > len(images):
                found.append(suffix)
        if len(found) > 1:
            raise DataError(
                f"{listing.root / folder}: masks may be called NAME{found[0]} or NAME{found[1]}; say which: "
                f"--mask-suffix {found[0]}"
            )
        if found:
            place = tuple(folder.split("/")) if folder else ()
            yield _Twins(images=folder, masks=folder, image=PLAIN, mask=Naming(after=found[0]), place=place)


def _folders(listing: Listing) -> Mapping[str, None]:
    """Return the folders right in which rasters are, in order."""
    return dict.fromkeys(path.rpartition("/")[0] for path in listing.rasters)


def _naming(listing: Listing, images: str, masks: str) -> tuple[Naming, Naming] | None:
    """Return how images and their masks are called; None where their names do not go together."""
    stems, others = by_stem(listing, images).keys(), by_stem(listing, masks).keys()
    for suffix in ("", *MASK_SUFFIXES):
        if stems & by_stem(listing, masks, Naming(after=suffix)).keys():
            return PLAIN, Naming(after=suffix)
    if not (stems and others):
        return None
    if (longer := common_suffix(stems, others)) is not None:
        return PLAIN, Naming(after=longer)
    image, mask = _shared([*stems]), _shared([*others])
    found = by_stem(listing, images, image).keys()
    return (image, mask) if 2 * len(found & by_stem(listing, masks, mask).keys()) > len(found) else None


def _shared(stems: Sequence[str]) -> Naming:
    """Return what all names begin with and end in, up to their numbers: ``img_`` of ``img_10`` and ``img_11``."""
    before = _start(stems)
    return Naming(before, _start([stem[len(before) :][::-1] for stem in stems])[::-1])


def _start(texts: Sequence[str]) -> str:
    """Return what all texts begin with, without a number that it ends in; of a lone text what is before a number."""
    if len(texts) == 1:
        return re.split(r"\d", texts[0])[0]
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False))
    return "".join(letters[0] for letters in same).rstrip("0123456789")


def _said(twin: _Twins) -> str:
    """Say how images and masks are called, where that was found out from their names; empty where it is usual."""
    if twin.image == PLAIN and (twin.mask.after in ("", *MASK_SUFFIXES)) and not twin.mask.before:
        return ""
    return f"{twin.images}/ holds {twin.image.stem('*')}, and {twin.masks}/ {twin.mask.stem('*')} for it"


FOLDERS = SourceLayout(
    name="folders of images and masks",
    looks="`images/a.tif`, `masks/a.tif`, also `imgs`, `msks`, `input`, `label`, `gt`, `img_dir` and `ann_dir` and the "
    "like, in folders of splits or scenes, with `class_dict.csv`, and with names such as `img_7` and `target_7`",
    classes="as `--foreground`, `--task` or the legend says",
    split="folders called train, val, test; other folders are scenes",
    recognise=lambda listing: _recognised(listing, _by_words, always=True),
)
SIBLINGS = SourceLayout(
    name="folders beside their folders of masks",
    looks="`train/a.png`, `train_labels/a.png`, also `_masks`, `_gt`, `annot`",
    classes="as `--foreground`, `--task` or the legend says",
    split="folders called train, val, test; other folders are scenes",
    recognise=lambda listing: _recognised(listing, _by_siblings, always=False),
)
SUFFIXES = SourceLayout(
    name="masks beside their images",
    looks="`a.jpg`, `a_mask.png`, also `_gt`, `_label`, `_m`, `_L`, `_seg`",
    classes="as `--foreground`, `--task` or the legend says",
    split="folders called train, val, test; other folders are scenes",
    recognise=lambda listing: _recognised(listing, _by_suffix, always=False),
)
