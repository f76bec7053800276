"""How trials are run, besides what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sweep.cli.console import open_output
from sweep.cli.output import Output
from sweep.observers.tracking import Tracking
from sweep.planning.limits import Limits

Curves = Mapping[str, Mapping[int, float]]
"""Attempt to epoch to val IoU."""


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How trials are run, besides what they are.

    Attributes:
        seed: Seeds what searches propose.
        optuna_url: Optuna storage of the studies; None is a journal in the experiment's folder.
        limits: When to stop.
        warm_curves: Group to curves of an earlier experiment, with which its rungs start; None for none.
        compiled: Whether ``torch.compile`` translates the training step.
        trace: Whether each trial records an epoch for a trace viewer.
        overlays_every: Epochs between pictures for TensorBoard, 0 for none; None writes nothing for it.
        tracking: Which services are told of the trials.
        max_failures: How often a trial whose process died is started again, from its last epoch.
        weights_at: Address of the storage from which nodes that lack the pretrained weights take them; None for none.
        asked: Whether the sweep was asked to stop.
        lost: Says why the experiment cannot be written any more; empty while it can.
        output: Where to show progress.
    """

    seed: int = 42
    optuna_url: str | None = None
    limits: Limits = field(default_factory=Limits)
    warm_curves: Mapping[str, Curves] | None = None
    compiled: bool = False
    trace: bool = False
    overlays_every: int | None = None
    tracking: Tracking = field(default_factory=Tracking)
    max_failures: int = 2
    weights_at: str | None = None
    asked: Callable[[], bool] = lambda: False
    lost: Callable[[], str] = lambda: ""
    output: Output = field(default_factory=open_output)
