"""The presets by OpenCV: one warp, one table a colour operation, nothing done twice."""

from __future__ import annotations

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


def augment(image: Image, mask: Image, parameters: ViewParameters) -> tuple[Image, Image]:
    """Carry out what was drawn for a view.

    Args:
        image: (S, S, 3) uint8 RGB.
        mask: (S, S) uint8.
        parameters: What was drawn for a side of S.

    Returns:
        Image and mask of the same shapes and types; the mask holds no value that it did not hold before.
    """
    image, mask = _move(image, mask, parameters)
    image = _colour(image, parameters)
    if parameters.displacement is not None:
        image, mask = _displace(image, mask, parameters.displacement)
    if parameters.holes is not None:
        image = image.copy()
        for left, top, right, bottom in parameters.holes:
            image[top:bottom, left:right] = 0
    if parameters.fog is not None:
        image = _cover(image, parameters.fog)
    return image, mask


def _move(image: Image, mask: Image, parameters: ViewParameters) -> tuple[Image, Image]:
    if parameters.affine is None:
        return _turn(image, parameters.symmetry), _turn(mask, parameters.symmetry)
    matrix = parameters.warp(mask.shape[0])
    four = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)  # OpenCV 5 warps four channels in 2.7 ms a megapixel, three in 6.5
    moved = cv2.cvtColor(_warp(four, matrix, cv2.INTER_LINEAR), cv2.COLOR_RGBA2RGB)
    return moved, _warp(mask, matrix, cv2.INTER_NEAREST)


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
    return tuple(
        cv2.remap(one, places, None, how, borderMode=cv2.BORDER_REFLECT_101)
        for one, how in ((image, cv2.INTER_LINEAR), (mask, cv2.INTER_NEAREST))
    )


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
