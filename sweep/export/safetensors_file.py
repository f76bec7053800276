"""All of a model's tensors, for tilesweep itself on machines that lack the pretrained weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from sweep.results.exported import EXPORT_KEY
from trainables.checkpoints import BestWeights, dump_best, load_best
from trainables.models.base import SegmentationModel
from trainables.scoring import Forward, forward_on


class SafetensorsFile:
    """A model as a complete best-weights file, a fixed encoder included; see ``ExportedFile``.

    Args:
        model: On the CPU.
        best: What its weights file says of itself. The path of the pretrained file is left out.
    """

    def __init__(self, model: SegmentationModel, best: BestWeights) -> None:
        self._tensors = model.complete_state_dict()
        self._best = replace(best, encoder_sha256="", weights=replace(best.weights, path=""))

    def write(self, path: Path, metadata: Mapping[str, Any]) -> None:
        """Write the file; the metadata as JSON under ``tilesweep.export``, beside what ``load_best`` reads."""
        path.write_bytes(dump_best(self._tensors, self._best, {EXPORT_KEY: json.dumps(metadata)}))

    def open(self, path: Path) -> Forward:
        """Rebuild the model from the file alone."""
        model, _ = load_best(path)
        return forward_on(model, torch.device("cpu"), torch.float32)
