"""Masks: files of indices, of a palette or of colours become class indices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.errors import DataError
from trainables.task import IGNORE, IGNORE_INDEX, Task, parse_value

MEND_LEGEND = "name it in the manifest's task (colours or remap), or mend the mask"


def classify(picture: Image.Image, task: Task, place: str) -> NDArray[np.uint8]:
    """Turn a decoded mask file into class indices.

    A grey file holds indices. A palette's colours and those of an RGB file are looked up in the task's colours. The
    task's remapping goes first in both. A binary file may also hold 0 and 255.

    Args:
        picture: A mask: grey, 1-bit, with a palette, or RGB.
        task: What its values mean.
        place: The file's name, for errors.

    Returns:
        (H, W) uint8: class indices, and 255 for pixels that do not count.

    Raises:
        DataError: Another kind of picture, a colour or an index that the task does not know, or no pixel that counts.
    """
    if picture.mode in ("L", "1"):
        mask = _from_indices(np.asarray(picture).astype(np.uint8), task, place)
    elif picture.mode in ("P", "RGB"):
        mask = _from_colours(np.asarray(picture.convert("RGB")), picture.mode, task, place)
    else:
        kind = {"RGBA": "RGB with alpha", "LA": "grey with alpha"}.get(picture.mode, picture.mode)
        raise DataError(f"{place}: is {kind}, not a mask; save it as 8-bit indices or as RGB without alpha")
    if task.ignores_pixels and (mask == IGNORE_INDEX).all():
        raise DataError(f"{place}: all pixels are ignored; label some, or remove the tile")
    return mask


def _targets(task: Task) -> tuple[dict[int, int], dict[tuple[int, int, int], int], int | None]:
    """Return where indices and colours go by ``remap``, and where everything else goes, if that is said."""
    number = {name: index for index, name in enumerate(task.classes)} | {IGNORE: IGNORE_INDEX}
    indices, colours, rest = {}, {}, None
    for text, name in task.remap.items():
        value = parse_value(text)
        if value is None:
            rest = number[name]
        elif isinstance(value, int):
            indices[value] = number[name]
        else:
            colours[value] = number[name]
    return indices, colours, rest


def _from_indices(values: NDArray[np.uint8], task: Task, place: str) -> NDArray[np.uint8]:
    named, _, rest = _targets(task)
    table = np.full(256, -1, dtype=np.int64)
    if rest is not None:
        table[:] = rest
    else:
        table[: len(task.classes)] = range(len(task.classes))
    if task.ignores_pixels:
        table[IGNORE_INDEX] = IGNORE_INDEX
    for value, target in named.items():
        table[value] = target
    found = np.flatnonzero(np.bincount(values.reshape(-1), minlength=256))
    if task.binary and not task.ignores_pixels and not task.remap and set(found.tolist()) <= {0, 255}:
        table[255] = 1
    unknown = found[table[found] < 0]
    if len(unknown):
        plain = task.binary and not task.remap
        values_shown = found if plain else unknown
        shown = ", ".join(map(str, values_shown[:6])) + (", ..." if len(values_shown) > 6 else "")
        if plain:
            raise DataError(f"{place}: holds the values {shown}; a mask holds 0 and 1, or 0 and 255")
        raise DataError(
            f"{place}: holds class index {shown}, but the task has {len(task.classes)} classes (0 to "
            f"{len(task.classes) - 1}); {MEND_LEGEND}"
        )
    result: NDArray[np.uint8] = table[values].astype(np.uint8)
    return result


def _from_colours(values: NDArray[np.uint8], mode: str, task: Task, place: str) -> NDArray[np.uint8]:
    _, named, rest = _targets(task)
    known = {colour: index for index, colour in enumerate(task.colours)} | named
    if not known:
        kind = "has a palette" if mode == "P" else "is in colours"
        raise DataError(
            f"{place}: {kind}, but the manifest's task has no legend; add colours to it, or convert the mask to "
            f"indices, see docs/your-data.md"
        )
    codes = (values.astype(np.int64) * (65536, 256, 1)).sum(-1)
    found, inverse = np.unique(codes, return_inverse=True)
    targets = np.array([known.get((code >> 16, code >> 8 & 255, code & 255), -1) for code in found.tolist()])
    if rest is not None:
        targets[targets < 0] = rest
    if (targets < 0).any():
        code = int(found[targets < 0][0])
        count = int((targets[inverse] < 0).sum())
        colour = f"{code >> 16},{code >> 8 & 255},{code & 255}"
        raise DataError(f"{place}: {count} pixels of colours outside the legend, such as {colour}; {MEND_LEGEND}")
    result: NDArray[np.uint8] = targets[inverse].reshape(codes.shape).astype(np.uint8)
    return result
