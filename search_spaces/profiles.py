"""Profiles: how big a run is, as changes to the shared recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from search_spaces.grids import GRIDS, STUDY
from trainables.errors import RecipeError, nearest
from trainables.models.registry import GRID_OF_FIVE

Changes = Mapping[str, str | int | float]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How big a run is.

    Attributes:
        name: What users type.
        summary: One line for help texts and plans.
        architectures: What Phase 1 compares by default.
        weights: ``pretrained`` refuses to start without the real weights; ``available`` uses what is on disk.
        search: What Phase 2 searches, and Phase 3 compares, by default.
        changes: Recipe fields that differ from the study's shared recipe.
        trials_each: Trials an architecture in Phase 2.
        search_epochs: Epochs of a full training in a search; None is the recipe's ``max_epochs``.
        grace_epochs: Epochs before a search may give a trial up.
        reduction_factor: One in this many trials passes each rung.
        draws: Draws of each tile budget in Phase 3.
        needs_gpu: Explain instead of starting when there is no GPU.
        random_epochs: In Phase 1, epochs of what has random weights for lack of real ones, while others have real ones;
            None is as many as they.
        probes: Phases 1 and 3 have a probe on each encoder.
        stand_ins: Tiny models stand in for the real ones, for which this size has no time.
    """

    name: str
    summary: str
    architectures: tuple[str, ...]
    search: tuple[str, ...]
    weights: Literal["pretrained", "available"]
    trials_each: int
    grace_epochs: int
    reduction_factor: int
    draws: int
    search_epochs: int | None = None
    changes: Changes = field(default_factory=lambda: MappingProxyType({}))
    needs_gpu: bool = False
    random_epochs: int | None = None
    stand_ins: bool = False
    probes: bool = True


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile(
                name="paper",
                summary="the study's own numbers: whole tiles, 400 draws per epoch, up to 60 epochs; needs GPUs",
                architectures=GRIDS[STUDY].architectures,
                search=GRIDS[STUDY].search,
                weights="pretrained",
                trials_each=30,
                grace_epochs=12,  # a fifth: at a tenth, replayed searches fell below random ones (benchmarks.replay)
                reduction_factor=3,
                draws=3,
                needs_gpu=True,
            ),
            Profile(
                name="demo",
                summary="the real architectures on 256-pixel crops for a few steps; minutes on two CPU cores",
                architectures=(*GRID_OF_FIVE, *(f"smp_unet_efficientnet_lite{size}" for size in range(3))),
                search=("smp_unet_efficientnet_lite0", "unet"),
                weights="available",
                trials_each=6,
                random_epochs=2,
                grace_epochs=1,
                reduction_factor=2,
                draws=2,
                changes=MappingProxyType(
                    {
                        "crop_size": 256,
                        "validation_crop": 256,
                        "draws_per_epoch": 24,
                        "max_epochs": 5,
                        "patience": 5,
                        "frozen_epochs": 2,
                    }
                ),
            ),
            Profile(
                name="smoke",
                summary="tiny stand-in models on 64-pixel crops; seconds, to see that everything works",
                architectures=GRID_OF_FIVE,
                search=("smp_unet_resnet34", "unet"),
                weights="available",
                probes=False,  # of encoders with a few random numbers
                trials_each=4,
                search_epochs=4,
                grace_epochs=1,
                reduction_factor=2,
                draws=2,
                changes=MappingProxyType(
                    {
                        "model_size": "tiny",
                        "crop_size": 64,
                        "validation_crop": 64,
                        "draws_per_epoch": 8,
                        "max_epochs": 2,
                        "patience": 2,
                        "frozen_epochs": 1,
                    }
                ),
            ),
        )
    }
)


def get_profile(name: str, grid: str = STUDY, *, pretrained: bool = False) -> Profile:
    """Look a profile up.

    Args:
        name: Its name.
        grid: Which architectures it compares, of ``GRIDS``. Another grid than the study's is of large models: a profile
            that needs no real weights has tiny stand-ins of them.
        pretrained: Its runs start from real weights whatever it usually does, so they have no stand-ins.

    Raises:
        RecipeError: No such profile or grid; the nearest name is suggested.
    """
    if name not in PROFILES:
        raise RecipeError(f"--profile {name!r} does not exist; {nearest(name, PROFILES)}")
    if grid not in GRIDS:
        raise RecipeError(f"--grid {grid!r} does not exist; {nearest(grid, GRIDS)}")
    profile = PROFILES[name]
    if grid == STUDY:
        return profile
    stands_in = profile.weights == "available" and not pretrained
    changes = {**profile.changes, **({"model_size": "tiny"} if stands_in else {})}
    chosen = GRIDS[grid]
    most = len(profile.search)
    return replace(
        profile,
        architectures=chosen.architectures,
        search=chosen.search[:most],
        changes=changes,
        stand_ins=stands_in,
    )
