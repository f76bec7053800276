"""The tiles: there, complete, as their manifest says, and in one split each."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from sweep.doctor.finding import Finding, fail, ok, warn
from sweep.doctor.subject import Subject
from sweep.planning.bands import require_bands
from trainables.data.imagery import RGB
from trainables.data.manifest import Manifest
from trainables.data.remote import count_files, dataset_address, is_remote
from trainables.errors import DataError, RecipeError
from trainables.invocation import words
from trainables.wording import counted

SHOWN = 3
"""Faults that are listed; ``patches check`` lists all of them."""


def check_dataset(subject: Subject) -> Sequence[Finding]:
    """Read the train and val tiles, and list the names of the test tiles, which are not opened."""
    root = subject.patches
    if is_remote(root):
        return [_remote(root)]
    check = shlex.join([*words("patches"), "check", "--patches", str(root)])
    if not root.is_dir():
        draw = shlex.join([*words("patches"), "synthesize", "--dst", str(root)])
        return [fail(f"--patches {root}: no such folder", f"{draw}, or see docs/your-data.md for tiles of your own")]
    try:
        data = subject.data()
    except DataError as error:
        return _few([fault.rpartition("; ")[0] or fault for fault in error.faults], check)
    if data.leaks:
        return _few([f"the same ground in two splits: {leak}" for leak in data.leaks], check)
    try:
        require_bands(subject.architectures, data)
    except RecipeError as error:
        fault, _, fix = str(error).rpartition("; ")
        return [fail(fault, fix)]
    test = test_names(root)
    if isinstance(test, Finding):
        return [test]
    sizes = sorted({f"{tile.mask.shape[1]}x{tile.mask.shape[0]}" for tile in (*data.train, *data.val)})
    kind = "synthetic " if data.synthetic else ""
    bands = "" if data.imagery == RGB else f", {data.imagery.summary}"
    text = (
        f"{data.name}: {len(data.train)}/{len(data.val)}/{len(test)} {kind}train/val/test tiles of "
        f"{', '.join(sizes[:3])} pixels{bands}"
    )
    if Manifest.read(root) is None:
        return [warn(f"{text}; no manifest: changes and leaks go unnoticed", check)]
    if not data.leaks_checked:
        return [warn(f"{text}; nobody has looked for tiles of two splits that show the same ground", check)]
    return [ok(f"{text}, as in the manifest; no leaks")]


def _remote(root: Path) -> Finding:
    where = dataset_address(root)
    files = count_files(root, ("train", "val"))
    if not files:
        return fail(f"--patches {where}: holds no train or val split", "fix the URI")
    return ok(f"{where}: {counted(files, 'file')} of train and val, which a sweep fetches and checks")


def test_names(root: Path) -> list[str] | Finding:
    """List the test tiles by the names of their files, or tell what is missing; a sweep needs none, scoring does."""
    fix = f"put images/NAME.jpg and masks/NAME.png into {root / 'test'}"
    images, masks = (_stems(root / "test" / kind) for kind in ("images", "masks"))
    if not images and not masks:
        return warn(f"{root / 'test'}: holds no tiles; a sweep runs, but nothing can be scored", fix)
    if odd := sorted(images ^ masks):
        return fail(f"{root / 'test'}: {odd[0]} has an image or a mask, not both ({len(odd)} such tiles)", fix)
    return sorted(images)


def _stems(folder: Path) -> set[str]:
    return {path.stem for path in folder.iterdir() if not path.name.startswith(".")} if folder.is_dir() else set()


def _few(faults: Sequence[str], fix: str) -> list[Finding]:
    more = f" (and {len(faults) - SHOWN} more)" if len(faults) > SHOWN else ""
    shown = faults[:SHOWN]
    return [fail(text + (more if text is shown[-1] else ""), fix if text is shown[-1] else "") for text in shown]
