"""Masks: files of indices, of a palette or of colours become class indices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.errors import DataError
from trainables.task import IGNORE, IGNORE_INDEX, Task, parse_value
from trainables.wording import counted

FIX_LEGEND = "name it in the task (colours or remap), or correct the mask"


def has_legend(task: Task) -> bool:
    """Whether a task says what colours mean; if not, the values under a palette are indices."""
    return bool(task.colours) or any(isinstance(parse_value(text), tuple) for text in task.remap)


def classify(picture: Image.Image, task: Task, place: str, *, empty_is_fault: bool = True) -> NDArray[np.uint8]:
    """Turn a decoded mask file into class indices.

    A grey file holds indices. The colours of a palette and of an RGB file are looked up in the task's legend. Without
    one, a palette's indices count, and those of an RGB file that is grey. The task's remapping goes first in both. A
    binary file may also hold 0 and 255.

    Args:
        picture: A mask: grey, 1-bit, with a palette, or RGB.
        task: What its values mean.
        place: The file's name, for errors.
        empty_is_fault: Whether some pixel must count, as in a tile.

    Returns:
        (H, W) uint8: class indices, and 255 for pixels that do not count.

    Raises:
        DataError: Another kind of picture, a colour or an index that the task does not know, or no pixel that counts.
    """
    pixels = np.asarray(picture)
    if picture.mode in ("L", "1") or (picture.mode == "P" and not has_legend(task)):
        mask = _from_indices(pixels.astype(np.uint8, copy=False), task, place)
    elif picture.mode == "RGB" and not has_legend(task) and (pixels == pixels[..., :1]).all():
        mask = _from_indices(np.ascontiguousarray(pixels[..., 0]), task, place)
    elif picture.mode in ("P", "RGB"):
        mask = _from_colours(np.asarray(picture.convert("RGB")), task, place)
    else:
        kind = {"RGBA": "RGB with alpha", "LA": "grey with alpha"}.get(picture.mode, picture.mode)
        raise DataError(f"{place}: is {kind}, not a mask; save it as 8-bit indices or as RGB without alpha")
    if empty_is_fault and task.ignores_pixels and (mask == IGNORE_INDEX).all():
        raise DataError(f"{place}: all pixels are ignored; label some, or remove the tile")
    return mask


def count_values(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count how often each of the 256 values occurs in (H, W) uint8; Pillow needs a byte per pixel, numpy eight."""
    return np.array(Image.fromarray(np.ascontiguousarray(values)).histogram(), np.int64)


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
        elif isinstance(value, str):
            raise DataError(
                f"task: remap of {value!r} is for labels that have names; of masks give an index (3), a colour "
                f"(155,155,155) or *"
            )
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
    found = np.flatnonzero(count_values(values))
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
            f"{len(task.classes) - 1}); {FIX_LEGEND}"
        )
    looked_up = Image.fromarray(np.ascontiguousarray(values)).point(table.astype(np.uint8).tolist())
    return np.asarray(looked_up)


def _from_colours(values: NDArray[np.uint8], task: Task, place: str) -> NDArray[np.uint8]:
    _, named, rest = _targets(task)
    known = {colour: index for index, colour in enumerate(task.colours)} | named
    if not known:
        raise DataError(
            f"{place}: is in colours, but the task has no legend; add colours to it, or convert the mask to indices, "
            f"see docs/your-data.md"
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
        raise DataError(
            f"{place}: {counted(count, 'pixel')} of colours outside the legend, such as {colour}; {FIX_LEGEND}"
        )
    result: NDArray[np.uint8] = targets[inverse].reshape(codes.shape).astype(np.uint8)
    return result
