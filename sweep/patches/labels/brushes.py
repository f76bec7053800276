"""Label Studio's brush: run lengths of the bits of an RGBA picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sweep.patches.labels.shapes import Runs
from sweep.patches.rasters.area import Area
from trainables.errors import DataError

BANDS = 4
"""Red, green, blue and alpha; what is not transparent was painted."""


def decode_brush(rle: object, size: tuple[int, int], place: str) -> Runs:
    """Decode a brush mask without making the picture.

    Args:
        rle: Bytes, as numbers from 0 to 255.
        size: Height and width of the image.
        place: What errors name.

    Raises:
        DataError: Damaged, or of an image of another size.

    Source: the run length packing of thi.ng/umbrella's ``rle-pack``: 32 bits say how many values follow, 5 how many
    bits each has, and four times 4 how many bits the lengths have that a token may choose of. A token is one bit (1 for
    one value many times, 0 for that many values), two that choose, the length, and the value or values.
    """
    try:
        bits = _Bits(bytes(rle if isinstance(rle, list) else ()))
        count, word = bits.read(32), bits.read(5) + 1
        if count != BANDS * size[0] * size[1] or word != 8:
            raise DataError(f"{place}: its brush mask is of an image of another size; export it again")
        lengths = [bits.read(4) + 1 for _ in range(4)]
        edges = _painted(bits, count, lengths)
    except (EOFError, TypeError, ValueError) as error:
        raise DataError(f"{place}: its brush mask is damaged; export it again") from error
    starts, stops = np.array(edges, np.int64).reshape(-1, 2).T
    return Runs(starts=starts, stops=stops, box=Area.whole(size), by_rows=True)


class _Bits:
    """Reads bits, the highest of each byte first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def read(self, count: int) -> int:
        start, self._place = self._place, self._place + count
        if self._place > 8 * len(self._data):
            raise EOFError
        part = int.from_bytes(self._data[start // 8 : -(-self._place // 8)])
        return part >> (-self._place % 8) & ((1 << count) - 1)


def _painted(bits: _Bits, count: int, lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Return where runs of pixels begin and stop whose alpha is not 0; alpha is each fourth value."""
    edges: list[tuple[int, int]] = []
    start = 0
    while start < count:
        same = bits.read(1)
        stop = start + 1 + bits.read(lengths[bits.read(2)])
        if stop > count:
            raise ValueError("more values than were announced")
        if not same:
            values: NDArray[np.uint8] = np.frombuffer(bits.read(8 * (stop - start)).to_bytes(stop - start), np.uint8)
            alphas = np.arange(start // BANDS, stop // BANDS)
            painted = alphas[values[alphas * BANDS + BANDS - 1 - start] > 0]
            edges += [(pixel, pixel + 1) for pixel in painted.tolist()]
        elif bits.read(8) and start // BANDS < stop // BANDS:
            edges.append((start // BANDS, stop // BANDS))
        start = stop
    return edges
