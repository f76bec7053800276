"""The block of text that a trial's log gets each epoch."""

from __future__ import annotations

from trainables.recipe import Recipe
from trainables.report import EpochReport
from trainables.task import Task
from trainables.wording import counted


def epoch_block(
    recipe: Recipe, report: EpochReport, *, steps: int, total_memory_bytes: int, task: Task | None = None
) -> str:
    """Describe an epoch for a person.

    Args:
        recipe: The trial's recipe.
        report: The epoch.
        steps: Optimizer steps per epoch.
        total_memory_bytes: Memory of the device, 0 where unknown.
        task: What the masks mean; None is binary.

    Returns:
        Six lines, seven for a multi-class task, ending in a newline.
    """
    tiles = ", ".join(f"{name} {_score(iou)}" for name, iou in report.tile_iou.items())
    total = f" of {total_memory_bytes / 2**30:.1f}" if total_memory_bytes else ""
    best = "  (best so far)" if report.improved else ""
    frozen = ", encoder frozen" if report.encoder_frozen else ""
    classes = ""
    if task and not task.binary:
        each = ", ".join(f"{name} {_score(iou)}" for name, iou in (report.class_iou or {}).items())
        classes = f"  class  {each}; pixel accuracy {_score(report.val_pixel_accuracy)}\n"
    scores = (
        f"  val    loss {report.val_loss:.4f}  IoU {report.val_iou:.4f}  F1 {report.val_f1:.4f}  "
        f"({counted(len(report.tile_iou), 'tile')}){best}\n"
        f"{classes}"
        f"  tiles  {tiles}\n"
        f"  worst  {report.worst_tile} {_score(report.tile_iou[report.worst_tile])}\n"
        if report.tile_iou
        else "  val    none: all tiles are trained on\n"
    )
    return (
        f"epoch {report.epoch}/{recipe.max_epochs}  learning rate {report.learning_rate:g}{frozen}\n"
        f"  train  loss {report.train_loss:.4f}  ({counted(recipe.draws_per_epoch, 'draw')}, batch "
        f"{recipe.batch_size}, {counted(steps, 'step')})\n"
        f"{scores}"
        f"  memory {report.peak_memory_bytes / 2**30:.2f}{total} GiB  step {report.step_seconds * 1000:.0f} ms  "
        f"{report.images_per_second:.1f} images/s, {report.data_share or 0:.0%} of it waiting for views\n"
    )


def _score(value: float | None) -> str:
    return "nan" if value is None else f"{value:.3f}"
