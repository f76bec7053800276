"""Benchmarks of aerial and satellite images."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product

from sweep.patches.layouts.layout import FoundSources, SourceLayout
from sweep.patches.layouts.legend_files import names_all, read_colours
from sweep.patches.layouts.listing import Listing
from sweep.patches.layouts.matching import SPLIT, PathPattern, Recognise, first_of, found, matches_of, recognised_by
from sweep.patches.layouts.pairing import Pair, as_sources
from sweep.patches.layouts.peeking import colours_of, in_colours
from sweep.patches.layouts.published import legends
from sweep.patches.layouts.split_lists import divided, read_lists
from trainables.wording import counted

CITIES = "austin|chicago|kitsap|tyrol-w|vienna|bellingham|bloomington|innsbruck|sfo|tyrol-e"

INRIA = SourceLayout(
    name="Inria Aerial Image Labeling",
    looks="`train/images/austin1.tif`, `train/gt/austin1.tif`",
    classes="building",
    split="none; the study's where all 36 images of Austin are there, and only those",
    recognise=recognised_by(
        PathPattern(
            image=rf"(?P<top>(?:(?:train|test)/)?)images/(?P<name>(?P<scene>{CITIES})\d+)\.tiff?",
            mask=r"\g<top>gt/\g<name>",
        )
    ),
)

WHU = SourceLayout(
    name="WHU building",
    looks="`train/image/1.tif`, `train/label/1.tif`",
    classes="building",
    split="folders",
    recognise=recognised_by(
        PathPattern(image=rf"{SPLIT}/image/(?P<name>[^/]+)\.[^./]+", mask=r"\g<split>/label/\g<name>")
    ),
)

_SQUARE = r"(?P<name>\d+_\d+)"
_MASSACHUSETTS = (
    *(
        PathPattern(image=rf"(?P<top>{top}){SPLIT}/{_SQUARE}\.{ending}", mask=r"\g<top>\g<split>_labels/\g<name>")
        for top, ending in (("tiff/", "tiff?"), ("png/", "png"), ("", "tiff?"))
    ),
    PathPattern(image=rf"(?P<split>train|valid|test)/sat/{_SQUARE}\.tiff?", mask=r"\g<split>/map/\g<name>"),
)


def _massachusetts(listing: Listing) -> FoundSources | None:
    """Recognise roads (white) and buildings (red); ``png/`` holds the same pictures as ``tiff/``."""
    for pattern in _MASSACHUSETTS:
        matches = pattern.match(listing)
        if not matches.pairs:
            continue
        masks = [pair.mask for pair in matches.pairs.values()]
        same = listing.under("png") if "tiff/" in next(iter(matches.pairs)) else None
        notes = (f"{same.root}: holds the images of tiff/ again and is left out",) if same and same.rasters else ()
        return found(matches, foreground="255,0,0" if in_colours(masks) else "", notes=notes)
    return None


MASSACHUSETTS = SourceLayout(
    name="Massachusetts Buildings and Roads",
    looks="`tiff/train/22678915_15.tiff`, `tiff/train_labels/22678915_15.tif`; `train/sat`, `train/map`",
    classes="building (red) or road (white)",
    split="folders",
    recognise=_massachusetts,
)

LOVEDA = SourceLayout(
    name="LoveDA",
    looks="`Train/Urban/images_png/1.png`, `Train/Urban/masks_png/1.png`",
    classes="7; 0 is ignored",
    split="folders; Test has no masks",
    recognise=recognised_by(
        PathPattern(
            image=r"(?P<split>Train|Val|Test)/(?P<area>Urban|Rural)/images_png/(?P<name>[^/]+)\.png",
            mask=r"\g<split>/\g<area>/masks_png/\g<name>",
        ),
        task=legends.LOVEDA,
    ),
)


_DEEPGLOBE = (
    PathPattern(
        image=r"(?P<top>(?:(?P<split>train|valid|test)/)?)(?P<name>\d+)_sat\.jpg", mask=r"\g<top>\g<name>_mask"
    ),
    PathPattern(
        image=r"(?P<split>training_data|test_data)/images/(?P<name>\d+)_sat\.jpg",
        mask=r"\g<split>/masks/\g<name>_mask",
    ),
)


def _deepglobe(listing: Listing) -> FoundSources | None:
    """Recognise roads (white) and land cover (colours); the values of both are blurred."""
    matches = next((matches for one in _DEEPGLOBE if (matches := one.match(listing)).pairs), None)
    if matches is None:
        return None
    if in_colours([pair.mask for pair in matches.pairs.values()]):
        return found(matches, task=legends.DEEPGLOBE_LAND, binarise=True)
    return found(matches, foreground=">127")


DEEPGLOBE = SourceLayout(
    name="DeepGlobe roads and land cover",
    looks="`train/6_sat.jpg`, `train/6_mask.png`; `training_data/images`, `training_data/masks`",
    classes="road, above 127; or 6 colours, made pure at 128, unknown is ignored",
    split="none; valid and test have no masks",
    recognise=_deepglobe,
)

_SHEET = r"[MN]-3[34]-\d+-[A-D]-[a-d]-\d-\d"

LANDCOVER_AI = SourceLayout(
    name="LandCover.ai",
    looks="`images/M-33-7-A-d-2-3.tif`, `masks/M-33-7-A-d-2-3.tif`",
    classes="background, building, woodland, water, road",
    split="none",
    recognise=recognised_by(
        PathPattern(image=rf"images/(?P<name>{_SHEET})\.tif", mask=r"masks/\g<name>"), task=legends.LANDCOVER_AI
    ),
)


def _landcover_ai_tiles(listing: Listing) -> FoundSources | None:
    lists = {split: f"{split}.txt" for split in ("train", "val", "test")}
    pattern = PathPattern(image=rf"output/(?P<name>(?P<scene>{_SHEET})_\d+)\.jpg", mask=r"output/\g<name>_m")
    matches = pattern.match(listing)
    if not matches.pairs:
        return None
    return found(divided(matches, read_lists(listing, lists)), task=legends.LANDCOVER_AI)


LANDCOVER_AI_TILES = SourceLayout(
    name="LandCover.ai, cut by its split.py",
    looks="`output/M-33-7-A-d-2-3_0.jpg`, `output/M-33-7-A-d-2-3_0_m.png`, `train.txt`",
    classes="background, building, woodland, water, road",
    split="`train.txt`, `val.txt`, `test.txt`",
    recognise=_landcover_ai_tiles,
)

_POTSDAM_LABELS = ("5_Labels_all", "5_Labels_for_participants", "5_Labels_all_noBoundary")
_VAIHINGEN_LABELS = (
    "ISPRS_semantic_labeling_Vaihingen_ground_truth_COMPLETE",
    "gts_for_participants",
    "ISPRS_semantic_labeling_Vaihingen_ground_truth_eroded_COMPLETE",
    "gts_eroded_for_participants",
)
_TOP = r"(?P<top>(?:[^/]+/)?)"


def _isprs(images: Mapping[str, str], masks: Sequence[str]) -> Recognise:
    """Return what takes the first kind of images and the first kind of masks that are there.

    Args:
        images: What to call a kind of images, and the regular expression of their paths.
        masks: Where the masks may be, as ``re.Match.expand`` takes it.
    """

    def recognise(listing: Listing) -> FoundSources | None:
        for (kind, image), mask in product(images.items(), masks):
            matches = PathPattern(image=image, mask=mask).match(listing)
            if matches.pairs:
                others = [name for name in images if name != kind and _any(listing, images[name])]
                notes = [f"the images are {kind}; {' and '.join(others)} are left out"] if others else []
                if "oBoundary" in mask:
                    notes.append("the masks are those without borders, which are ignored")
                if left := len(matches.lonely):
                    notes.append(f"without masks, left out: {counted(left, 'image')}")
                return found(matches.only_with_masks(), task=legends.ISPRS, binarise=True, notes=notes)
        return None

    return recognise


def _any(listing: Listing, pattern: str) -> bool:
    return any(re.fullmatch(pattern, path) for path in listing.rasters)


POTSDAM = SourceLayout(
    name="ISPRS Potsdam",
    looks="`2_Ortho_RGB/top_potsdam_2_10_RGB.tif`, `5_Labels_all/top_potsdam_2_10_label.tif`",
    classes="6 colours, made pure at 128; black borders of noBoundary are ignored",
    split="none",
    recognise=_isprs(
        {
            kind: rf"{_TOP}{folder}/(?P<name>top_potsdam_\d+_\d+)_{kind}\.tif"
            for folder, kind in (("2_Ortho_RGB", "RGB"), ("3_Ortho_IRRG", "IRRG"), ("4_Ortho_RGBIR", "RGBIR"))
        },
        [
            rf"\g<top>{folder}/\g<name>_label{'_noBoundary' if 'noBoundary' in folder else ''}"
            for folder in _POTSDAM_LABELS
        ]
        + [r"\g<top>\g<name>_label"],
    ),
)

VAIHINGEN = SourceLayout(
    name="ISPRS Vaihingen",
    looks="`top/top_mosaic_09cm_area1.tif`, `gts_for_participants/top_mosaic_09cm_area1.tif`",
    classes="6 colours, made pure at 128; black borders of noBoundary are ignored",
    split="none; areas without masks are left out",
    recognise=_isprs(
        {"IRRG": r"(?:[^/]+/)?top/(?P<name>top_mosaic_09cm_area\d+)\.tif"},
        [
            rf"{top}{folder}/\g<name>{'_noBoundary' if 'eroded' in folder else ''}"
            for folder in _VAIHINGEN_LABELS
            for top in ("", "ISPRS_semantic_labeling_Vaihingen/")
        ]
        + [r"\g<name>"],
    ),
)

ISAID = SourceLayout(
    name="iSAID",
    looks="`train/images/P0000.png`, `train/images/P0000_instance_color_RGB.png` or in `train/Semantic_masks/images`",
    classes="15 and background",
    split="folders; test has no masks",
    recognise=first_of(
        *(
            recognised_by(
                PathPattern(
                    image=rf"{SPLIT}/images/(?P<name>P\d{{4}}(?:_\d+_\d+_\d+_\d+)?)\.png",
                    mask=rf"\g<split>/{folder}\g<name>_instance_color_RGB",
                ),
                task=legends.ISAID,
            )
            for folder in ("images/", "Semantic_masks/images/", "semantic_masks/", "Semantic_masks/")
        )
    ),
)

_BEFORE = PathPattern(
    image=r"(?P<split>train|tier1|tier3|hold|holdout|test)/images/(?P<name>(?P<scene>[a-z-]+)_\d+)_pre_disaster\.png",
    mask=r"\g<split>/targets/\g<name>_pre_disaster_target",
    splits={"tier1": "train", "tier3": "train", "hold": "val", "holdout": "val"},
)


def _xview2(listing: Listing) -> FoundSources | None:
    """Recognise the masks in ``targets/``, else the polygons in ``labels/``; a set without either is left out."""
    after = sum(path.endswith("_post_disaster.png") for path in listing.rasters)
    notes = (f"after the disaster, left out: {counted(after, 'image')}",) if after else ()
    matches = _BEFORE.match(listing)
    if matches.pairs:
        return found(matches, foreground="1", notes=notes)
    labelled, without = list[Pair](), Counter[str]()
    for path, match in matches_of(_BEFORE.image, listing):
        folder = f"{match['split']}/labels"
        if any(name.endswith(".json") for name in listing.folders.get(folder, ())):
            labelled.append(_BEFORE.pair(match, listing.files[path], listing.root / folder))
        else:
            without[match["split"]] += 1
    if not labelled:
        return None
    lonely = [f"{listing.root / one}: without labels, left out: {counted(n, 'image')}" for one, n in without.items()]
    return FoundSources(sources=as_sources(labelled), labels=True, notes=(*listing.notes, *lonely, *notes))


def _dubai(listing: Listing) -> FoundSources | None:
    matches = PathPattern(
        image=r"(?P<scene>[Tt]ile ?\d+)/images/(?P<name>image_part_\d+)\.jpg", mask=r"\g<scene>/masks/\g<name>"
    ).match(listing)
    if not matches.pairs:
        return None
    task, notes = legends.DUBAI, list[str]()
    if "classes.json" in listing.files:
        legend = read_colours(listing, "classes.json")
        if names_all(legend, colours_of([pair.mask for pair in matches.pairs.values()])):
            task = legend
        else:
            notes.append(
                "classes.json names other colours than the masks show; those of the publisher's page are taken"
            )
    return found(matches, task=task, notes=notes)


XVIEW2 = SourceLayout(
    name="xView2 (xBD), before the disaster",
    looks="`train/images/joplin-tornado_00000000_pre_disaster.png`, `train/targets/..._pre_disaster_target.png` or "
    "`train/labels/..._pre_disaster.json`",
    classes="building",
    split="train and tier3 are train, hold is val, test is test; scenes are disasters",
    recognise=_xview2,
)

DUBAI = SourceLayout(
    name="Dubai, by Humans in the Loop",
    looks="`Tile 1/images/image_part_001.jpg`, `Tile 1/masks/image_part_001.png`, `classes.json`",
    classes="land, building, road, vegetation, water; unlabelled is ignored",
    split="none; scenes are the folders",
    recognise=_dubai,
)
