"""``--unlabelled``: images without labels, read for a sweep; none may be a tile that a score is taken on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sweep.planning.plan import SweepPlan
from sweep.rasters.ground import Corners
from sweep.rasters.held_out import HeldOut, pixels_sha256
from sweep.rasters.unlabelled import SIDE, UnlabelledImages, read_unlabelled
from sweep.sealed.ledger import Ledger
from trainables.data.manifest import Manifest
from trainables.data.remote import is_remote, local_copy
from trainables.data.tiles import TRAIN, TuningData
from trainables.errors import ExperimentError, LedgerError, RecipeError, StorageError
from trainables.invocation import command
from trainables.storage import Storage
from trainables.wording import counted


def find_unlabelled(
    folder: Path, patches: Path, data: TuningData, plan: SweepPlan, storage: Storage
) -> UnlabelledImages:
    """Read the images of a folder for a sweep.

    Args:
        folder: What the user named.
        patches: The dataset; nothing under ``test/`` is opened or listed.
        data: Its train and val tiles; of a cross-validation all of them as both.
        plan: Its crops decide how large windows are.
        storage: Whose ledger knows the test tiles that were scored.

    Raises:
        TilesweepError: What is wrong with the images; val or test tiles are among them.
    """
    if is_remote(folder):
        raise ExperimentError(f"--unlabelled {folder}: is an address; copy the images to this machine")
    manifest = Manifest.read(local_copy(patches, (TRAIN, "val")))
    splits = ("train", "val", "test") if plan.folds else ("val", "test")
    crop = max(trial.recipe.crop_size for trial in plan.known())
    found = read_unlabelled(
        folder,
        data.imagery,
        _held_out(manifest, data, splits, storage),
        side=max(SIDE, crop),
        metres=_metres(manifest),
    )
    if manifest is None:
        update = command("patches", "check", "--update", "--patches", str(patches))
        note = f"which images are test tiles is not known, for lack of a manifest; {update} writes one"
        return replace(found, notes=(*found.notes, note))
    called = _called_like_sources(manifest, found, splits)
    return replace(found, notes=(*found.notes, *called))


def require_unlabelled(plan: SweepPlan, images: UnlabelledImages | None) -> None:
    """Refuse recipes that learn from unlabelled images where there are none, or without what labels them.

    Raises:
        RecipeError: As said; names the first one.
    """
    for trial in plan.known():
        trial.recipe.require_average()
    if images is not None:
        return
    for recipe in (trial.recipe for trial in plan.known()):
        if recipe.consistency_weight:
            raise RecipeError(
                f"recipe of {recipe.architecture}: consistency_weight is {recipe.consistency_weight:g}, which needs "
                "unlabelled images; give --unlabelled DIR, or set it to 0"
            )
    for study in plan.studies:
        if "consistency_weight" in study.space:
            raise RecipeError(
                f"space of {study.name}: searches consistency_weight, which needs unlabelled images; give "
                "--unlabelled DIR, or leave it out"
            )


def require_same_images(name: str, described: Mapping[str, Any], images: UnlabelledImages | None) -> None:
    """Refuse to resume with other unlabelled images than an experiment began with.

    Args:
        name: The experiment's.
        described: What its description says of its data.
        images: What there is now.

    Raises:
        ExperimentError: As said.
    """
    before = described.get("unlabelled")
    if (before and before["sha256"]) == (images and images.sha256):
        return
    if before is None:
        raise ExperimentError(f"--unlabelled: {name} began without unlabelled images; leave it out")
    raise ExperimentError(
        f"--unlabelled {before['path']}: its images changed since {name} began, or the folder is elsewhere; bring them "
        "back, or give the folder with --unlabelled DIR"
    )


def _held_out(manifest: Manifest | None, data: TuningData, splits: tuple[str, ...], storage: Storage) -> HeldOut:
    """Put together what is known of the tiles that nothing may be trained on."""
    files: dict[str, str] = {}
    shapes = {tile.shape for tile in data.val}
    ground = []
    for split, path, entry in _images(manifest, splits):
        files[entry["sha256"]] = f"is the {split} tile {path}"
        if "width" in entry and "height" in entry:
            shapes.add((entry["height"], entry["width"]))
        if (corners := _corners(entry)) is not None:
            ground.append(corners)
    pixels = dict.fromkeys(_scored_before(storage), "is a test tile of an experiment in this storage")
    pixels |= {pixels_sha256(tile.image): f"is the {_val(splits)} tile {tile.name}" for tile in data.val}
    return HeldOut(files=files, pixels=pixels, shapes=frozenset(shapes), ground=ground)


def _val(splits: tuple[str, ...]) -> str:
    return "labelled" if TRAIN in splits else "val"


def _images(manifest: Manifest | None, splits: tuple[str, ...]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, entry in (manifest.files if manifest else {}).items():
        split, _, rest = path.partition("/")
        if split in splits and rest.startswith("images/"):
            yield split, path, entry


def _corners(entry: Mapping[str, Any]) -> Corners | None:
    if not {"transform", "crs", "width", "height"} <= entry.keys():
        return None
    a, b, c, d, e, f = entry["transform"]
    width, height = entry["width"], entry["height"]
    places = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float64)
    points = np.stack(
        [places @ np.array([a, b]) + c, places @ np.array([d, e]) + f],
        axis=1,
    )
    return Corners(points=points, crs=entry["crs"])


def _scored_before(storage: Storage) -> set[str]:
    try:
        return {digest for reading in Ledger(storage).readings() for digest in reading.test_pixels.values()}
    except (LedgerError, StorageError):  # a sweep says so when it starts
        return set()


def _metres(manifest: Manifest | None) -> float | None:
    if manifest is None:
        return None
    known = [entry["metres_per_pixel"] for _, _, entry in _images(manifest, (TRAIN,)) if "metres_per_pixel" in entry]
    return float(np.median(known)) if known else manifest.ground_sample_distance_m


def _called_like_sources(manifest: Manifest, found: UnlabelledImages, splits: tuple[str, ...]) -> list[str]:
    """Say which images have the names of rasters from which val or test tiles were cut."""
    sources = {Path(entry.get("source", "").partition(" ")[0]).name for _, _, entry in _images(manifest, splits)} - {""}
    alike = sorted({tile.name.partition(" ")[0] for tile in found.tiles} & sources)
    if not alike:
        return []
    return [
        f"{counted(len(alike), 'image')} called like a raster that a {' or '.join(splits)} tile was cut from "
        f"({', '.join(alike[:3])}{', ...' if len(alike) > 3 else ''}): leave out what shows the same ground"
    ]
