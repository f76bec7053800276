"""ONNX for the QGIS plugin Deepness: its input and output, and the metadata keys that it reads.

Source: https://github.com/PUTvision/qgis-plugin-deepness (``processing/models/model_base.py``, ``segmentor.py``): the
input's sides are fixed and equal, values are divided by 255, then by the standardisation; what is below the threshold
counts as nothing; one output channel is the foreground, of several the largest decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sweep.export.network import INPUT
from sweep.export.onnx_file import OnnxFile, open_session
from trainables.models.base import SegmentationModel
from trainables.scoring import Forward
from trainables.windows import OVERLAP

PROBABILITIES = "probabilities"
EDGE = 1e-3
"""Probabilities nearer to 0 or 1 are compared as this one: beyond it their digits do not tell logits apart."""


class DeepnessFile(OnnxFile):
    """A model for Deepness; see ``ExportedFile``.

    Args:
        model: In evaluation mode, on the CPU.
        side: Side of the input in pixels.
        opset: The operator set.
        metres: Per pixel of the tiles that were trained on; None where that is not known.
        temperature: Logits are divided by it.
    """

    output = PROBABILITIES

    def __init__(
        self, model: SegmentationModel, side: int, opset: int, metres: float | None, temperature: float
    ) -> None:
        self._side, self._metres = side, metres
        super().__init__(model, side, opset, deepness=True, temperature=temperature)

    def texts(self, metadata: Mapping[str, Any]) -> dict[str, str]:
        """Return what the file says of itself."""
        bands = len(metadata["input"]["bands"])
        names = metadata["classes"] if metadata["threshold"] is None else metadata["classes"][:2]
        values: dict[str, Any] = {
            "model_type": "Segmentor",
            "class_names": {str(index): name for index, name in enumerate(names)},
            "tile_size": self._side,
            "tiles_overlap": round(100 / OVERLAP),
            "standardization_mean": [0.0] * bands,
            "standardization_std": [1.0] * bands,
            "seg_thresh": metadata["threshold"] or 0.0,
            "seg_small_segment": 0,
        }
        if self._metres:
            values["resolution"] = round(100 * self._metres, 6)  # centimetres
        return {**super().texts(metadata), **{name: json.dumps(value) for name, value in values.items()}}

    def open(self, path: Path) -> Forward:
        """Open the file in onnxruntime on the CPU; gives logits, of probabilities away from 0 and 1."""
        session = open_session(path)

        def forward(images: Tensor) -> Tensor:
            found = session.run([PROBABILITIES], {INPUT: images.float().div(255).contiguous().numpy()})[0]
            return away_from_the_edge(torch.from_numpy(found))

        return forward


def away_from_the_edge(probabilities: Tensor) -> Tensor:
    """Return (B, C, H, W) logits of probabilities, those next to 0 and 1 as ``EDGE``; of classes their logarithms."""
    inner = probabilities.clamp(EDGE, 1 - EDGE)
    return inner.logit() if probabilities.shape[1] == 1 else inner.log()


def clamped(forward: Forward, temperature: float) -> Forward:
    """Return a forward pass whose logits are as ``away_from_the_edge`` gives them, for a comparison.

    Args:
        forward: The model's own.
        temperature: Its logits are divided by it.
    """

    def inner(images: Tensor) -> Tensor:
        logits = forward(images) / temperature
        return away_from_the_edge(logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(1))

    return inner
