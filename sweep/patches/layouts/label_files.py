"""Images beside the labels that a program exported: which of its files are which."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from sweep.patches.labels.sniffing import JsonKind, files_of_kind
from sweep.patches.labels.yolo import label_file
from sweep.patches.layouts.layout import FoundSources, SourceLayout
from sweep.patches.layouts.listing import Listing
from sweep.patches.layouts.named_folders import IMAGES
from sweep.patches.layouts.pairing import Pair, as_sources, by_stem, placed
from sweep.patches.splits.chosen import split_called
from trainables.errors import DataError

ROBOFLOW_COCO = "_annotations.coco.json"
VECTORS = (".gpkg", ".geojson", ".shp", ".fgb")
MOST_LISTED = 6
SPACENET = ("PS-RGB", "RGB-PanSharpen", "PS-RGBNIR", "PS-MS", "MUL-PanSharpen", "MS", "MUL", "PAN")
"""Folders of one scene's kinds of imagery, the one that is taken first: colours, then the finer pixels."""


def labelled_images(listing: Listing, paths: Iterable[str], labels: Path, notes: Sequence[str] = ()) -> FoundSources:
    """Return images with what holds their labels.

    Args:
        listing: What there is.
        paths: Of the images.
        labels: Their file, or the folder with their files.
        notes: What was left out.
    """
    pairs = []
    for path in paths:
        folders = [part for part in path.split("/")[:-1] if part.lower() not in IMAGES]
        pairs.append(placed(PurePosixPath(path).stem, listing.files[path], labels, folders))
    return FoundSources(sources=as_sources(pairs), labels=True, notes=(*listing.notes, *notes))


def all_images(listing: Listing) -> list[str]:
    """Return the rasters in folders that are called as images are, else all rasters.

    Raises:
        DataError: Two of one name in a folder.
    """
    named = [folder for folder in listing.folders if any(part in IMAGES for part in folder.lower().split("/"))]
    return [path for folder in named or listing.folders for path in by_stem(listing, folder).values()]


def _recognise_json(listing: Listing, kind: JsonKind, *, folder: bool) -> FoundSources | None:
    """Find the labels of a program in one or several JSON files.

    Args:
        listing: What there is.
        kind: Which program's.
        folder: Whether there is a file per image, so that the folder is what is opened.
    """
    every = [file for path, file in listing.files.items() if path.lower().endswith(".json")]
    if not listing.rasters or not (files := files_of_kind(every, kind)):
        return None
    alone = len(files) == 1 and not folder
    together = files[0].parent if len({file.parent for file in files}) == 1 and not folder else listing.root
    return labelled_images(listing, all_images(listing), files[0] if alone else together)


def _recognise_roboflow(listing: Listing) -> FoundSources | None:
    folders = [path.rpartition("/")[0] for path in listing.files if PurePosixPath(path).name == ROBOFLOW_COCO]
    pairs = [
        Pair(
            stem=stem,
            image=listing.files[path],
            mask=listing.files[f"{folder}/{ROBOFLOW_COCO}" if folder else ROBOFLOW_COCO],
            place=[part for part in folder.split("/") if part],
            split=split_called(folder.rpartition("/")[2]),
        )
        for folder in folders
        for stem, path in by_stem(listing, folder).items()
    ]
    return FoundSources(sources=as_sources(pairs), labels=True, notes=listing.notes) if pairs else None


def _recognise_yolo(listing: Listing) -> FoundSources | None:
    """Find ``labels/train/NAME.txt`` of ``images/train/NAME.jpg``, or the same with the folders the other way round."""
    texts = {path.rpartition("/")[0] for path in listing.files if path.endswith(".txt")}
    folders = dict.fromkeys(path.rpartition("/")[0] for path in listing.rasters)
    named = {folder: str(label_file(Path(folder) / "a.jpg").parent) for folder in folders}
    labelled = [folder for folder, labels in named.items() if labels != folder and labels in texts]
    if not labelled:
        return None
    paths = [path for folder in labelled for path in by_stem(listing, folder).values()]
    notes = [
        f"{listing.root / folder}: its images have no folder {named[folder]}/ with text files and are left out"
        for folder in folders
        if folder not in labelled and named[folder] != folder
    ]
    return labelled_images(listing, paths, listing.root, notes)


def _recognise_cvat(listing: Listing) -> FoundSources | None:
    files = [listing.files[name] for name in listing.folders.get("", ()) if name.lower().endswith(".xml")]
    if len(files) != 1 or not listing.rasters:
        return None
    with files[0].open("rb") as file:
        if b"<annotations>" not in file.read(4096):
            return None
    return labelled_images(listing, all_images(listing), files[0])


def _recognise_supervisely(listing: Listing) -> FoundSources | None:
    folders = [folder for folder in listing.folders if folder.rpartition("/")[2] == "ann"]
    images = [f"{folder.removesuffix('ann')}img" for folder in folders]
    paths = [path for folder in images for path in by_stem(listing, folder).values()]
    if not paths or not any(name.endswith(".json") for folder in folders for name in listing.folders[folder]):
        return None
    return labelled_images(listing, paths, listing.root)


def _recognise_map(listing: Listing) -> FoundSources | None:
    """Find rasters with one vector file, or with a folder of GeoJSON, a file per raster."""
    files = [file for file in listing.files.values() if file.suffix.lower() in VECTORS]
    if not listing.rasters or not files:
        return None
    folders = {file.parent for file in files}
    per_image = len(files) > 1 and len(folders) == 1 and all(file.suffix.lower() == ".geojson" for file in files)
    if len(files) > 1 and not per_image:
        names = ", ".join(sorted(file.name for file in files)[:MOST_LISTED])
        several = f"holds {len(files)} vector files ({names})"
        raise DataError(f"--src {listing.root}: {several}; name the one with the labels by --labels FILE")
    if not per_image:
        return labelled_images(listing, all_images(listing), files[0])
    labels = folders.pop()
    paths, notes = _of_one_kind(listing, list(listing.rasters), labels)
    return labelled_images(listing, paths, labels, notes)


def _of_one_kind(listing: Listing, paths: Sequence[str], labels: Path) -> tuple[Sequence[str], Sequence[str]]:
    """Return the images in one of SpaceNet's folders where there are several, and which others there are."""
    folders = dict.fromkeys(path.rpartition("/")[0] for path in paths)
    kinds = {kind: folder for kind in SPACENET for folder in folders if folder.rpartition("/")[2] == kind}
    if len(kinds) < 2:
        return all_images(listing), ()
    (first, folder), (_, other), *_ = kinds.items()
    others = ", ".join(list(kinds)[1:])
    note = (
        f"the images are {first}; {others} are left out; another kind: --images {shlex.quote(other)} --labels "
        f"{shlex.quote(str(labels))}"
    )
    return list(by_stem(listing, folder).values()), (note,)


AS_LABELLED = "the labels: `--classes`, `--task`"

ROBOFLOW = SourceLayout(
    name="Roboflow, COCO segmentation",
    looks="`train/a.jpg`, `train/_annotations.coco.json`, `valid/`, `test/`",
    classes=AS_LABELLED,
    split="train, valid, test",
    recognise=_recognise_roboflow,
)
YOLO = SourceLayout(
    name="Ultralytics YOLO, segmentation",
    looks="`images/train/a.jpg`, `labels/train/a.txt`, `data.yaml`, or `train/images/`, `train/labels/`",
    classes="of data.yaml",
    split="train, val, test",
    recognise=_recognise_yolo,
)
CVAT = SourceLayout(
    name="CVAT for images 1.1",
    looks="`annotations.xml`, `images/a.jpg`; of a project `images/Train/a.jpg`",
    classes=AS_LABELLED,
    split="a project's subsets",
    recognise=_recognise_cvat,
)
SUPERVISELY = SourceLayout(
    name="Supervisely",
    looks="`meta.json`, `train/ann/a.jpg.json`, `train/img/a.jpg`",
    classes=AS_LABELLED,
    split="data sets called train, val, test",
    recognise=_recognise_supervisely,
)
LABELME = SourceLayout(
    name="LabelMe, X-AnyLabeling",
    looks="`a.jpg`, `a.json`, in one folder or in two",
    classes=AS_LABELLED,
    split="folders called train, val, test",
    recognise=partial(_recognise_json, kind="labelme", folder=True),
)
COCO = SourceLayout(
    name="COCO",
    looks="`annotations/instances_train2017.json`, `train2017/a.jpg`, or one JSON and `images/`",
    classes=AS_LABELLED,
    split="folders, or files of annotations, called train, val, test",
    recognise=partial(_recognise_json, kind="coco", folder=False),
)
LABEL_STUDIO = SourceLayout(
    name="Label Studio, JSON",
    looks="`project-1.json`, `images/a.jpg`",
    classes=AS_LABELLED,
    split="none",
    recognise=partial(_recognise_json, kind="label studio", folder=False),
)
VIA = SourceLayout(
    name="VGG Image Annotator 2",
    looks="`via_region_data.json`, `a.jpg`",
    classes=AS_LABELLED,
    split="none",
    recognise=partial(_recognise_json, kind="via", folder=False),
)
DATUMARO = SourceLayout(
    name="Datumaro",
    looks="`annotations/train.json`, `images/train/a.jpg`",
    classes=AS_LABELLED,
    split="subsets called train, val, test",
    recognise=partial(_recognise_json, kind="datumaro", folder=False),
)
MAP = SourceLayout(
    name="a map: rasters and outlines of a GIS",
    looks="`ortho.tif`, `roofs.gpkg` (.geojson, .shp, .fgb), or a folder of `buildings_img1.geojson`; of SpaceNet's "
    "folders `PS-RGB` or `RGB-PanSharpen`",
    classes="the attribute: `--class-attribute`, `--classes`, `--task`",
    split="none",
    recognise=_recognise_map,
)
PROGRAMS: Sequence[SourceLayout] = (
    *(ROBOFLOW, YOLO, CVAT, SUPERVISELY, LABELME, COCO, LABEL_STUDIO, VIA, DATUMARO, MAP),
)
