"""Advice on which files are images, masks and labels, and on whole commands."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.commands import run_here
from tests.sweep.patches.advice.files import SIDE, Build, blocks, images, noise, pairs, save, write
from tests.sweep.patches.advice.following import Advice
from tests.sweep.patches.advice.of_labels import cvat, georeferenced
from tests.sweep.patches.layouts.test_published_polygons import spacenet

TRAIN = 'train = ["a", "b"]\nval = ["c"]\ntest = ["d"]\n'


def named(image: str, mask: str) -> Build:
    """Return what writes four images and masks whose paths have ``*`` for a name."""

    def build(folder: Path) -> None:
        for number, name in enumerate("abcd"):
            save(folder / "data" / image.replace("*", name), noise(number))
            save(folder / "data" / mask.replace("*", name), blocks(0, 255))

    return build


def folders_without_masks(folder: Path) -> None:
    """Write a dataset, and twelve folders of images without masks."""
    pairs(folder / "data")
    for number in range(12):
        images(folder / f"data/area{number}/images", "a")


def two_folders_of_masks(folder: Path) -> None:
    """Write masks twice, in two folders."""
    pairs(folder / "data")
    shutil.copytree(folder / "data/masks", folder / "data/gt")


def two_suffixes(folder: Path) -> None:
    """Write masks twice, beside their images."""
    named("*.png", "*_mask.png")(folder)
    named("*.png", "*_gt.png")(folder)


def pets(count: int = 8, *, lists: bool = True, side: int = SIDE) -> Build:
    """Return what writes Oxford-IIIT Pet in small."""

    def build(folder: Path) -> None:
        for number in range(count):
            save(
                folder / f"data/images/pug_{number}.jpg",
                noise(number, (side if number else 96, side if number else 96, 3)),
            )
            trimap = (
                blocks(2, 3, 1)
                if side == SIDE and number
                else blocks(2, 3, 1).repeat(2, 0).repeat(2, 1)[: side if number else 96, : side if number else 96]
            )
            save(folder / f"data/annotations/trimaps/pug_{number}.png", trimap)
        for name, numbers in (("trainval", range(0, count, 2)), ("test", range(1, count, 2))):
            if lists:
                write(folder / f"data/annotations/{name}.txt", "".join(f"pug_{one} 1 2 1\n" for one in numbers))

    return build


def twins(folder: Path) -> None:
    """Write two images of one ground into different splits."""
    pairs(folder / "data")
    picture = noise(1)
    save(folder / "data/images/a.png", picture)
    save(folder / "data/images/d.png", picture[:, ::-1])
    write(folder / "split.toml", TRAIN)


def many_scenes(folder: Path) -> None:
    """Write a dataset of 51 scenes of two tiles each."""
    for number in range(51):
        for part in range(2):
            save(folder / f"data/s{number}/images/{part}.png", noise(2 * number + part))
            save(folder / f"data/s{number}/masks/{part}.png", blocks(0, 255))
    make(folder, "--no-leak-check")


def with_labels(*names: str) -> Build:
    """Return what writes images, and labels of CVAT into each of some files."""

    def build(folder: Path) -> None:
        images(folder / "data/images")
        for name in names:
            write(folder / name, cvat("abcd", "roof"))

    return build


def five_without_val(folder: Path) -> None:
    """Make a dataset of six tiles without val."""
    pairs(folder / "data", count=8)
    make(folder, "--shares", "80,0,20")


def without_val(folder: Path) -> None:
    """Write a dataset that is made without val."""
    pairs(folder / "data")


def make(folder: Path, *more: str) -> None:
    """Make the dataset that is there already."""
    made = run_here("patches", "make", "--src", "data", *more, cwd=folder)
    assert made.returncode == 0, made.stderr


def vectors(folder: Path) -> None:
    georeferenced(folder, "data/images")
    shutil.copy(folder / "roofs.gpkg", folder / "data/roofs.gpkg")
    shutil.copy(folder / "roofs.gpkg", folder / "data/parcels.gpkg")


LABELS = "labels.xml"
OF_LAYOUTS: Sequence[Advice] = (
    Advice(
        at="commands/shared.py",
        says="next           python -m sweep.patches check --patches patches",
        template="{} --patches {}",
        build=lambda folder: pairs(folder / "data"),
        code=0,
        command=r"next +python -m sweep\.patches (.*)",
    ),
    Advice(
        at="commands/shared.py",
        says="none in two splits",
        template="phase1 --folds 5",
        build=five_without_val,
        typed="check",
        code=0,
        command=r"next +python -m sweep\.(.*)",
    ),
    Advice(
        at="commands/announcing.py",
        says="leave out --dry-run",
        build=lambda folder: pairs(folder / "data"),
        typed="make --src data --dry-run",
        code=0,
        drops=("--dry-run",),
    ),
    Advice(
        at="commands/announcing.py",
        says="more that were left out; --json lists them",
        build=folders_without_masks,
        code=0,
        takes=("--json",),
    ),
    Advice(
        at="commands/describe.py",
        says="more; --json lists all",
        build=many_scenes,
        typed="describe",
        code=0,
        takes=("--json",),
    ),
    Advice(
        at="commands/import_pets.py",
        says="or give --counts N,N,N",
        build=pets(lists=False),
        typed="import-pets --src data --size 64",
        takes=("--counts",),
        fills={"N,N,N": "4,2,2"},
    ),
    *(
        Advice(
            at="commands/import_pets.py",
            says="does not go with --counts; leave one of them out",
            build=pets(),
            typed="import-pets --src data --size 64 --subset 4 --counts 2,1,1",
            drops=(flag,),
        )
        for flag in ("--subset", "--counts")
    ),
    Advice(
        at="commands/import_pets.py",
        says="leaves a split without images",
        build=pets(),
        typed="import-pets --src data --size 96 --fit crop",
        takes=("--fit",),
    ),
    Advice(
        at="commands/shared.py",
        says="or say --allow-leak",
        build=twins,
        typed="make --src data --split split.toml",
        code=0,
        after="phase1 --patches patches --profile demo",
        takes=("--allow-leak",),
    ),
    Advice(
        at="commands/shared.py",
        says="sweeps divide train by --folds N",
        build=without_val,
        typed="make --src data --shares 80,0,20",
        code=0,
        after="phase1 --patches patches --profile demo",
        takes=("--folds",),
        fills={"N": "3"},
    ),
    Advice(
        at="commands/shared.py",
        says="nobody has looked for tiles",
        build=without_val,
        typed="make --src data --no-leak-check",
        code=0,
        command=r"python -m sweep\.patches (check) does",
    ),
    Advice(
        at="folders.py",
        says="exists already; choose another folder, or --force",
        build=lambda folder: (pairs(folder / "data"), make(folder)),
        takes=("--force",),
    ),
    Advice(
        at="folders.py",
        says="exists already; choose another folder",
        build=lambda folder: (pairs(folder / "data"), make(folder)),
        places={"--dst": "other"},
    ),
    Advice(
        at="folders.py",
        says="is no dataset, so --force does not replace it; choose another folder",
        build=lambda folder: (pairs(folder / "data"), write(folder / "patches/mine.txt", "x")),
        typed="make --src data --force",
        places={"--dst": "other"},
    ),
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
