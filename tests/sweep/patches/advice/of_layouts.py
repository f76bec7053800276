"""Advice on which files are images, masks and labels."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.sweep.patches.advice.files import Build, blocks, images, noise, pairs, save, write
from tests.sweep.patches.advice.following import Advice
from tests.sweep.patches.advice.of_commands import pets
from tests.sweep.patches.advice.of_labels import cvat, georeferenced
from tests.sweep.patches.layouts.test_published_polygons import spacenet


def named(image: str, mask: str) -> Build:
    """Return what writes four images and masks whose paths have ``*`` for a name."""

    def build(folder: Path) -> None:
        for number, name in enumerate("abcd"):
            save(folder / "data" / image.replace("*", name), noise(number))
            save(folder / "data" / mask.replace("*", name), blocks(0, 255))

    return build


def two_folders_of_masks(folder: Path) -> None:
    """Write masks twice, in two folders."""
    pairs(folder / "data")
    shutil.copytree(folder / "data/masks", folder / "data/gt")


def two_suffixes(folder: Path) -> None:
    """Write masks twice, beside their images."""
    named("*.png", "*_mask.png")(folder)
    named("*.png", "*_gt.png")(folder)


def with_labels(*names: str) -> Build:
    """Return what writes images, and labels of CVAT into each of some files."""

    def build(folder: Path) -> None:
        images(folder / "data/images")
        for name in names:
            write(folder / name, cvat("abcd", "roof"))

    return build


def vectors(folder: Path) -> None:
    georeferenced(folder, "data/images")
    shutil.copy(folder / "roofs.gpkg", folder / "data/roofs.gpkg")
    shutil.copy(folder / "roofs.gpkg", folder / "data/parcels.gpkg")


LABELS = "labels.xml"


OF_LAYOUTS: Sequence[Advice] = (
    Advice(
        at="layouts/by_hand.py",
        says="say --mask-suffix _SUFFIX if masks are called",
        build=named("pics/*.png", "cls/*_zz.png"),
        typed="make --src data --images pics --masks cls",
        takes=("--mask-suffix",),
        fills={"_SUFFIX": "_zz"},
    ),
    Advice(
        at="layouts/describing.py",
        says="or --mask-suffix _SUFFIX",
        build=named("*.png", "*_truth.png"),
        takes=("--mask-suffix",),
        fills={"_SUFFIX": "_truth"},
    ),
    Advice(
        at="layouts/by_hand.py",
        says="patterns with the same * in both",
        build=named("scenes/*/rgb.png", "truth/*/cls.png"),
        typed="make --src data --images scenes --masks truth",
        takes=("--images", "--masks"),
        fills={"--images GLOB": "--images 'scenes/*/rgb.png'", "--masks GLOB": "--masks 'truth/*/cls.png'"},
    ),
    Advice(
        at="layouts/describing.py",
        says="--images GLOB --masks GLOB",
        build=named("scenes/*/rgb.png", "truth/*/cls.png"),
        takes=("--images", "--masks"),
        fills={"--images GLOB": "--images 'scenes/*/rgb.png'", "--masks GLOB": "--masks 'truth/*/cls.png'"},
    ),
    Advice(
        at="layouts/describing.py",
        says="or --labels FILE",
        build=with_labels(LABELS),
        typed="make --src data",
        takes=("--labels",),
        fills={"FILE": LABELS},
    ),
    Advice(
        at="layouts/describing.py",
        says="; say --images ",
        build=named("pics/*.png", "cls/*.png"),
        takes=("--images", "--masks"),
    ),
    Advice(
        at="layouts/describing.py",
        says="; say --images ",
        build=named("pics/*.png", "cls/*_zz.png"),
        takes=("--images", "--masks", "--mask-suffix"),
    ),
    Advice(
        at="layouts/describing.py",
        says="folders holds",
        build=named("*/rgb.png", "*/cls.png"),
        takes=("--images", "--masks"),
    ),
    Advice(
        at="layouts/describing.py",
        says="is Oxford-IIIT Pet; say",
        build=pets(),
        command=r"python -m sweep\.patches (.*)",
    ),
    Advice(
        at="layouts/describing.py",
        says="has no masks, but",
        build=with_labels("data/ann/labels.xml"),
        takes=("--labels",),
    ),
    Advice(
        at="layouts/label_files.py",
        says="name the one with the labels by --labels FILE",
        build=vectors,
        takes=("--labels",),
        fills={"FILE": "data/roofs.gpkg"},
    ),
    Advice(
        at="layouts/label_files.py",
        says="are left out; another kind: --images",
        build=lambda folder: spacenet(folder / "data", "PAN", "PS-MS", "PS-RGB"),
        typed="make --src data --scale 0,1785",
        code=0,
        takes=("--images", "--labels"),
    ),
    Advice(
        at="layouts/legend_files.py",
        says="say what masks hold by --task FILE",
        build=lambda folder: (
            pairs(folder / "data", blocks(0, 1)),
            write(folder / "data/class_dict.csv", "name,r,g,b\nroof,1,2,3\n"),
            write(folder / "task.json", {"classes": ["ground", "roof"]}),
        ),
        takes=("--task",),
        fills={"FILE": "task.json"},
    ),
    Advice(
        at="layouts/legend_files.py",
        says="say what masks hold by --task FILE",
        build=lambda folder: (
            named("train/*.jpg", "train/*_mask.png")(folder),
            write(folder / "data/train/_classes.csv", "Pixel Value, Class\n0, background\n"),
            write(folder / "task.json", {"classes": ["ground", "roof"], "remap": {"255": "roof"}}),
        ),
        takes=("--task",),
        fills={"FILE": "task.json"},
    ),
    Advice(
        at="layouts/named_folders.py", says="masks may be called NAME", build=two_suffixes, takes=("--mask-suffix",)
    ),
    Advice(
        at="layouts/named_folders.py",
        says="may have its masks in",
        build=two_folders_of_masks,
        takes=("--images", "--masks"),
    ),
    Advice(
        at="layouts/opening.py",
        says="does not go with --labels; leave one of them out",
        build=with_labels(LABELS),
        typed=f"make --src data --labels {LABELS} --mask-suffix _m",
        drops=("--mask-suffix",),
    ),
    *(
        Advice(
            at="layouts/opening.py",
            says="; leave one of them out",
            build=lambda folder: (
                pairs(folder / "data", blocks(0, 1)),
                write(folder / "task.json", {"classes": ["ground", "roof"]}),
            ),
            typed="make --src data --task task.json --foreground 1",
            drops=(flag,),
        )
        for flag in ("--task", "--foreground")
    ),
    Advice(
        at="layouts/opening.py",
        says="is about a file with polygons; name it by --labels",
        build=lambda folder: (pairs(folder / "data"), georeferenced(folder, "data/images")),
        typed="make --src data --class-attribute kind",
        places={"--labels": "roofs.gpkg"},
    ),
    Advice(
        at="layouts/opening.py",
        says="these are masks; leave it out, and name",
        build=lambda folder: (
            pairs(folder / "data", blocks(0, 1)),
            write(folder / "task.json", {"classes": ["ground", "roof"]}),
        ),
        typed="make --src data --classes roof",
        drops=("--classes",),
        takes=("--task",),
        fills={"FILE": "task.json"},
    ),
    Advice(
        at="layouts/opening.py",
        says="does not go with --task, which names classes itself; leave one",
        build=lambda folder: (
            with_labels(LABELS)(folder),
            write(folder / "task.json", {"classes": ["ground", "roof"]}),
        ),
        typed=f"make --src data --labels {LABELS} --classes roof --task task.json",
        drops=("--task",),
    ),
    Advice(
        at="layouts/registry.py",
        says="the masks are taken; labels",
        build=lambda folder: (pairs(folder / "data"), write(folder / "data/annotations.xml", cvat("abcd", "roof"))),
        code=0,
        takes=("--labels",),
    ),
)
