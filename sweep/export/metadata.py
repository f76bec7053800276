"""What an exported file says of itself: how to use it, how good it is, and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from sweep import __version__
from sweep.export.network import FEWEST_CELLS, INPUT, OUTPUT
from sweep.export.parity import Parity
from sweep.records.calibrations import CalibrationShape
from sweep.results.layout import Layout
from sweep.results.statistics import mean_interval
from sweep.results.trained_models import TrainedModel
from trainables.calibration import Calibration
from trainables.checkpoints import BestWeights
from trainables.data.imagery import Imagery, band_list
from trainables.data.tiles import Tile, TuningData
from trainables.models.registry import get_architecture
from trainables.windows import GRID, OVERLAP

FORMAT = 1
OUT_OF_FOLD = "out-of-fold: each tile by the model of the fold that left it out"
OF_FOLDS = f"{OUT_OF_FOLD}, since this model was trained on all tiles"
THRESHOLD = 0.5
"""The metric's, and the default of whoever uses the file without ``--calibrated``; classes have none."""


def describe(
    chosen: TrainedModel,
    best: BestWeights,
    data: TuningData,
    *,
    side: int | None,
    opset: int | None,
    deepness: bool = False,
    calibration: CalibrationShape | None = None,
) -> dict[str, Any]:
    """Return all that is known before the file is compared with its model."""
    height, width = ("height", "width") if side is None else (side, side)
    task = best.task
    found: dict[str, Any] = {
        "format": FORMAT,
        "name": chosen.name,
        "architecture": best.recipe.architecture,
        "title": chosen.title or get_architecture(best.recipe.architecture).title,
        "task": task.kind,
        "classes": list(task.classes),
        "colours": [list(colour) for colour in task.shown_colours],
        "input": {
            "name": INPUT,
            "dtype": "uint8",
            "shape": ["batch", len(best.imagery.bands), height, width],
            "meaning": f"{_meaning(best.imagery)}, not normalised: that is done inside",
            "bands": list(best.imagery.bands),
            "scale": best.imagery.to_dict()["scale"],
        },
        "output": {
            "name": OUTPUT,
            "dtype": "float32",
            "shape": ["batch", task.channels, height, width],
            "meaning": "logit of the foreground's probability: 1 / (1 + exp(-logit))"
            if task.binary
            else "one logit per class: the largest decides, softmax gives probabilities",
        },
        "size": {"fixed": side, "multiple_of": GRID, "smallest": side or GRID * FEWEST_CELLS},
        "windows": {
            "side": side or best.recipe.crop_size,
            "grid": GRID,
            "overlap": 1 / OVERLAP,
            "fade": "raised cosine over the middle half of each overlap, of logits",
        },
        "threshold": THRESHOLD if task.binary else None,
        "temperature": 1.0,
        "precision": "float32",
        "fold": chosen.fold,
        "folds": len(best.folds),
        "refit": best.refit,
        "epoch": best.epoch,
        "fold_epochs": list(best.fold_epochs),
        "recipe": best.recipe.to_dict(),
        "weights": {
            "encoder_started_from": best.weights.label,
            "sha256": best.weights.sha256,
            "licence": best.weights.licence,
        },
        "data": {
            "name": data.name,
            "train_tiles": len(data.train),
            "val_tiles": len(data.val),
            "fingerprint": data.fingerprint,
            "licence": data.sheet.get("licence", "not stated"),
            "sheet": dict(data.sheet),
        },
        "opset": opset,
        "versions": {"tilesweep": __version__, "torch": version("torch")} | _onnx_version(opset),
    }
    if deepness:
        found["input"] |= {"dtype": "float32", "meaning": f"{_meaning(best.imagery)}, divided by 255"}
        meaning = "probability of the foreground" if task.binary else "a probability per class: the largest decides"
        found["output"] |= {"name": "probabilities", "meaning": meaning}
    if calibration is not None:
        found |= {"temperature": calibration["temperature"], "threshold": calibration["threshold"]}
        found["calibration"] = dict(calibration)
        if not deepness and "not_applied" not in calibration:
            found["output"]["meaning"] += "; divide logits by the temperature first"
    return found


def _meaning(imagery: Imagery) -> str:
    """Say what the input's numbers are."""
    bands = band_list(imagery.bands)
    if imagery.scale is None:
        return f"{bands} from 0 to 255"
    return f"{bands} from 0 to 255, which are the two values of each band's scale in the imagery, clipped and rounded"


def measured(
    calibration: Calibration,
    parity: Parity,
    best: BestWeights,
    unseen: Sequence[str],
    layout: Layout,
    *,
    refit: bool = False,
) -> dict[str, Any]:
    """Return what the comparison found, to be added to what ``describe`` returned.

    Args:
        calibration: What probabilities of unseen tiles are worth.
        parity: How the file compares with its model.
        best: What the weights file of the model that was calibrated says of itself.
        unseen: Names of the tiles that were counted for the calibration, in that order.
        layout: Which of them belong together.
        refit: Whether that is not the model in the file, which was trained on all tiles.
    """
    interval = mean_interval(np.array([calibration.tile_ious]), layout=layout)
    return {
        "val": {
            "measured": OF_FOLDS if refit else OUT_OF_FOLD if best.folds else "on the val split",
            "tiles": list(unseen),
            "iou": calibration.iou_at_half,
            "iou_interval": [interval.low, interval.high],
            "best_threshold": calibration.threshold,
            "iou_at_best_threshold": calibration.iou,
            "expected_calibration_error": calibration.calibration_error,
        },
        "parity": {
            "with": f"the model in PyTorch {torch.__version__} on the CPU, float32, on {parity.tiles} whole tiles",
            "largest_logit_difference": parity.logit_difference,
            "iou_difference": parity.iou_difference,
            "flipped_pixels": parity.flipped,
            "flipped_share": parity.flipped_share,
            "pixels": parity.pixels,
        },
    }


def quantized(train: Sequence[Tile], windows: int) -> dict[str, Any]:
    """Return what is said of a file that computes with bytes.

    Args:
        train: The tiles from which ranges were taken.
        windows: How many windows of them.
    """
    return {
        "precision": "int8",
        "quantization": {
            "by": f"onnxruntime {version('onnxruntime')}, static, QDQ",
            "weights": "int8 per channel",
            "activations": "int8 by their least and largest values",
            "float32": "the first, the last and the depthwise convolutions",
            "ranges_from": "the train split",
            "tiles": [tile.name for tile in train],
            "windows": windows,
        },
    }


def _onnx_version(opset: int | None) -> dict[str, str]:
    return {} if opset is None else {"onnx": version("onnx"), "onnxruntime": version("onnxruntime")}
