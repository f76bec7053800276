"""Plans and reports of trials that nobody trained."""

from __future__ import annotations

from typing import Any

from sweep.records.trials import TrialPlan
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.report import EpochReport, FinalReport


def plan_of(attempt: str, *, study: str = "", recipe: Recipe | None = None) -> TrialPlan:
    """Return a trial's plan: one that a study proposed, or that was planned."""
    return TrialPlan(
        attempt=attempt,
        contest=study or attempt,
        role="search" if study else "planned",
        study=study,
        recipe=recipe or Recipe(),
        weights=Weights(kind="none"),
    )


def epoch_of(epoch: int, **changes: Any) -> EpochReport:
    """Return the report of an epoch; val IoU rises by a tenth per epoch."""
    numbers: dict[str, Any] = {
        "epoch": epoch,
        "learning_rate": 1e-3,
        "train_loss": 0.7,
        "val_loss": 0.6,
        "val_iou": epoch / 10,
        "val_f1": epoch / 10,
        "tile_iou": {"t4": epoch / 10},
        "worst_tile": "t4",
        "encoder_frozen": False,
        "step_seconds": 0.1,
        "images_per_second": 4.0,
        "seconds": 2.0,
        "peak_memory_bytes": 1,
        "best_epoch": epoch,
        "best_val_iou": epoch / 10,
    }
    return EpochReport(**{**numbers, **changes})


def final_of(iou: float) -> FinalReport:
    """Return the final scores of a trial with a single val tile."""
    tiles = {"t4": {"iou": iou, "f1": iou, "confusion": [[1, 2], [3, 4]]}}
    return FinalReport(final_val_iou=iou, final_val_f1=iou, final_seconds=1.0, final_tiles=tiles)
