"""The block of text that a trial's log gets each epoch."""

from __future__ import annotations

from trainables.epoch_result import EpochResult
from trainables.recipe import Recipe
from trainables.task import Task


def epoch_block(
    recipe: Recipe, result: EpochResult, *, steps: int, total_memory_bytes: int, task: Task | None = None
) -> str:
    """Describe an epoch for a person.

    Args:
        recipe: The trial's recipe.
        result: What the epoch reported.
        steps: Optimizer steps an epoch.
        total_memory_bytes: Memory of the device, 0 where unknown.
        task: What the masks mean; None is binary.

    Returns:
        Six lines, seven for a multi-class task, ending in a newline.
    """
    worst = result.val.worst
    tiles = ", ".join(f"{tile.name} {tile.iou:.3f}" for tile in result.val.tiles)
    total = f" of {total_memory_bytes / 2**30:.1f}" if total_memory_bytes else ""
    best = "  (best so far)" if result.improved else ""
    frozen = ", encoder frozen" if result.encoder_frozen else ""
    pooled = result.val.pooled
    classes = ""
    if task and not task.binary:
        each = zip(task.classes, pooled.class_iou, strict=True)
        classes = (
            f"  class  {', '.join(f'{name} {iou:.3f}' for name, iou in each)}; pixel accuracy "
            f"{pooled.pixel_accuracy:.3f}\n"
        )
    return (
        f"epoch {result.epoch}/{recipe.max_epochs}  learning rate {result.learning_rate:g}{frozen}\n"
        f"  train  loss {result.train_loss:.4f}  ({recipe.draws_per_epoch} draws, batch {recipe.batch_size}, "
        f"{steps} steps)\n"
        f"  val    loss {result.val_loss:.4f}  IoU {result.val.iou:.4f}  F1 {result.val.f1:.4f}  "
        f"({len(result.val.tiles)} tiles){best}\n"
        f"{classes}"
        f"  tiles  {tiles}\n"
        f"  worst  {worst.name} {worst.iou:.3f}\n"
        f"  memory {result.peak_memory_bytes / 2**30:.2f}{total} GiB  step {result.step_seconds * 1000:.0f} ms  "
        f"{result.images_per_second:.1f} images/s, {result.data_share:.0%} of it waiting for views\n"
    )
