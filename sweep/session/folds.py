"""``--folds``: which tiles each training of a sweep leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sweep.cli.options import SweepOptions
from sweep.records.trials import WITHOUT_FOLDS
from trainables.data.folds import Fold, split_folds
from trainables.data.manifest import Leak
from trainables.data.scenes import Scenes, scenes_of
from trainables.data.tiles import TuningData
from trainables.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Division:
    """How a sweep's labelled tiles are divided.

    Attributes:
        data: The tiles: those of the dataset's splits, or all of them as train and as val where there are folds.
        scenes: Of every tile.
        folds: None for a sweep on the dataset's own val split.
    """

    data: TuningData
    scenes: Scenes
    folds: tuple[Fold, ...] = ()


def divide(options: SweepOptions, data: TuningData) -> Division:
    """Divide train and val tiles into folds by scene, if the options ask for it.

    Raises:
        DataError: The folds are not possible, or an option makes no sense without them.
    """
    names = [tile.name for tile in (*data.train, *data.val)]
    scenes = scenes_of(names, data.scenes, options.group_by, data.same_ground)
    if options.folds is None:
        if options.pool_val:
            raise DataError("--pool-val: lets --folds divide a published val split, too; give both, such as --folds 5")
        if options.refit:
            raise DataError(f"--refit: this sweep {WITHOUT_FOLDS}; give both, such as --folds 5, or leave --refit out")
        if not data.val:
            raise DataError(f"{data.name}: has no val tiles; --folds 5 divides its train tiles, or move some into val")
        return Division(data=data, scenes=scenes)
    if data.published_split and data.val and not options.pool_val:
        raise DataError(
            f"--folds {options.folds}: {data.name} came with a val split of its publisher's, and others report scores "
            f"on that; --pool-val divides its tiles, too, or leave --folds out"
        )
    pooled = pool(data)
    folds = split_folds(pooled.train, scenes.of, options.folds, options.seed, data.task)
    return Division(data=pooled, scenes=scenes, folds=folds)


def pool(data: TuningData) -> TuningData:
    """Return all tiles both as train and as val; what train and val share is no leak any more, but one scene."""
    return replace(data.pooled(), leaks=tuple(leak for leak in data.leaks if _is_of_test(leak)))


def _is_of_test(leak: Leak) -> bool:
    return any(path.startswith("test/") for path in (leak.first, leak.second))


def describe_scenes(scenes: Scenes) -> dict[str, Any]:
    """Return what an experiment's description says of its scenes, for JSON."""
    return {"of": dict(scenes.of), "origin": scenes.origin, "joined": list(scenes.joined)}


def scenes_in(description: Mapping[str, Any]) -> Scenes | None:
    """Return the scenes in an experiment's description; None in one of an earlier version."""
    found = description.get("scenes")
    return found and Scenes(of=found["of"], origin=found["origin"], joined=tuple(found["joined"]))
