"""What every format of an exported model can do, and which one a name stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from trainables.errors import ExperimentError

if TYPE_CHECKING:
    from trainables.checkpoints import BestWeights
    from trainables.models.base import SegmentationModel
    from trainables.scoring import Forward

Format = Literal["onnx", "torch", "safetensors"]

ENDINGS: Mapping[Format, str] = {"onnx": ".onnx", "torch": ".pt2", "safetensors": ".safetensors"}
OPSETS = range(18, 24)
"""ONNX operator sets that torch writes and onnxruntime reads: each tried with convolutional models, the first and the
last with SAM. Below 18 torch's converter fails on some models and silently stays at 18; onnxruntime 1.22 reads up to
23."""
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
"""What ``--format onnx`` needs."""


class ExportedFile(Protocol):
    """A model on its way into a file of one format."""

    def write(self, path: Path, metadata: Mapping[str, Any]) -> None:
        """Write the file, the metadata inside; an OSError where that fails."""

    def open(self, path: Path) -> Forward:
        """Open what ``write`` wrote, as another program would; maps (B, 3, S, S) uint8 to (B, C, S, S) logits."""


def check_format(name: Format, opset: int | None) -> int | None:
    """Refuse what cannot be written, before any long work.

    Args:
        name: The format.
        opset: ``--opset``; None for the lowest that works, which most programs read.

    Returns:
        The ONNX operator set; None for another format.

    Raises:
        ExperimentError: A package is missing, or the operator set is none that works.
    """
    if name != "onnx":
        if opset is not None:
            raise ExperimentError(f"--opset {opset}: belongs to --format onnx, not {name}; leave it out")
        return None
    if opset is not None and opset not in OPSETS:
        raise ExperimentError(f"--opset {opset}: {OPSETS[0]} to {OPSETS[-1]} work; choose one of them")
    if missing := [package for package in PACKAGES if find_spec(package) is None]:
        raise ExperimentError(
            f"--format onnx: needs the package {missing[0]}; install it with: pip install 'tilesweep[export]'"
        )
    return opset or OPSETS[0]


def prepare(
    name: Format,
    model: SegmentationModel,
    best: BestWeights,
    *,
    side: int | None,
    opset: int | None,
    deepness: bool = False,
    metres: float | None = None,
    temperature: float = 1.0,
    windows: Sequence[NDArray[np.uint8]] = (),
) -> ExportedFile:
    """Bring a model into a format; for graphs this is the long part.

    Args:
        name: The format.
        model: In evaluation mode, on the CPU.
        best: What its weights file says of itself.
        side: Fixed side of the input in pixels, or None.
        opset: ONNX operator set; None for another format.
        deepness: ONNX as the QGIS plugin Deepness reads it; ``side`` is not None.
        metres: Per pixel of the tiles that were trained on; None where that is not known.
        temperature: Divides the logits of which a file for Deepness makes probabilities.
        windows: (N, S, S) uint8 of which an ONNX graph of bytes takes its ranges; none is one of float32.
    """
    if deepness:
        from sweep.export.deepness_file import DeepnessFile

        assert side is not None and opset is not None
        return DeepnessFile(model, side, opset, metres, temperature)
    if windows:
        from sweep.export.int8_file import Int8File

        assert opset is not None
        return Int8File(model, side, opset, windows)
    module = import_module(f"sweep.export.{name}_file")
    if name == "safetensors":
        file: ExportedFile = module.SafetensorsFile(model, best)
    elif name == "torch":
        file = module.TorchFile(model, side)
    else:
        file = module.OnnxFile(model, side, opset)
    return file
