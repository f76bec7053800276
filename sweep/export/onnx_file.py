"""ONNX, for onnxruntime and everything else that reads it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sweep.export.network import INPUT, OUTPUT, capture
from trainables.errors import ExperimentError
from trainables.models.base import SegmentationModel
from trainables.scoring import Forward


class OnnxFile:
    """A model as an ONNX graph; see ``ExportedFile``.

    Args:
        model: In evaluation mode, on the CPU.
        side: Fixed side of the input in pixels, or None.
        opset: The operator set.
        deepness: As ``DeepnessNetwork``.
        temperature: Likewise.

    Raises:
        ExperimentError: The graph cannot be brought into that operator set.
    """

    output = OUTPUT

    def __init__(
        self,
        model: SegmentationModel,
        side: int | None,
        opset: int,
        *,
        deepness: bool = False,
        temperature: float = 1.0,
    ) -> None:
        program = capture(model, side, deepness=deepness, temperature=temperature)
        logging.getLogger("onnxscript").setLevel(logging.ERROR)
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        with redirect_stdout(StringIO()):  # its progress
            exported = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=opset,
                input_names=[INPUT],
                output_names=[self.output],
                verbose=False,
            )
        assert exported is not None
        self._proto = exported.model_proto
        written = {entry.domain: entry.version for entry in self._proto.opset_import}[""]
        if written != opset:
            raise ExperimentError(
                f"--opset {opset}: this model can only be written as {written}; say --opset {written}"
            )
        self._name_sides(side)

    def _name_sides(self, side: int | None) -> None:
        """Call the free sides what they are; torch numbers its symbols."""
        graph = self._proto.graph
        del graph.value_info[:]  # shapes inside, in those symbols; readers infer them
        for value in (*graph.input, *graph.output):
            dims = value.type.tensor_type.shape.dim
            for place, name in enumerate(("batch", None, "height", "width")):
                if name and (side is None or name == "batch"):
                    dims[place].dim_param = name

    def write(self, path: Path, metadata: Mapping[str, Any]) -> None:
        """Write the file; the metadata as JSON under ``tilesweep``, and what people look for under keys of its own."""
        import onnx

        texts = {"tilesweep": json.dumps(metadata), **(self.texts(metadata) if metadata else {})}
        onnx.helper.set_model_props(self._proto, texts)
        self._proto.producer_name = "tilesweep"
        onnx.save(self._proto, path)

    def texts(self, metadata: Mapping[str, Any]) -> dict[str, str]:
        """Return some of the metadata as plain texts, which viewers such as Netron list."""
        return _plain(metadata)

    def open(self, path: Path) -> Forward:
        """Open the file in onnxruntime on the CPU."""
        session = open_session(path)

        def forward(images: Tensor) -> Tensor:
            return torch.from_numpy(session.run([OUTPUT], {INPUT: images.contiguous().numpy()})[0])

        return forward


def open_session(path: Path) -> Any:
    """Open a file in onnxruntime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _plain(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return some of the metadata as plain texts, which viewers such as Netron list."""
    val = metadata["val"]
    return {
        "name": metadata["name"],
        "architecture": metadata["architecture"],
        "classes": ", ".join(metadata["classes"]),
        "threshold": str(metadata["threshold"]),
        "val_iou": str(val["iou"]),
        "val_iou_measured": val["measured"],
        "best_threshold": str(val["best_threshold"]),
        "licence_of_weights": metadata["weights"]["licence"],
        "licence_of_data": metadata["data"]["licence"],
    }
