"""Options that searches share: what is tried, and how poor trials are distinguished from good ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from search_spaces.limits import MAX_TRIALS
from sweep.cli.marks import RARE, Bounds, OnResume
from sweep.cli.options import SweepOptions
from sweep.planning.policies import POLICIES
from sweep.search.samplers import SAMPLERS
from trainables.recipe import MAX_EPOCHS

if TYPE_CHECKING:
    HalvingName = str
    SamplerName = str
else:
    HalvingName = Literal[("auto", *POLICIES)]
    SamplerName = Literal[tuple(SAMPLERS)]

COLD = "off"
"""What ``--warm-from`` takes for no experiment."""


@dataclass(frozen=True, kw_only=True)
class SearchOptions(SweepOptions):
    """What every search understands."""

    trials: Annotated[int | None, arg(metavar="N"), Bounds(1, MAX_TRIALS), OnResume.FIXED] = None
    """Trials in all, shared equally by the architectures; default: the profile's."""

    space: Annotated[Path | None, arg(metavar="FILE"), RARE, OnResume.FIXED] = None
    """Python file with a function space(architecture) of your own; it is run."""

    extra_knobs: Annotated[bool, RARE, OnResume.FIXED] = False
    """Also search what the shared recipe leaves off: deep supervision of U-Nets."""

    max_epochs: Annotated[int | None, arg(metavar="N"), RARE, Bounds(1, MAX_EPOCHS), OnResume.FIXED] = None
    """Epochs of a full training; default: the profile's."""

    grace_period: Annotated[int | None, arg(metavar="N"), RARE, Bounds(1, MAX_EPOCHS), OnResume.FIXED] = None
    """Epochs before a trial can be stopped early; default: the profile's."""

    reduction_factor: Annotated[int | None, arg(metavar="N"), RARE, Bounds(2, 1_000), OnResume.FIXED] = None
    """One in this many trials passes each rung; default: the profile's."""

    halving: Annotated[HalvingName, RARE, OnResume.FIXED] = "auto"
    """stop: ASHA; pause: trials wait at rungs and the best continue, which saves most one at a time; auto: pause when
    one trial runs at a time, else stop; off: no trial is stopped early."""

    warm_from: Annotated[str | None, arg(metavar="NAME|off"), RARE, OnResume.FIXED] = None
    """Try the best recipes of this experiment on the same tiles first, its best architecture before others; with
    --halving stop, start the rungs with its curves."""

    sampler: Annotated[SamplerName, RARE, OnResume.FIXED] = "tpe"
    """What proposes recipes, of Optuna's samplers. tpe: learns from ended and running trials; gp: a Gaussian process of
    the finished ones; random: learns nothing."""

    optuna_storage: Annotated[str | None, arg(metavar="URL"), RARE, OnResume.FIXED] = None
    """Any Optuna storage; default: a journal in the experiment's folder."""
