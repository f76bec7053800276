"""Room for results, for Ray's own files and for weights."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from search_spaces.phase1 import grid
from sweep.doctor.finding import Finding, fail, ok, warn
from sweep.doctor.subject import Subject
from sweep.planning.disk import size, sweep_bytes
from sweep.planning.plan import SweepPlan
from sweep.ray_tune.ray_folder import choose_folder
from sweep.records.trials import TrialPlan
from trainables.errors import DataError, ExperimentError, RecipeError
from trainables.models.registry import get_architecture
from trainables.models.sources import cache
from trainables.models.weights import Weights
from trainables.recipe import Recipe

RESULTS, RAY = "results", "Ray"
FULL_SHARE = 0.95
"""Of a disk: above it Ray writes no more objects there. Source: ray/_private/ray_constants.py, local_fs_capacity."""
RAY_BYTES = 1e9
"""Logs and spilled objects of a sweep, amply."""
CACHE_BYTES = 2e9
"""Weights of some architectures, the 375 MB of SAM among them, and encoded views."""


@dataclass(frozen=True, kw_only=True)
class DiskUse:
    """A folder that a sweep writes to.

    Attributes:
        use: What it is for.
        chosen_by: The flag or variable that names another.
        path: Where it is.
        disk: A number that folders on the same disk share.
        free: Bytes that are free.
        used_share: Share of its disk that is used, in [0, 1].
        needed: Bytes that the sweep takes there.
    """

    use: str
    chosen_by: str
    path: Path
    disk: int
    free: int
    used_share: float
    needed: float


def check_disk(subject: Subject) -> Sequence[Finding]:
    """Compare the room in every folder that a sweep writes to with what Phase 1 takes there."""
    places = [_measure("weights", "TILESWEEP_CACHE", cache(), CACHE_BYTES)]
    with suppress(ExperimentError):  # the check of that folder says it
        places.insert(0, _measure(RAY, "RAY_TMPDIR", choose_folder().path, RAY_BYTES))
    if subject.storage.is_local:
        places.insert(0, _measure(RESULTS, "--storage", Path(subject.storage.root), _needed(subject)))
    return judge_places(places, subject.profile.name)


def judge_places(places: Sequence[DiskUse], profile: str) -> Sequence[Finding]:
    """Judge all folders: those with too little room, else one line, which names each disk once."""
    if faults := [fault for place in places if (fault := judge_place(place))]:
        return faults
    disks: dict[int, list[DiskUse]] = {}
    for place in places:
        disks.setdefault(place.disk, []).append(place)
    text = "; ".join(f"{size(on[0].free)} free for {', '.join(one.use for one in on)}" for on in disks.values())
    needed = sum(place.needed for place in places if place.use == RESULTS)
    return [ok(text + (f"; {profile} takes about {size(needed)}" if needed else ""))]


def judge_place(place: DiskUse) -> Finding | None:
    """Judge one folder; None where there is room enough."""
    text = f"{size(place.free)} free in {place.path} for {place.use}"
    fix = f"make room there, or choose another folder by {place.chosen_by}"
    if place.use == RESULTS and place.free < place.needed:
        return fail(f"{text}; the sweep takes about {size(place.needed)}", fix)
    if place.use == RAY and place.used_share > FULL_SHARE:
        return warn(f"{text}; the disk is {place.used_share:.0%} full, and above 95% Ray spills no objects", fix)
    if place.free < place.needed:
        return warn(f"{text}; {size(place.needed)} may be needed", fix)
    return None


def _measure(use: str, chosen_by: str, path: Path, needed: float) -> DiskUse:
    there = path.expanduser().absolute()
    while not there.exists():
        there = there.parent
    usage = psutil.disk_usage(str(there))
    return DiskUse(
        use=use,
        chosen_by=chosen_by,
        path=path,
        disk=there.stat().st_dev,
        free=usage.free,
        used_share=usage.percent / 100,
        needed=needed,
    )


def _needed(subject: Subject) -> float:
    """Estimate Phase 1's results, as a sweep does before it starts; 0 where tiles or architectures cannot be read."""
    try:
        data = subject.data()
        recipes = grid(subject.profile, subject.architectures)
        trials = tuple(_trial(recipe) for recipe in recipes)
        return sweep_bytes(SweepPlan(trials=trials), data, subject.resources().concurrent)
    except (DataError, RecipeError):  # said by the checks of the tiles and of the extras
        return 0.0


def _trial(recipe: Recipe) -> TrialPlan:
    name = recipe.architecture
    weights = Weights(kind="random", needs=get_architecture(name).needs)
    return TrialPlan(attempt=name, contest=name, recipe=recipe, weights=weights)
