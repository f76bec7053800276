"""Files that compute with bytes: nearly the model's masks, or no file."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from sweep.export import production
from sweep.export.int8_file import MOST_WINDOWS, kept_convolutions, typical_windows
from sweep.export.parity import Parity
from tests.commands import assert_refused, run_here
from tests.conftest import WriteDataset
from tests.models import write_best
from tests.sweep.export.test_export import export, metadata_of
from trainables.checkpoints import load_best
from trainables.data.tiles import Tile, TuningData
from trainables.errors import ExperimentError
from trainables.metrics import score_mask
from trainables.windows import predict_by_windows


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "patches", size=96)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, patches: Path) -> Path:
    return write_best(tmp_path_factory.mktemp("trained") / "best.safetensors", patches, "unet")


def masks_of(forward: object, patches: Path) -> list[np.ndarray]:
    data = TuningData.read(patches)
    images = [torch.tensor(tile.image).permute(2, 0, 1) for tile in data.val]
    found = predict_by_windows(forward, images, window=64)  # type: ignore[arg-type]
    return [(logits[0] >= 0).numpy().astype(np.uint8) for logits in found]


def iou_of(masks: list[np.ndarray], patches: Path) -> float:
    data = TuningData.read(patches)
    scores = [score_mask("", mask, tile.mask, task=data.task).iou for mask, tile in zip(masks, data.val, strict=True)]
    return float(np.mean(scores))


def test_it_computes_with_bytes_and_its_iou_on_val_is_stated(file: Path, patches: Path, tmp_path: Path) -> None:
    done = run_here("export", "--model", file, "--patches", patches, "--int8", "--out", tmp_path / "small.onnx")
    assert done.returncode == 0, done.stderr
    plain = export(file, patches, tmp_path / "plain.onnx")
    small = tmp_path / "small.onnx"
    proto = onnx.load(small)
    onnx.checker.check_model(proto, full_check=True)
    kinds = [node.op_type for node in proto.graph.node]
    assert kinds.count("QuantizeLinear") > 10 and small.stat().st_size < 0.6 * plain.stat().st_size
    session, (model, _) = onnxruntime.InferenceSession(str(small)), load_best(file)
    small_masks = masks_of(lambda images: torch.from_numpy(session.run(None, {"image": images.numpy()})[0]), patches)
    masks = masks_of(lambda images: model(images.float() / 255).detach(), patches)
    theirs, ours = iou_of(small_masks, patches), iou_of(masks, patches)
    about = metadata_of(small)
    assert about["parity"]["iou_difference"] == pytest.approx(theirs - ours, abs=1e-6) and abs(theirs - ours) <= 0.01
    assert about["val"]["iou"] == pytest.approx(theirs, abs=1e-6)
    assert f"IoU difference {theirs - ours:+.4f}" in done.stdout and "opset 18, int8)" in done.stdout
    share = np.mean([one != other for one, other in zip(masks, small_masks, strict=True)])
    assert share > 0.001, "an untrained model's pixels, which few are sure of, do flip"
    assert about["parity"]["flipped_share"] == pytest.approx(share)
    assert f"pixels flip ({100 * share:.2g} %)" in done.stdout
    assert f", {100 * share:.2g} % of the pixels in another class." in (tmp_path / "small.onnx.md").read_text()
    assert about["precision"] == "int8" and metadata_of(plain)["precision"] == "float32"
    data = TuningData.read(patches)
    assert about["quantization"]["tiles"] == [tile.name for tile in data.train]
    sides = [dim.dim_param or dim.dim_value for dim in proto.graph.input[0].type.tensor_type.shape.dim]
    assert sides == ["batch", 3, "height", "width"]


def test_a_file_whose_masks_differ_is_refused(
    file: Path, patches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ranges of black windows, in which all that tiles hold is one value.
    monkeypatch.setattr(production, "typical_windows", lambda *_: [np.zeros((3, 64, 64), np.uint8)] * 2)
    done = run_here("export", "--model", file, "--patches", patches, "--int8", "--out", tmp_path / "m.onnx")
    assert_refused(done, "m.onnx: with --int8 its IoU on val differs from the model's by ")
    assert "at most 0.01 may be; nothing was written; leave --int8 out" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("difference, refused", [(0.01, False), (-0.0101, True), (float("nan"), True)])
def test_a_hundredth_of_iou_is_the_most(difference: float, refused: bool) -> None:
    parity = Parity(logit_difference=0.5, iou_difference=difference, flipped=9, pixels=100, tiles=1)
    if refused:
        with pytest.raises(ExperimentError, match="leave --int8 out"):
            parity.require("m.onnx", int8=True)
    else:
        parity.require("m.onnx", int8=True)


def test_test_tiles_are_not_read(file: Path, patches: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(patches, tmp_path / "patches"))
    shutil.rmtree(copy / "test")
    assert export(file, copy, tmp_path / "m.onnx", int8=True).is_file()


def test_ranges_come_from_windows_all_over_the_train_tiles() -> None:
    def tile(value: int, height: int, width: int) -> Tile:
        shape = (height, width)
        return Tile(name=str(value), image=np.full((*shape, 3), value, np.uint8), mask=np.zeros(shape, np.uint8))

    found = typical_windows([tile(1, 32, 50), tile(2, 64, 64)], 64)
    assert [one.shape for one in found] == [(3, 64, 64)] * 2 and [int(one.max()) for one in found] == [1, 2]
    assert all((one == one.max()).all() for one in found)  # what is missing repeats the edge
    many = typical_windows([tile(number, 512, 512) for number in range(24)], 64)
    assert len(many) == MOST_WINDOWS and {int(one.max()) for one in many} == set(range(24))


@pytest.mark.parametrize(
    "flags, said",
    [
        (("--format", "torch"), "--int8: belongs to plain ONNX, not to --format torch; leave one out"),
        (("--for", "deepness"), "--int8: belongs to plain ONNX, not to --for deepness; leave one out"),
    ],
)
def test_other_formats_have_no_bytes(flags: tuple[str, ...], said: str, file: Path, patches: Path) -> None:
    assert_refused(run_here("export", "--model", file, "--patches", patches, "--int8", *flags), said)


def test_first_last_and_depthwise_convolutions_stay_float32() -> None:
    """Their ranges are the widest: in bytes they cost EfficientNet-Lite0 a tenth of its IoU."""
    groups = {"first": 1, "wide": 1, "depthwise": 8, "middle": 1, "last": 1}
    nodes = [onnx.helper.make_node("Conv", ["x", "w"], ["y"], name=name, group=group) for name, group in groups.items()]
    nodes.insert(2, onnx.helper.make_node("Relu", ["y"], ["z"], name="relu"))
    graph = onnx.helper.make_graph(nodes, "g", [], [])
    assert kept_convolutions(onnx.helper.make_model(graph)) == ["first", "depthwise", "last"]
    alone = onnx.helper.make_graph(nodes[:1], "g", [], [])
    assert kept_convolutions(onnx.helper.make_model(alone)) == ["first"]
