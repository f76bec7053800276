"""What to say of a folder that has no known layout: what it holds, and the flags that make it usable."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from itertools import permutations
from pathlib import PurePosixPath

from sweep.patches.layouts.listing import ENDINGS, Listing
from sweep.patches.layouts.pairing import common_suffix
from sweep.patches.rasters.reader import open_raster
from trainables.errors import DataError
from trainables.invocation import call
from trainables.wording import counted

PETS = "annotations/trimaps"
LISTED = 6
"""Folders or endings that an error lists."""
COMPARED = 40
"""Folders of which each is compared with each other one."""
MASK_WORDS = ("mask", "label", "gt", "annot", "seg", "truth", "target", "class")
LABEL_ENDINGS = (".json", ".xml", ".gpkg", ".geojson", ".shp", ".fgb")


def describe_unknown(listing: Listing) -> str:
    """Say what a folder holds and what to say by hand."""
    start = f"--src {listing.root}"
    if not listing.files:
        return f"{start}: holds no file; name the folder that holds the images"
    if not listing.rasters:
        return f"{start}: holds no raster ({', '.join(ENDINGS)}), but {contents(listing)}; save the images as such"
    if PETS in listing.folders:
        return f"{start}: is Oxford-IIIT Pet; say {call('patches')} import-pets --src {shlex.quote(str(listing.root))}"
    if pair := _likely_pair(listing):
        return f"{start}: is of no known layout, but {pair}"
    if labels := [path for path in listing.files if PurePosixPath(path).suffix.lower() in LABEL_ENDINGS]:
        return (
            f"{start}: has no masks, but {contents(listing)}; if {labels[0]} holds the labels, say --labels "
            f"{shlex.quote(str(listing.files[labels[0]]))}"
        )
    return (
        f"{start}: is of no known layout, for it holds {contents(listing)}; say which are images and which are masks: "
        f"--images GLOB --masks GLOB (folders, or patterns with the same * in both), or --mask-suffix _SUFFIX, or "
        f"--labels FILE"
    )


def contents(listing: Listing) -> str:
    """Say what a folder holds."""
    shown = []
    for folder, names in list(listing.folders.items())[:LISTED]:
        endings = Counter(PurePosixPath(name).suffix or "no ending" for name in names)
        files = ", ".join(f"{count:,} {ending}" for ending, count in endings.most_common(3))
        shown.append(f"{folder}/: {files}" if folder else files)
    if len(listing.folders) > LISTED:
        shown.append(f"and {counted(len(listing.folders) - LISTED, 'more folder')}")
    return "; ".join(shown) or "nothing"


def _likely_pair(listing: Listing) -> str:
    """Say which two folders, or which two kinds of names, are most likely images and masks; empty for none."""
    stems: dict[str, set[str]] = {}
    for path in listing.rasters:
        folder, _, name = path.rpartition("/")
        stems.setdefault(folder, set()).add(PurePosixPath(name).stem)
    alike = set(map(frozenset, stems.values()))
    if len(stems) > 1 and len(alike) == 1 and len(*alike) == 2:
        return _two_per_folder(listing, len(stems))
    half = len(listing.rasters) / 2
    largest = sorted((folder for folder in stems if folder), key=lambda folder: -len(stems[folder]))[:COMPARED]
    named = {folder: stems[folder] for folder in largest}
    matches = {
        (images, masks): suffix
        for images, masks in permutations(named, 2)
        if len(named[images]) + len(named[masks]) >= half
        and (suffix := common_suffix(named[images], named[masks])) is not None
    }
    if not matches:
        return _unlike(listing, named)
    images, masks = max(matches, key=lambda pair: (_like_masks(listing, pair[1]), not _like_masks(listing, pair[0])))
    suffix = matches[images, masks]
    more = f" --mask-suffix {shlex.quote(suffix)}" if suffix else ""
    hold = _hold(listing, images, masks)
    return f"{hold}; say --images {shlex.quote(images)} --masks {shlex.quote(masks)}{more}"


def _two_per_folder(listing: Listing, folders: int) -> str:
    """Say of folders that hold one image and one mask each how to say which is which."""
    paths = list(listing.rasters)[:2]
    image, mask = sorted(paths, key=lambda path: _mask_like(listing, path))
    depth = "*/" * image.count("/")
    names = [path.rpartition("/")[2] for path in (image, mask)]
    return (
        f"each of {folders:,} folders holds {names[0]} and {names[1]}; say --images {shlex.quote(depth + names[0])} "
        f"--masks {shlex.quote(depth + names[1])}"
    )


def _unlike(listing: Listing, stems: Mapping[str, set[str]]) -> str:
    """Say of two folders whose names do not go together that they do not."""
    if len(stems) != 2:
        return ""
    one, other = sorted(stems, key=lambda folder: _like_masks(listing, folder))
    shown = f"{min(stems[one])}, {min(stems[other])}"
    return f"{_hold(listing, one, other)} whose names do not match ({shown}); give both files of a pair one name"


def _hold(listing: Listing, *folders: str) -> str:
    names = [[name for name in listing.folders[folder] if f"{folder}/{name}" in listing.rasters] for folder in folders]
    endings = [Counter(PurePosixPath(name).suffix for name in those).most_common(1)[0][0] for those in names]
    kinds = " and ".join(dict.fromkeys(endings))
    counts = " and ".join(f"{len(those):,}" for those in names)
    return f"{'/ and '.join(folders)}/ hold {counts} {kinds} files"


def _like_masks(listing: Listing, folder: str) -> int:
    """Return how much a folder looks like one of masks: by its name, then by its first file."""
    first = next(name for name in listing.folders[folder] if f"{folder}/{name}" in listing.rasters)
    return _mask_like(listing, f"{folder}/{first}")


def _mask_like(listing: Listing, path: str) -> int:
    """Return 2 for a file that is called as masks are, 1 for one of one band or with a palette, else 0."""
    if any(word in path.lower() for word in MASK_WORDS):
        return 2
    try:
        raster = open_raster(listing.files[path])
    except DataError:
        return 0
    return int(raster.bands == 1 or raster.palette is not None)
