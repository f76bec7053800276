"""The options of a study, and those that each phase gets of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from tyro.conf import arg

from search_spaces.limits import MAX_REPEATS
from sweep.cli.marks import RARE, Bounds, OnResume, marked
from sweep.cli.options import CommonOptions, ProbeOptions
from trainables.models.probe_names import learns_unlabelled

OWN = {"name", "resume", "plan", "refit"}
"""Options of a sweep that the study uses itself."""


@dataclass(frozen=True, kw_only=True)
class StudyOptions(CommonOptions, ProbeOptions):
    """Answer the whole question: which architecture, how good with its own recipe, would more labels help.

    Phases 1, 2 and 3, the winners of each scored once, and one report; it is resumed as one.
    """

    name: Annotated[str | None, arg(metavar="NAME"), OnResume.FIXED] = None
    """The name, with which those of its experiments begin; default: from the profile."""

    resume: Annotated[str | None, arg(metavar="NAME"), OnResume.THIS_RUN] = None
    """Resume a study in the step where it is; changes to it are refused."""

    plan: Annotated[bool, OnResume.THIS_RUN] = False
    """Print the steps and an estimated time; run nothing."""

    refit: Annotated[bool, RARE, OnResume.MAY_CHANGE] = False
    """With --folds: at last train the architectures of Phase 2 on all tiles, too."""

    gpus_per_trial: Annotated[str | None, arg(metavar="1|0.5|0|auto"), RARE, OnResume.MAY_CHANGE] = None
    """Share of a GPU per trial; default: 1, if any; auto measures what fits."""

    repeats: Annotated[int, arg(metavar="R"), Bounds(1, MAX_REPEATS), OnResume.FIXED] = 1
    """Trainings of each architecture in Phase 1, each with a seed of its own; with one, all of them tie."""

    budget: Annotated[str | None, arg(metavar="8h|90min"), OnResume.MAY_CHANGE] = None
    """Time for everything; decides how many Phase 2 trials and Phase 3 draws; default: the profile's."""

    warm_from: Annotated[str | None, arg(metavar="NAME|off"), RARE, OnResume.FIXED] = None
    """Experiment whose best recipes Phase 2 tries first; default: this study's Phase 1; off: none."""

    until: Annotated[Literal["phase1", "phase2", "phase3"], OnResume.THIS_RUN] = "phase3"
    """The last phase of this run; --resume continues with the others."""


def for_phase(options: StudyOptions, *, resumed: bool = False) -> dict[str, Any]:
    """Return what a phase gets of a study's options.

    Args:
        options: The study's.
        resumed: Leave out what a phase that has begun keeps as it was started.
    """
    fixed = OnResume.FIXED if resumed else None
    marks = marked(CommonOptions, OnResume)
    names = [one.name for one in fields(CommonOptions) if one.name not in OWN and marks[one.name] is not fixed]
    return {name: getattr(options, name) for name in names}


def of_these(options: StudyOptions, architectures: Sequence[str]) -> dict[str, Any]:
    """Return what a phase gets that trains these architectures alone: unlabelled images for those that use them."""
    wanted = any(map(learns_unlabelled, architectures))
    return {"architectures": tuple(architectures), "unlabelled": options.unlabelled if wanted else None}
