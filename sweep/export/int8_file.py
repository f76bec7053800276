"""ONNX whose convolutions and matrix products compute with bytes, by onnxruntime's static quantization."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.export.network import INPUT
from sweep.export.onnx_file import OnnxFile
from trainables.data.tiles import Tile
from trainables.errors import ExperimentError
from trainables.models.base import SegmentationModel
from trainables.windows import Side

MOST_WINDOWS = 64
"""Of train tiles, from which the ranges of activations are taken: spread evenly over all of them."""
QUANTIZED = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Concat", "MaxPool", "Resize")
"""Operators that compute with bytes; the others, the normalisation and ``kept_convolutions`` stay float32."""


class Int8File(OnnxFile):
    """A model as an ONNX graph of bytes; see ``ExportedFile``.

    Args:
        model: In evaluation mode, on the CPU.
        side: Fixed side of the input in pixels, or None.
        opset: The operator set.
        windows: (N, S, S) uint8 each: what it typically sees.

    Raises:
        ExperimentError: onnxruntime cannot quantize it.
    """

    def __init__(
        self, model: SegmentationModel, side: int | None, opset: int, windows: Sequence[NDArray[np.uint8]]
    ) -> None:
        super().__init__(model, side, opset)
        self._proto = _quantized(self._proto, windows)


def typical_windows(tiles: Sequence[Tile], window: int) -> list[NDArray[np.uint8]]:
    """Return (N, S, S) windows of tiles, at most 64, spread evenly over them; what is smaller is widened.

    Args:
        tiles: At least one.
        window: Side in pixels.
    """
    places = []
    for number, tile in enumerate(tiles):
        rows, columns = (Side.of(length, window).starts for length in tile.mask.shape)
        places += [(number, top, left) for top in rows for left in columns]
    chosen = np.unique(np.linspace(0, len(places) - 1, min(MOST_WINDOWS, len(places))).round().astype(int))
    return [_cut(tiles[number], top, left, window) for number, top, left in (places[one] for one in chosen)]


def _cut(tile: Tile, top: int, left: int, window: int) -> NDArray[np.uint8]:
    part = tile.image[top : top + window, left : left + window]
    missing = [(0, window - length) for length in part.shape[:2]]
    return np.ascontiguousarray(np.pad(part, (*missing, (0, 0)), mode="edge").transpose(2, 0, 1))


def kept_convolutions(proto: Any) -> list[str]:
    """Return the names of the convolutions that stay float32: the first, the last, and those that read one channel.

    Their ranges are far wider than others' (EfficientNet-Lite0's first one alone cost 0.1 of IoU), and they are few.

    Args:
        proto: An ONNX graph, sorted.
    """
    found = [node for node in proto.graph.node if node.op_type == "Conv"]
    grouped = [node for node in found if any(one.name == "group" and one.i > 1 for one in node.attribute)]
    return list(dict.fromkeys(node.name for node in (*found[:1], *grouped, *found[-1:])))


class _Reader:
    """Hands windows to onnxruntime, one at a time; the interface of its ``CalibrationDataReader``."""

    def __init__(self, windows: Sequence[NDArray[np.uint8]]) -> None:
        self._left: Iterator[NDArray[np.uint8]] = iter(windows)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        one = next(self._left, None)
        return None if one is None else {INPUT: one[None]}


def _quantized(proto: Any, windows: Sequence[NDArray[np.uint8]]) -> Any:
    """Return the graph with quantized operators."""
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(_Reader, quantization.CalibrationDataReader):  # type: ignore[misc]
        """The same, by inheritance."""

    level = logging.root.level
    logging.root.setLevel(logging.ERROR)  # it advises what is done here already
    try:
        with tempfile.TemporaryDirectory() as folder:
            plain, ready, done = (Path(folder) / f"{name}.onnx" for name in ("plain", "ready", "done"))
            onnx.save(proto, plain)
            quant_pre_process(plain, ready, skip_symbolic_shape=True)
            quantization.quantize_static(
                ready,
                done,
                Reader(windows),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=list(QUANTIZED),
                per_channel=True,
                nodes_to_exclude=kept_convolutions(onnx.load(ready)),
            )
            return onnx.load(done)
    except Exception as error:  # of many kinds, of its own and onnx's
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ExperimentError(f"--int8: onnxruntime cannot quantize this model ({reason}); leave it out") from error
    finally:
        logging.root.setLevel(level)
