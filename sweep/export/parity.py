"""The comparison that a file must pass before it is given out: the same logits as the model, on whole tiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.calibration import Counts
from trainables.data.tiles import Tile
from trainables.errors import ExperimentError
from trainables.metrics import score_mask
from trainables.scoring import Forward, decide
from trainables.task import Task
from trainables.windows import predict_by_windows

LARGEST_DIFFERENCE = 1e-3
"""Of a logit: 0.00025 of a probability at most."""
DECIMALS = 4
"""To which the val IoU must be the same: one more than any table shows. Pixels whose logit is within rounding of zero
may fall on either side (3 of 524,288 in an untrained ResNet34 U-Net)."""


INT8_DIFFERENCE = 0.01
"""Largest difference of the mean IoU of a file that computes with bytes."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How an exported file compares with its model.

    Attributes:
        logit_difference: The largest absolute difference of a logit.
        iou_difference: Mean IoU at 0.5 of the file, less that of the model.
        flipped: Pixels that they put into different classes.
        pixels: Pixels compared.
        tiles: Tiles compared.
    """

    logit_difference: float
    iou_difference: float
    flipped: int
    pixels: int
    tiles: int

    @property
    def flipped_share(self) -> float:
        """Of the pixels, in [0, 1], that are put into different classes."""
        return self.flipped / self.pixels

    @property
    def flipped_text(self) -> str:
        """Say how many pixels that are, and which share: few of them may be many where foreground is rare."""
        return f"{self.flipped} of {self.pixels} pixels flip ({100 * self.flipped_share:.2g} %)"

    def require(self, what: str, *, int8: bool = False) -> None:
        """Refuse a file that differs.

        Args:
            what: Its name.
            int8: It computes with bytes: logits differ, and masks may a little.

        Raises:
            ExperimentError: It does.
        """
        if int8:
            if not abs(self.iou_difference) <= INT8_DIFFERENCE:
                raise ExperimentError(
                    f"{what}: with --int8 its IoU on val differs from the model's by {self.iou_difference:+.4f} "
                    f"({self.flipped_text}), at most {INT8_DIFFERENCE:g} may be; nothing was written; leave --int8 out"
                )
            return
        # Not "greater": a NaN is refused as well.
        if not self.logit_difference < LARGEST_DIFFERENCE or round(self.iou_difference, DECIMALS) != 0:
            raise ExperimentError(
                f"{what}: differs from the model (largest logit difference {self.logit_difference:.2g}, allowed "
                f"below {LARGEST_DIFFERENCE:g}; IoU difference {self.iou_difference:.2g}; "
                f"{self.flipped_text}), nothing was written; try another --format or --opset"
            )


def compare(
    model: Iterable[Tensor], exported: Iterable[Tensor], tiles: Sequence[Tile], task: Task, counts: Counts | None
) -> Parity:
    """Compare what both predict for tiles, one tile in memory at a time.

    Args:
        model: The model's logits of each tile, see ``predict``.
        exported: Those of the file.
        tiles: At least one, each with a labelled pixel.
        task: What their masks mean.
        counts: Counts the file's probabilities; None where the tiles are none that the model has not seen.
    """
    largest, flipped, pixels = 0.0, 0, 0
    scores: tuple[list[float], list[float]] = ([], [])
    for tile, ours, theirs in zip(tiles, model, exported, strict=True):
        difference = (ours - theirs).abs().max().item()
        largest = difference if not difference <= largest else largest  # a NaN is kept
        masks = [decide(logits).numpy().astype("uint8") for logits in (ours, theirs)]
        flipped, pixels = flipped + int((masks[0] != masks[1]).sum()), pixels + masks[0].size
        for ious, mask in zip(scores, masks, strict=True):
            ious.append(score_mask(tile.name, mask, tile.mask, task=task).iou)
        if counts is not None:
            counts.add(theirs, tile.mask)
    iou_difference = (sum(scores[1]) - sum(scores[0])) / len(tiles)
    return Parity(
        logit_difference=largest, iou_difference=iou_difference, flipped=flipped, pixels=pixels, tiles=len(tiles)
    )


def predict(forward: Forward, tiles: Sequence[Tile], *, window: int, fixed: bool, batch_size: int) -> Iterator[Tensor]:
    """Yield the (C, H, W) logits of each tile, predicted through windows.

    Args:
        forward: The forward pass.
        tiles: The tiles.
        window: Side of a window in pixels.
        fixed: Whether windows cannot be smaller: smaller tiles are widened.
        batch_size: Windows a call.
    """
    images = [torch.tensor(tile.image).permute(2, 0, 1) for tile in tiles]
    wide = [_widen(image, window) for image in images] if fixed else images
    for image, logits in zip(
        images, predict_by_windows(forward, wide, window=window, batch_size=batch_size), strict=True
    ):
        yield logits[:, : image.shape[1], : image.shape[2]]


def _widen(image: Tensor, side: int) -> Tensor:
    """Repeat the last row and column of a (3, H, W) image up to a side."""
    rows, columns = (torch.arange(max(length, side)).clamp(max=length - 1) for length in image.shape[1:])
    return image[:, rows][:, :, columns]
