"""A sweep with nothing left to decide: what its options, its files and its first start came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from search_spaces.profiles import Profile
from sweep.planning.limits import Limits
from sweep.planning.packing import Packing
from sweep.planning.plan import SweepPlan
from sweep.planning.policy import Curves
from sweep.planning.resources import ResourceRequest
from sweep.rasters.unlabelled import UnlabelledImages
from sweep.records.experiment import Experiment
from trainables.data.scenes import Scenes
from trainables.data.tiles import TuningData


@dataclass(frozen=True, kw_only=True)
class Run:
    """A sweep that is started or resumed, as everything below the command line sees it.

    Attributes:
        experiment: Where everything is written.
        phase: ``phase1``, ``phase2`` or ``phase3``.
        profile: How big the sweep is.
        plan: What is trained.
        data: Train and val tiles; of a cross-validation all of them as both; windows of unlabelled images.
        unlabelled: What these images are; None for none.
        scenes: Of every tile; None where an earlier version began the sweep.
        patches: Folder or address of the dataset.
        request: What is asked of the machine or the cluster.
        packing: How GPUs were shared when the sweep began, to be kept; None decides it now if it was asked for.
        fill: Whether a new sweep trains the longest again on GPUs that would be idle.
        crop_notes: What became of crops that tiles are too small for, a line each.
        seed: Seeds what searches propose.
        optuna_url: Optuna storage of the studies; None is a journal in the experiment's folder.
        limits: When to stop.
        warm_curves: Group to curves of an earlier experiment, with which its trials are compared, too; None for none.
        compiled: Whether ``torch.compile`` translates the training step.
        trace: Whether each trial records an epoch for a trace viewer.
        overlays_every: Epochs between pictures for TensorBoard, 0 for none; None writes nothing for it.
        tracking: Service that follows the trials (``mlflow``, ``wandb``) to its address or project.
        max_failures: How often a trial whose process died is started again, from its last epoch.
        code: Architecture to the hashes of the files of users' own that it needs, as they were when the command began,
            wherever a file goes meanwhile; None is as they are when the trials begin.
        weights_at: Address of the storage from which nodes that lack the pretrained weights take them; None for none.
    """

    experiment: Experiment
    phase: str
    profile: Profile
    plan: SweepPlan
    data: TuningData
    unlabelled: UnlabelledImages | None = None
    scenes: Scenes | None = None
    patches: Path = Path("patches")
    request: ResourceRequest = field(default_factory=ResourceRequest)
    packing: Packing | None = None
    fill: bool = False
    crop_notes: tuple[str, ...] = ()
    seed: int = 42
    optuna_url: str | None = None
    limits: Limits = field(default_factory=Limits)
    warm_curves: Mapping[str, Curves] | None = None
    compiled: bool = False
    trace: bool = False
    overlays_every: int | None = None
    tracking: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    max_failures: int = 2
    weights_at: str | None = None
    code: Mapping[str, Mapping[str, str]] | None = None
