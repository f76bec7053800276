"""Folders that are called as what they hold: ``images/`` and ``masks/``, ``train/`` and ``train_labels/``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sweep.patches.layouts.layout import FoundSources, SourceLayout
from sweep.patches.layouts.listing import Listing
from sweep.patches.layouts.pairing import Pair, as_sources, by_stem, lonely, placed
from trainables.errors import DataError

IMAGES = ("imgs", "images", "image", "img", "img_dir", "sat", "jpegimages", "photos", "rgb")
MASKS = (
    *("msks", "masks", "mask", "labels", "label", "gt", "gts", "ann_dir", "annotations", "annotation", "map"),
    *("targets", "target", "segmentationclass", "ground_truth", "groundtruth"),
)
"""What people call the folders, in lower case."""
MASK_FOLDER_ENDINGS = ("_labels", "_masks", "_label", "_mask", "_gt", "annot", "_annot")
"""``train_labels`` beside ``train``."""
MASK_SUFFIXES = ("_mask", "_masks", "_label", "_labels", "_gt", "_m", "_L", "_seg", "-mask", "_mask_0")
"""``NAME_mask.png`` of ``NAME.jpg``."""


@dataclass(frozen=True, kw_only=True)
class _Twins:
    """A folder of images and its folder of masks.

    Attributes:
        images: Below the listing's root.
        masks: The same.
        place: The folders around them, and those in both.
    """

    images: str
    masks: str
    place: tuple[str, ...]


def recognise_folders(listing: Listing) -> FoundSources | None:
    """Find images and masks in folders that are called so, right below the folder or below splits and scenes."""
    twins = list(_twins(listing))
    pairs: list[Pair] = []
    faults: list[str] = []
    notes = list(listing.notes)
    for twin in twins:
        suffix = _suffix(listing, twin)
        if suffix is None:
            continue
        images, masks = by_stem(listing, twin.images), by_stem(listing, twin.masks, suffix)
        faults += lonely(listing, images, masks, twin.masks, "mask", suffix)
        faults += lonely(listing, masks, images, twin.images, "image")
        pairs += [
            placed(stem, listing.files[images[stem]], listing.files[masks[stem]], twin.place)
            for stem in sorted(images.keys() & masks.keys())
        ]
    if not pairs:
        return None
    if faults:
        raise DataError(faults)
    notes += without_masks(listing, [twin.images for twin in twins])
    return FoundSources(sources=as_sources(pairs, always=True), notes=notes)


def without_masks(listing: Listing, used: Sequence[str]) -> list[str]:
    """Say which folders of images have no masks, and so are left out."""
    counts = Counter(path.rpartition("/")[0] for path in listing.rasters)
    return [
        f"{listing.root / folder}: {count} images have no masks and are left out"
        for folder, count in counts.items()
        if folder.rpartition("/")[2].lower() in IMAGES and folder not in used
    ]


def _twins(listing: Listing) -> Iterator[_Twins]:
    holding = dict.fromkeys(path.rpartition("/")[0] for path in listing.rasters)
    known = {folder.lower(): folder for folder in holding}
    for folder in holding:
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
            if found:
                yield _Twins(images=folder, masks=found[0], place=(*parts[:index], *parts[index + 1 :]))
                break


def _suffix(listing: Listing, twin: _Twins) -> str | None:
    """Return what the masks' names have more than those of their images; None where none of them match."""
    images = by_stem(listing, twin.images)
    return next(
        (suffix for suffix in ("", *MASK_SUFFIXES) if images.keys() & by_stem(listing, twin.masks, suffix).keys()),
        None,
    )


FOLDERS = SourceLayout(
    name="folders of images and masks",
    looks="images/NAME.tif, masks/NAME.tif, also in folders of splits or scenes",
    classes="as --foreground or --task says",
    split="folders called train, val, test",
    recognise=recognise_folders,
)
