"""PyTorch's own exported program, ``.pt2``: opens without tilesweep's code and without pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sweep.export.network import capture
from trainables.models.base import SegmentationModel
from trainables.scoring import Forward

METADATA = "tilesweep"


class TorchFile:
    """A model as an exported program; see ``ExportedFile``.

    Args:
        model: In evaluation mode, on the CPU.
        side: Fixed side of the input in pixels, or None.
    """

    def __init__(self, model: SegmentationModel, side: int | None) -> None:
        self._program = capture(model, side)

    def write(self, path: Path, metadata: Mapping[str, Any]) -> None:
        """Write the file; the metadata as JSON in the extra file ``tilesweep``."""
        torch.export.save(self._program, path, extra_files={METADATA: json.dumps(metadata)})

    def open(self, path: Path) -> Forward:
        """Open the file on the CPU."""
        module = torch.export.load(path).module()

        def forward(images: Tensor) -> Tensor:
            with torch.no_grad():
                logits: Tensor = module(images)
            return logits

        return forward
