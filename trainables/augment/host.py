"""The presets by OpenCV: one warp, one table a colour operation, nothing done twice."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from albucore import add_constant, multiply_add
from numpy.typing import NDArray

from trainables.augment.fog import Fog
from trainables.augment.parameters import ViewParameters

Image = NDArray[np.uint8]
VALUES = np.arange(256, dtype=np.uint8)[:, None, None]
"""Every value once, as an image: what an operation makes of it is the operation's table."""
_TURNS = {
    "r90": cv2.ROTATE_90_COUNTERCLOCKWISE,
    "r180": cv2.ROTATE_180,
    "r270": cv2.ROTATE_90_CLOCKWISE,
}
_FLIPS = {"v": 0, "h": 1}
_FOUR = 4
"""Bands that OpenCV moves at once, whatever its version."""


def augment(image: Image, mask: Image, parameters: ViewParameters, *, colours: bool = True) -> tuple[Image, Image]:
    """Carry out what was drawn for a view.

    What moves pixels, and boxes that become black, act on all bands; everything else is about colour.

    Args:
        image: (S, S, C) uint8.
        mask: (S, S) uint8.
        parameters: What was drawn for a side of S.
        colours: Whether the first three bands are red, green and blue; what is about colour acts on these alone, and
            else not at all.

    Returns:
        Image and mask of the same shapes and types; the mask holds no value that it did not hold before.
    """
    image, mask = _move(image, mask, parameters)
    if colours:
        image = _on_rgb(image, lambda rgb: _colour(rgb, parameters))
    if parameters.displacement is not None:
        image, mask = _displace(image, mask, parameters.displacement)
    if parameters.holes is not None:
        image = image.copy()
        for left, top, right, bottom in parameters.holes:
            image[top:bottom, left:right] = 0
    if colours and (fog := parameters.fog) is not None:
        image = _on_rgb(image, lambda rgb: _cover(rgb, fog))
    return image, mask


def _on_rgb(image: Image, operation: Callable[[Image], Image]) -> Image:
    """Carry an operation out on the first three bands, and leave the others as they are."""
    if image.shape[2] == 3:
        return operation(image)
    return np.concatenate([operation(np.ascontiguousarray(image[..., :3])), image[..., 3:]], axis=2)


def _by_fours(image: Image, operation: Callable[[Image], Image]) -> Image:
    """Carry out an operation that treats each band alone, on at most four bands of an (S, S, C) image at once."""
    bands = image.shape[2]
    parts = [operation(np.ascontiguousarray(image[..., at : at + _FOUR])) for at in range(0, bands, _FOUR)]
    deep = [part if part.ndim == 3 else part[..., None] for part in parts]  # OpenCV drops the axis of a single band
    return np.concatenate(deep, axis=2) if len(deep) > 1 else deep[0]


def _move(image: Image, mask: Image, parameters: ViewParameters) -> tuple[Image, Image]:
    if parameters.affine is None:
        symmetry = parameters.symmetry
        return _by_fours(image, lambda some: _turn(some, symmetry)), _turn(mask, symmetry)
    matrix = parameters.warp(mask.shape[0])
    moved = _by_fours(image, lambda some: _warp_bands(some, matrix))
    return moved, _warp(mask, matrix, cv2.INTER_NEAREST)


def _warp_bands(view: Image, matrix: NDArray[np.float64]) -> Image:
    if view.shape[2] != 3:
        return _warp(view, matrix, cv2.INTER_LINEAR)
    four = cv2.cvtColor(view, cv2.COLOR_RGB2RGBA)  # OpenCV 5 warps four channels in 2.7 ms per megapixel, three in 6.5
    result: Image = cv2.cvtColor(_warp(four, matrix, cv2.INTER_LINEAR), cv2.COLOR_RGBA2RGB)
    return result


def _warp(view: Image, matrix: NDArray[np.float64], interpolation: int) -> Image:
    """Map pixels of a view to pixels of the result, mirrored at the edges.

    The mirrored margin is copied first: looking each of its pixels up in the warp costs more than all the others.
    """
    side = view.shape[0]
    corners = np.linalg.inv(matrix)[:2] @ [[0, side, 0, side], [0, 0, side, side], [1, 1, 1, 1]]
    left, top = np.maximum(0, 2 - np.floor(corners.min(1))).astype(int)
    right, bottom = np.maximum(0, np.ceil(corners.max(1)) + 2 - side).astype(int)
    wide = cv2.copyMakeBorder(view, top, bottom, left, right, cv2.BORDER_REFLECT_101)
    shifted = matrix[:2].copy()
    shifted[:, 2] -= matrix[:2, :2] @ [left, top]
    result: Image = cv2.warpAffine(wide, shifted, (side, side), flags=interpolation, borderMode=cv2.BORDER_REFLECT_101)
    return result


def _turn(view: Image, symmetry: str) -> Image:
    result = np.ascontiguousarray(view)
    if symmetry in _TURNS:
        result = cv2.rotate(view, _TURNS[symmetry])
    elif symmetry in _FLIPS:
        result = cv2.flip(view, _FLIPS[symmetry])
    elif symmetry != "e":
        transposed = cv2.transpose(view)
        result = transposed if symmetry == "t" else cv2.rotate(transposed, cv2.ROTATE_180)
    return result


def _colour(image: Image, parameters: ViewParameters) -> Image:
    if parameters.contrast is not None:
        image = cv2.LUT(image, multiply_add(VALUES, *parameters.contrast, inplace=False))
    if parameters.hsv is not None:
        shifted = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), _hsv_table(*parameters.hsv))
        image = cv2.cvtColor(shifted, cv2.COLOR_HSV2RGB)
    for shadow in parameters.shadows:
        inside = cv2.fillPoly(np.zeros(image.shape[:2], dtype=np.uint8), [shadow.corners], 255)
        table = (VALUES * shadow.darkness).astype(np.uint8)
        image = cv2.copyTo(cv2.LUT(image, table), inside, image.copy())
    if parameters.gamma is not None:
        table = ((VALUES / 255.0) ** parameters.gamma * 255).astype(np.uint8)
        image = cv2.LUT(image, table)
    if parameters.clahe is not None:
        lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
        equal = cv2.createCLAHE(parameters.clahe, (8, 8)).apply(cv2.extractChannel(lab, 0))
        image = cv2.cvtColor(cv2.insertChannel(equal, lab, 0), cv2.COLOR_LAB2RGB)
    if parameters.jpeg is not None:
        _, coded = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, parameters.jpeg))
        image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_UNCHANGED), dtype=np.uint8)
    return image


def _hsv_table(hue: float, saturation: float, value: float) -> Image:
    """Return what becomes of each hue, saturation and value: (256, 1, 3). Grey stays grey."""
    hues = np.mod(VALUES[:, 0, 0].astype(np.int16) + hue, 180).astype(np.uint8)
    saturations = add_constant(VALUES, saturation, inplace=False)[:, 0, 0]
    saturations[0] = 0
    values = add_constant(VALUES, value, inplace=False)[:, 0, 0]
    return np.stack([hues, saturations, values], axis=-1)[:, None]


def _displace(image: Image, mask: Image, displacement: NDArray[np.float32]) -> tuple[Image, Image]:
    side = mask.shape[0]
    pixels = np.arange(side, dtype=np.float32)
    places = _offsets(displacement, side) + np.stack(np.meshgrid(pixels, pixels), axis=-1)

    def look_up(view: Image, how: int) -> Image:
        result: Image = cv2.remap(view, places, None, how, borderMode=cv2.BORDER_REFLECT_101)
        return result

    return _by_fours(image, lambda some: look_up(some, cv2.INTER_LINEAR)), look_up(mask, cv2.INTER_NEAREST)


def _offsets(displacement: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Bring a (2, cells, cells) field to (S, S, 2)."""
    offsets = cv2.resize(displacement.transpose(1, 2, 0), (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(offsets, dtype=np.float32)


def _cover(image: Image, fog: Fog) -> Image:
    depth = fog.depth(image.shape[0])
    table = fog.table(int(depth.max()))
    covered = table[depth[..., None], image]
    result: Image = cv2.GaussianBlur(covered, (fog.blur, fog.blur), 0)
    return result
