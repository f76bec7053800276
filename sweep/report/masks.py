"""Masks in the page: read from the files that training and scoring left, drawn, compared and put into words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.overlays import mask_picture, read_mask_picture
from trainables.task import IGNORE_INDEX, Task

Mask = NDArray[np.uint8]
Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class MaskReader:
    """What the masks of an experiment mean.

    Attributes:
        task: Its task.
    """

    task: Task

    def read(self, file: Image.Image) -> Mask:
        """Return (H, W) class indices of a kept mask; 255 does not count."""
        return read_mask_picture(file)

    def draw(self, mask: Mask) -> Image.Image:
        """Return it in grey, or in the classes' colours."""
        picture = mask_picture(mask, self.task)
        return picture if self.task == Task() else picture.convert("RGB")

    def shows_foreground(self, mask: Mask) -> bool:
        """Whether a pixel of it is of the foreground; of several classes, any that counts is."""
        return bool((mask == 1).any() if self.task.binary else (mask != IGNORE_INDEX).any())

    def shares(self, mask: Mask) -> str:
        """Say how much of it each class takes, the commonest first."""
        if self.task.binary:
            return f"{self.task.classes[1]} {float((mask == 1).mean()):.1%}"
        counts = np.bincount(mask.reshape(-1), minlength=256)[: len(self.task.classes)]
        order = [int(index) for index in np.argsort(-counts, kind="stable") if counts[index]]
        return ", ".join(f"{self.task.classes[index]} {counts[index] / mask.size:.0%}" for index in order)

    def compare(self, predicted: Mask, truth: Mask) -> tuple[Marks, Marks]:
        """Return what is marked as predicted and as wanted in a map of errors.

        The foreground in a binary task; else the pixels that are right, and those that count.
        """
        counted = truth != IGNORE_INDEX
        if self.task.binary:
            return (predicted == 1) & counted, (truth == 1)
        return (predicted == truth) & counted, counted

    def in_words(self, predicted: Marks, wanted: Marks) -> str:
        """Say how well what ``compare`` returned agrees."""
        hits = int((predicted & wanted).sum())
        there, claimed = int(wanted.sum()), int(predicted.sum())
        if not self.task.binary:
            return f"{hits / max(there, 1):.0%} of the labelled pixels are of the right class"
        found = f"{hits / there:.0%} of the labelled pixels found" if there else "nothing is labelled"
        return found + (f", {1 - hits / claimed:.0%} of the predicted ones false" if claimed else ", nothing predicted")
