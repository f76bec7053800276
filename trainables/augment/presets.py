"""The augmentation presets of the study, as albumentations has them: the reference for everything in this package."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.errors import RecipeError, nearest
from trainables.recipe import AUGMENTATIONS

ROTATE_LIMIT_DEGREES = math.degrees(0.4)
"""Largest rotation of MEDIUM and above, either way.

The study lists "rotate 0.4" beside shift 0.2 and scale 0.3 without a unit. Read as degrees it would be no
augmentation at all (0.4 degrees moves the corner of a 1024-pixel tile by 5 pixels); as radians it is 22.9 degrees,
which together with the quarter turns of LIGHT covers half of all roof orientations. So: radians.
"""


def operations(preset: str) -> tuple[Any, ...]:
    """Build a preset's operations, in the order in which they are carried out.

    Args:
        preset: LIGHT (the eight symmetries of the square), MEDIUM (+ shift, scale, rotate, brightness, contrast,
            hue, saturation, value), HEAVY (+ shadow, gamma, CLAHE, mild JPEG) or EXTREME (+ mild elastic,
            dropout of boxes, fog). None of them blurs or adds noise: the imagery varies little in either.

    Raises:
        RecipeError: An unknown preset.
    """
    if preset not in AUGMENTATIONS:
        raise RecipeError(f"augmentation preset {preset!r} does not exist; {nearest(preset, AUGMENTATIONS)}")
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import would otherwise ask a package index
    import albumentations as A
    import cv2

    light: list[Any] = [A.D4(p=1.0)]
    medium = [
        *light,
        A.Affine(
            translate_percent=(-0.2, 0.2),
            scale=(0.7, 1.3),
            keep_ratio=True,
            rotate=(-ROTATE_LIMIT_DEGREES, ROTATE_LIMIT_DEGREES),
            border_mode=cv2.BORDER_REFLECT_101,
            p=0.7,
        ),
        A.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.3, p=0.5),
        A.HueSaturationValue(hue_shift_limit=10, sat_shift_limit=15, val_shift_limit=15, p=0.3),
    ]
    # The study names the following operations without strengths; these keep a roof recognisable to a person.
    heavy = [
        *medium,
        A.RandomShadow(shadow_roi=(0, 0, 1, 1), shadow_intensity_range=(0.3, 0.5), p=0.3),
        A.RandomGamma(gamma_limit=(80, 120), p=0.3),
        A.CLAHE(clip_limit=(1.0, 2.0), p=0.2),
        A.ImageCompression(quality_range=(70, 95), p=0.3),
    ]
    extreme = [
        *heavy,
        A.ElasticTransform(alpha=40, sigma=8, border_mode=cv2.BORDER_REFLECT_101, p=0.2),
        A.CoarseDropout(num_holes_range=(1, 6), hole_height_range=(0.03, 0.1), hole_width_range=(0.03, 0.1), p=0.3),
        A.RandomFog(fog_coef_range=(0.1, 0.3), alpha_coef=0.08, p=0.1),
    ]
    stages = {"LIGHT": light, "MEDIUM": medium, "HEAVY": heavy, "EXTREME": extreme}
    return tuple(stages[preset])


def seed_operations(steps: Sequence[Any], seed: int) -> None:
    """Give every operation random numbers of its own.

    ``Compose.set_random_seed`` gives all of them the same ones: whether and how strongly the second operation acts
    would follow from the first.

    Args:
        steps: What ``operations`` returned.
        seed: At least 0.
    """
    for number, step in enumerate(steps):
        step.set_random_seed(16 * seed + number)


class ReferenceAugmentation:
    """One preset, carried out by albumentations; a pure function of the view and a seed.

    albumentations keeps random state in its operations, so one object serves one thread.

    Args:
        preset: See ``operations``.
    """

    def __init__(self, preset: str) -> None:
        self._steps = operations(preset)

    def __call__(
        self, image: NDArray[np.uint8], mask: NDArray[np.uint8], seed: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Augment one view; see ``HostAugmentation``."""
        seed_operations(self._steps, seed)
        view: dict[str, Any] = {"image": image, "mask": mask}
        for step in self._steps:
            view = step(**view)
        return view["image"], view["mask"]
