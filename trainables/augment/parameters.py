"""What is done to one view, drawn from a seed before anything is done."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.augment.fog import Fog, draw_fog
from trainables.augment.presets import operations, seed_operations

ELASTIC_CELL = 2
"""Pixels per side of a cell of the drawn displacement field: a quarter of its Gaussian's sigma, under which nothing
finer survives; at cells of 4 pixels the field is too weak at the edges."""


@dataclass(frozen=True, kw_only=True)
class Shadow:
    """One shadow.

    Attributes:
        corners: (5, 2) int32 x and y of a polygon, filled by the even-odd rule.
        darkness: What pixels inside are multiplied with, in (0, 1).
    """

    corners: NDArray[np.int32]
    darkness: float


@dataclass(frozen=True, kw_only=True)
class ViewParameters:
    """Everything that is done to a view of side S, in the order of its fields. None, or empty, is not done.

    Attributes:
        symmetry: Which of the eight symmetries of the square comes first: e, r90, r180, r270, v, h, t or hvt.
        affine: (3, 3) float64, pixels of the turned view to pixels of the result; bilinear, mirrored at the edges.
        contrast: Factor and summand of every value, in 0..255.
        hsv: Summands of hue (of 180), saturation and value (of 255).
        shadows: Shadows cast over it.
        gamma: Exponent of every value in 0..1.
        clahe: Clip limit of the local histogram equalisation of the lightness, on a grid of 8 by 8.
        jpeg: Quality at which it is compressed, in 1..100.
        displacement: (2, S/2, S/2) float32 x and y, in pixels, where each pixel of the result is looked up.
        holes: (N, 4) int64 of x0, y0, x1, y1 that become black.
        fog: Fog over it.
    """

    symmetry: str = "e"
    affine: NDArray[np.float64] | None = None
    contrast: tuple[float, float] | None = None
    hsv: tuple[float, float, float] | None = None
    shadows: tuple[Shadow, ...] = ()
    gamma: float | None = None
    clahe: float | None = None
    jpeg: int | None = None
    displacement: NDArray[np.float32] | None = None
    holes: NDArray[np.int64] | None = None
    fog: Fog | None = None

    def warp(self, side: int) -> NDArray[np.float64]:
        """Return the one (3, 3) matrix of symmetry and affine map, pixels of the view to pixels of the result."""
        matrix = _symmetry_matrix(self.symmetry, side)
        return matrix if self.affine is None else self.affine @ matrix


class Sampler:
    """Draws the parameters of views. albumentations draws them, but for two operations that it makes expensive.

    One object serves one thread.

    Args:
        preset: A name in ``PRESETS``.

    Raises:
        RecipeError: An unknown preset.
    """

    def __init__(self, preset: str) -> None:
        self._steps = operations(preset)

    def __call__(self, seed: int, side: int) -> ViewParameters:
        """Draw the parameters of one view.

        Args:
            seed: At least 0; the same seed and side give the same parameters.
            side: S in pixels.
        """
        seed_operations(self._steps, seed)
        drawn: dict[str, Any] = {}
        for step in self._steps:
            if step.should_apply():
                drawn |= _draw(step, side)
        return ViewParameters(**drawn)


def _draw(step: Any, side: int) -> dict[str, Any]:
    """Draw the parameters of an operation: the fields of ``ViewParameters`` that it decides."""
    name = type(step).__name__
    if name in _OWN_DRAWS:
        return _OWN_DRAWS[name](step, side)
    data = {"image": np.broadcast_to(np.uint8(0), (side, side, 3))}  # takes no memory; only its shape is asked for
    params = step.update_transform_params(params=step.get_params(), data=data)
    return _MEANINGS[name]({**params, **step.get_params_dependent_on_data(params=params, data=data)})


def _shadows(drawn: Mapping[str, Any]) -> tuple[Shadow, ...]:
    shadows = zip(drawn["vertices_list"], drawn["intensities"], strict=True)
    return tuple(Shadow(corners=corners.astype(np.int32), darkness=1 - float(one)) for corners, one in shadows)


def _elastic(step: Any, side: int) -> dict[str, Any]:
    """Draw the smoothed noise of ``ElasticTransform`` directly, on a grid as coarse as it is smooth.

    Smoothing white noise of deviation 1 with a Gaussian of s pixels leaves a deviation of 1 / (2 s sqrt(pi)), on a
    grid of cells as on pixels, with s counted in cells. albumentations first divides by the largest of the values.
    """
    import cv2

    cells = -(-side // ELASTIC_CELL)
    largest = _expected_maximum(2 * side * side)
    noise = step.random_generator.standard_normal((2, cells, cells), dtype=np.float32)
    smooth = [
        cv2.GaussianBlur(one, (0, 0), step.sigma / ELASTIC_CELL, borderType=cv2.BORDER_REPLICATE) for one in noise
    ]
    return {"displacement": np.stack(smooth) * np.float32(step.alpha / (largest * ELASTIC_CELL))}


def _expected_maximum(count: int) -> float:
    """Return the mean of the largest of so many absolute values of normal numbers, by extreme value theory."""
    bound = math.sqrt(2 * math.log(2 * count))
    gumbel_mean = 0.5772
    return bound + (gumbel_mean - (math.log(math.log(2 * count)) + math.log(4 * math.pi)) / 2) / bound


def _fog(step: Any, side: int) -> dict[str, Any]:
    low, high = step.fog_coef_range
    return {"fog": draw_fog(side, (low, high), step.alpha_coef, step.random_generator)}


_OWN_DRAWS = {"ElasticTransform": _elastic, "RandomFog": _fog}
_MEANINGS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "D4": lambda drawn: {"symmetry": drawn["group_element"]},
    "Affine": lambda drawn: {"affine": np.asarray(drawn["matrix"], dtype=np.float64)},
    "RandomBrightnessContrast": lambda drawn: {"contrast": (drawn["alpha"], drawn["beta"])},
    "HueSaturationValue": lambda drawn: {"hsv": (drawn["hue_shift"], drawn["sat_shift"], drawn["val_shift"])},
    "RandomShadow": lambda drawn: {"shadows": _shadows(drawn)},
    "RandomGamma": lambda drawn: {"gamma": drawn["gamma"]},
    "CLAHE": lambda drawn: {"clahe": drawn["clip_limit"]},
    "ImageCompression": lambda drawn: {"jpeg": drawn["quality"]},
    "CoarseDropout": lambda drawn: {"holes": drawn["holes"]},
}
"""Operation of albumentations -> what its parameters are as fields of ``ViewParameters``."""


def _symmetry_matrix(symmetry: str, side: int) -> NDArray[np.float64]:
    """Return the map (x, y) -> (x', y') of a symmetry of a square of so many pixels per side."""
    last = side - 1
    keep, flip = (1.0, 0.0), (-1.0, float(last))
    swapped, (a, tx), (b, ty) = {
        "e": (False, keep, keep),
        "r90": (True, keep, flip),
        "r180": (False, flip, flip),
        "r270": (True, flip, keep),
        "v": (False, keep, flip),
        "h": (False, flip, keep),
        "t": (True, keep, keep),
        "hvt": (True, flip, flip),
    }[symmetry]
    if swapped:  # x' comes from y, and y' from x
        return np.array([[0, a, tx], [b, 0, ty], [0, 0, 1]])
    return np.array([[a, 0, tx], [0, b, ty], [0, 0, 1]])
