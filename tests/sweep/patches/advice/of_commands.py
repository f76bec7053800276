"""Advice of whole commands: what to type next, other numbers, other folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.commands import run_here
from tests.sweep.patches.advice.files import SIDE, Build, blocks, images, noise, pairs, save, write
from tests.sweep.patches.advice.following import Advice

TRAIN = 'train = ["a", "b"]\nval = ["c"]\ntest = ["d"]\n'


def folders_without_masks(folder: Path) -> None:
    """Write a dataset, and twelve folders of images without masks."""
    pairs(folder / "data")
    for number in range(12):
        images(folder / f"data/area{number}/images", "a")


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


def five_without_val(folder: Path) -> None:
    """Make a dataset of six tiles without val."""
    pairs(folder / "data", count=8)
    make(folder, "--shares", "80,0,20")


def with_val(folder: Path) -> None:
    """Make a dataset of all three splits."""
    pairs(folder / "data", count=8)
    make(folder)


def without_val(folder: Path) -> None:
    """Write a dataset that is made without val."""
    pairs(folder / "data")


def make(folder: Path, *more: str) -> None:
    """Make the dataset that is there already."""
    made = run_here("patches", "make", "--src", "data", *more, cwd=folder)
    assert made.returncode == 0, made.stderr


OF_COMMANDS: Sequence[Advice] = (
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
        template="study --folds 5",
        build=five_without_val,
        typed="check",
        code=0,
        command=r"next +python -m sweep\.(.*)",
    ),
    Advice(
        at="commands/shared.py",
        says="none in two splits",
        template="--profile demo",
        build=with_val,
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
)
