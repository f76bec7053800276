"""The augmentation presets of the study, as albumentations has them: the reference for everything in this package."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from trainables.errors import RecipeError, nearest

ROTATE_LIMIT_DEGREES = math.degrees(0.4)
"""Largest rotation of MEDIUM and above, either way.

The study lists "rotate 0.4" beside shift 0.2 and scale 0.3 without a unit. Read as degrees it would be no
augmentation at all (0.4 degrees moves the corner of a 1024-pixel tile by 5 pixels); as radians it is 22.9 degrees,
which together with the quarter turns of LIGHT covers half of all roof orientations. So: radians.
"""


def light() -> tuple[Any, ...]:
    """Return the eight symmetries of the square."""
    import albumentations as A

    return (A.D4(p=1.0),)


def medium() -> tuple[Any, ...]:
    """Return LIGHT, then shift, scale, rotate, brightness, contrast, hue, saturation, value."""
    import albumentations as A
    import cv2

    return (
        *light(),
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
    )


def heavy() -> tuple[Any, ...]:
    """Return MEDIUM, then shadow, gamma, CLAHE, mild JPEG.

    The study names these and EXTREME's without strengths; they keep a roof recognisable to a person.
    """
    import albumentations as A

    return (
        *medium(),
        A.RandomShadow(shadow_roi=(0, 0, 1, 1), shadow_intensity_range=(0.3, 0.5), p=0.3),
        A.RandomGamma(gamma_limit=(80, 120), p=0.3),
        A.CLAHE(clip_limit=(1.0, 2.0), p=0.2),
        A.ImageCompression(quality_range=(70, 95), p=0.3),
    )


def extreme() -> tuple[Any, ...]:
    """Return HEAVY, then mild elastic, dropout of boxes, fog."""
    import albumentations as A
    import cv2

    return (
        *heavy(),
        A.ElasticTransform(alpha=40, sigma=8, border_mode=cv2.BORDER_REFLECT_101, p=0.2),
        A.CoarseDropout(num_holes_range=(1, 6), hole_height_range=(0.03, 0.1), hole_width_range=(0.03, 0.1), p=0.3),
        A.RandomFog(fog_coef_range=(0.1, 0.3), alpha_coef=0.08, p=0.1),
    )


PRESETS: Mapping[str, Callable[[], tuple[Any, ...]]] = MappingProxyType(
    {
        "LIGHT": light,
        "MEDIUM": medium,
        "HEAVY": heavy,
        "EXTREME": extreme,
    }
)
"""Name to the operations, in the order in which they are carried out. None blurs or adds noise: the imagery varies
little in either. ``trainables.augment.parameters`` knows which operations there are."""


def operations(preset: str) -> tuple[Any, ...]:
    """Build a preset's operations, in the order in which they are carried out.

    Args:
        preset: A name in ``PRESETS``.

    Raises:
        RecipeError: An unknown preset.
    """
    if preset not in PRESETS:
        raise RecipeError(f"augmentation preset {preset!r} does not exist; {nearest(preset, PRESETS)}")
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import would otherwise ask a package index
    return PRESETS[preset]()


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
