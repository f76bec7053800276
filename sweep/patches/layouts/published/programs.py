"""Masks as labelling programs export them."""

from __future__ import annotations

from sweep.patches.layouts.layout import FoundSources, SourceLayout
from sweep.patches.layouts.legend_files import legend_or_faults, read_colours, read_values
from sweep.patches.layouts.listing import Listing
from sweep.patches.layouts.matching import PathPattern, found
from sweep.patches.layouts.split_lists import divided, image_sets
from trainables.errors import DataError
from trainables.wording import counted

LABELMAP, VALUES = "labelmap.txt", "_classes.csv"
_CVAT_IMAGES = ("JPEGImages/", "images/", "")


def _cvat(listing: Listing) -> FoundSources | None:
    masks = [path for path in listing.rasters if path.startswith("SegmentationClass/")]
    if LABELMAP not in listing.files or not masks:
        return None
    for folder in _CVAT_IMAGES:
        matches = PathPattern(
            image=rf"{folder}(?P<folder>(?:(?P<scene>(?!SegmentationClass|SegmentationObject).+)/)?)(?P<name>[^/]+)\.[^./]+",
            mask=r"SegmentationClass/\g<folder>\g<name>",
        ).match(listing)
        if matches.pairs:
            lists = image_sets(listing)
            task, faults = legend_or_faults(read_colours, listing, LABELMAP)
            return found(divided(matches.only_with_masks(), lists), task=task, task_faults=faults)
    raise DataError(
        f"{listing.root}: holds {counted(len(masks), 'mask')} of CVAT in SegmentationClass/ without images; export "
        f'again with "Save images", or put the images into JPEGImages/'
    )


CVAT_MASKS = SourceLayout(
    name="CVAT, Segmentation mask 1.1",
    looks="`JPEGImages/a.jpg`, `SegmentationClass/a.png`, `labelmap.txt`, `ImageSets/Segmentation`",
    classes="the colours of `labelmap.txt`",
    split="subsets that are called train, val, test",
    recognise=_cvat,
)


def _roboflow(listing: Listing) -> FoundSources | None:
    matches = PathPattern(
        image=r"(?P<top>(?:(?P<split>train|valid|test)/)?)(?P<name>[^/]+)(?<!_mask)\.(?:jpg|jpeg|png)",
        mask=r"\g<top>\g<name>_mask",
    ).match(listing)
    legends = {path.rpartition("/")[0]: path for path in listing.files if path.rpartition("/")[2] == VALUES}
    if not matches.pairs or not legends:
        return None
    tasks = {folder: legend_or_faults(read_values, listing, path) for folder, path in legends.items()}
    first, *others = tasks.items()
    if faults := [fault for _, found_faults in tasks.values() for fault in found_faults]:
        return found(matches, task_faults=faults)
    if differing := [folder for folder, task in others if task != first[1]]:
        raise DataError(
            f"{listing.root / differing[0]}/{VALUES}: names other classes than that of {first[0]}/; export all splits "
            f"together"
        )
    return found(matches, task=first[1][0])


ROBOFLOW_MASKS = SourceLayout(
    name="Roboflow, Semantic Segmentation Masks",
    looks="`train/a.jpg`, `train/a_mask.png`, `train/_classes.csv`",
    classes="the values of `_classes.csv`",
    split="folders",
    recognise=_roboflow,
)
