"""Benchmarks of photographs and of medical images."""

from __future__ import annotations

from sweep.patches.layouts.layout import FoundSources, SourceLayout
from sweep.patches.layouts.legend_files import find_legend, legend_or_faults, read_colours
from sweep.patches.layouts.listing import Listing
from sweep.patches.layouts.matching import SPLIT, PathPattern, first_of, found, recognised_by
from sweep.patches.layouts.published import legends
from sweep.patches.layouts.split_lists import divided, image_sets
from trainables.wording import counted

KVASIR = SourceLayout(
    name="Kvasir-SEG",
    looks="`images/cju0qkwl35piu0993l0dewei2.jpg`, `masks/cju0qkwl35piu0993l0dewei2.jpg`",
    classes="polyp, above 127",
    split="none",
    recognise=recognised_by(
        PathPattern(image=r"images/(?P<name>cj[a-z0-9]{23})\.jpg", mask=r"masks/\g<name>"), foreground=">127"
    ),
)

_FRAME = r"(?P<name>(?P<scene>\d{4}[A-Z0-9]{2}|Seq\d+[A-Z]+)_f?\d+)"
_CAMVID_COLOURS = (
    PathPattern(image=rf"{SPLIT}/{_FRAME}\.png", mask=r"\g<split>_labels/\g<name>_L"),
    PathPattern(image=rf"701_StillsRaw_full/{_FRAME}\.png", mask=r"LabeledApproved_full/\g<name>_L"),
    PathPattern(image=rf"images/{_FRAME}\.png", mask=r"labels/\g<name>_L"),
)


def _camvid(listing: Listing) -> FoundSources | None:
    for pattern in _CAMVID_COLOURS:
        if (matches := pattern.match(listing)).pairs and (legend := find_legend(listing)):
            task, faults = legend_or_faults(read_colours, listing, legend)
            return found(matches, task=task, task_faults=faults)
    return None


CAMVID = SourceLayout(
    name="CamVid",
    looks="`train/0001TP_006690.png`, `train_labels/0001TP_006690_L.png`, `class_dict.csv` or `label_colors.txt`",
    classes="31 colours, Void is ignored",
    split="folders, where there are; scenes are the films",
    recognise=_camvid,
)

CAMVID_11 = SourceLayout(
    name="CamVid as SegNet has it",
    looks="`train/0001TP_006690.png`, `trainannot/0001TP_006690.png`",
    classes="11; index 11 is ignored",
    split="folders; scenes are the films",
    recognise=recognised_by(
        PathPattern(image=rf"{SPLIT}/{_FRAME}\.png", mask=r"\g<split>annot/\g<name>"), task=legends.CAMVID_11
    ),
)


def _cityscapes(listing: Listing) -> FoundSources | None:
    matches = PathPattern(
        image=r"leftImg8bit/(?P<split>train|val)/(?P<scene>[^/]+)/(?P<name>[^/]+)_leftImg8bit\.png",
        mask=r"gtFine/\g<split>/\g<scene>/\g<name>_gtFine_labelIds",
    ).match(listing)
    if not matches.pairs:
        return None
    secret = sum(path.startswith("leftImg8bit/test/") for path in listing.rasters)
    notes = (f"the publisher keeps the masks of test: left out: {counted(secret, 'image')}",) if secret else ()
    return found(matches, task=legends.CITYSCAPES, notes=notes)


CITYSCAPES = SourceLayout(
    name="Cityscapes",
    looks="`leftImg8bit/train/aachen/NAME_leftImg8bit.png`, `gtFine/train/aachen/NAME_gtFine_labelIds.png`",
    classes="the 19 with a train id; others are ignored",
    split="folders; test has no masks; scenes are cities",
    recognise=_cityscapes,
)


def _voc(listing: Listing) -> FoundSources | None:
    pattern = PathPattern(image=r"JPEGImages/(?P<name>[^/]+)\.jpg", mask=r"SegmentationClass/\g<name>")
    matches = pattern.match(listing)
    if not matches.pairs or find_legend(listing):
        return None
    left = len(matches.lonely)
    notes = (f"JPEGImages without masks, left out: {counted(left, 'image')}",) if left else ()
    return found(divided(matches.only_with_masks(), image_sets(listing)), task=legends.VOC, notes=notes)


VOC = SourceLayout(
    name="Pascal VOC",
    looks="`JPEGImages/2007_000032.jpg`, `SegmentationClass/2007_000032.png`, `ImageSets/Segmentation/train.txt`",
    classes="20 and background, as indices; 255, the border, is ignored",
    split="`ImageSets/Segmentation`",
    recognise=_voc,
)

CARVANA = SourceLayout(
    name="Carvana",
    looks="`train/00087a6bd4dc_01.jpg`, `train_masks/00087a6bd4dc_01_mask.gif`",
    classes="car",
    split="none; test has no masks; scenes are cars",
    recognise=first_of(
        *(
            recognised_by(
                PathPattern(
                    image=rf"(?P<top>train{high}|test{high})/(?P<name>(?P<scene>[0-9a-f]{{12}})_\d\d)\.jpg",
                    mask=r"train_masks/\g<name>_mask",
                )
            )
            for high in ("", "_hq")
        )
    ),
)
