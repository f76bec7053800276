"""A file for the QGIS plugin Deepness: read as the plugin reads one, it gives the map that ``predict`` gives.

``Plugin`` does what the plugin's ``model_base.py``, ``segmentor.py``, ``map_processor_segmentation.py`` and
``tile_params.py`` do, written from their description: metadata as JSON, tiles from the upper left corner with a stride,
black beyond the raster, values over 255, standardised, below the threshold nothing, and of each tile the middle.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import rasterio
from numpy.typing import NDArray

from sweep.cli.console import open_output
from sweep.export.command import ExportOptions, main
from sweep.predict.command import PredictOptions
from sweep.predict.command import main as predict
from tests.conftest import WriteDataset
from tests.e2e.maps import scene
from tests.models import write_best
from tests.rasters import write_tif
from trainables.errors import ExperimentError


class Plugin:
    """The plugin's read path."""

    def __init__(self, path: Path) -> None:
        self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        (self._input,), (self._output,) = self._session.get_inputs(), self._session.get_outputs()
        texts = self._session.get_modelmeta().custom_metadata_map
        self.said: dict[str, Any] = {name: json.loads(texts[name]) for name in texts if name in KEYS}
        assert self._input.shape[2] == self._input.shape[3] == self.said["tile_size"], "fixed and square"
        assert self._output.shape[2] == self._output.shape[3] and len(self._output.shape) == 4

    def mask(self, image: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Predict (H, W, C) bytes; returns (H, W) classes."""
        side = self.said["tile_size"]
        stride = round(side * (100 - self.said["tiles_overlap"]) / 100)
        margin = (side - stride) // 2
        height, width = image.shape[:2]
        down, across = (max(1, -(-(length - side) // stride) + 1) for length in (height, width))
        padded = np.zeros(((down - 1) * stride + side, (across - 1) * stride + side, image.shape[2]), np.uint8)
        padded[:height, :width] = image
        found = np.zeros(padded.shape[:2], np.int64)
        for row in range(down):
            for column in range(across):
                top, left = row * stride, column * stride
                classes = self._tile(padded[top : top + side, left : left + side])
                rows = slice(0 if row == 0 else margin, side if row == down - 1 else side - margin)
                columns = slice(0 if column == 0 else margin, side if column == across - 1 else side - margin)
                place = (slice(top + rows.start, top + rows.stop), slice(left + columns.start, left + columns.stop))
                found[place] = classes[rows, columns]
        return found[:height, :width]

    def _tile(self, tile: NDArray[np.uint8]) -> NDArray[np.int64]:
        values = np.float32(tile[None, :, :, : self._input.shape[1]] * 1.0 / 255.0)
        values = (values - np.float32(self.said["standardization_mean"])) / np.float32(self.said["standardization_std"])
        batch = np.ascontiguousarray(values.transpose(0, 3, 1, 2), dtype=np.float32)
        result = self._session.run(None, {self._input.name: batch})[0]
        result[result < self.said["seg_thresh"]] = 0.0
        return (result[0, 0] != 0).astype(np.int64) if result.shape[1] == 1 else result[0].argmax(axis=0)


KEYS = (
    *("model_type", "class_names", "resolution", "tile_size", "tiles_overlap"),
    *("standardization_mean", "standardization_std", "seg_thresh", "seg_small_segment"),
)


def _export(model: Path, patches: Path, out: Path, **more: Any) -> Path:
    options = ExportOptions(model=str(model), patches=patches, out=out, for_program="deepness", **more)
    assert main(options, open_output()) == 0
    return out


def _predicted(model: Path, raster: Path, out: Path) -> NDArray[np.uint8]:
    options = PredictOptions(inputs=(str(raster),), model=str(model), out=out, device="cpu")
    assert predict(options, open_output(options)) == 0
    with rasterio.open(out / f"{raster.stem}_mask.tif") as file:
        mask: NDArray[np.uint8] = file.read(1)
    return mask


def test_the_plugin_finds_what_predict_finds(tmp_path: Path, write_dataset: WriteDataset) -> None:
    patches = write_dataset(tmp_path / "patches", size=96)
    model = write_best(tmp_path / "unet.safetensors", patches, "unet")
    plugin = Plugin(_export(model, patches, tmp_path / "unet.onnx"))
    assert plugin.said["model_type"] == "Segmentor" and plugin.said["seg_thresh"] == 0.5
    assert plugin.said["class_names"] == {"0": "background", "1": "foreground"}
    side = plugin.said["tile_size"]
    image = scene(side, side)
    ours = _predicted(model, write_tif(tmp_path / "one.tif", image), tmp_path / "one")
    assert 0 < (ours == 1).mean() < 1, "both classes, or the comparison says nothing"
    assert (plugin.mask(image) == ours).mean() >= 0.9999, "one window: the same to a rounding"


@pytest.mark.parametrize("fault", [{"format": "torch"}, {"format": "safetensors"}])
def test_another_format_is_refused(tmp_path: Path, fault: dict[str, Any]) -> None:
    with pytest.raises(ExperimentError, match="--for deepness: reads ONNX; leave --format"):
        main(ExportOptions(model="x", for_program="deepness", **fault), open_output())
