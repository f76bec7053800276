"""What one epoch reports."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.metrics import SplitScore


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """What one epoch reports.

    Attributes:
        epoch: From 1.
        train_loss: Mean loss over the epoch's draws.
        val_loss: Mean loss over val tiles.
        val: The scores a val tile, of the recipe's validation window.
        learning_rate: The decoder's step size during the epoch.
        encoder_frozen: Whether the encoder stood still.
        step_seconds: Mean time of a training step.
        images_per_second: Views trained on a second.
        data_share: Share of the steps' time that the trainer waited for views, in [0, 1].
        seconds: Duration of the epoch, validation included.
        peak_memory_bytes: Most memory held so far: the device's on CUDA, else the process's.
        memory_measures: What was done to fit into the device's memory; empty for nothing.
        improved: This epoch has the best val IoU so far.
        finished: The training ends here.
    """

    epoch: int
    train_loss: float
    val_loss: float
    val: SplitScore
    learning_rate: float
    encoder_frozen: bool
    step_seconds: float
    images_per_second: float
    data_share: float
    seconds: float
    peak_memory_bytes: int
    memory_measures: str
    improved: bool
    finished: bool
