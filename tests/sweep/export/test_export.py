"""Every architecture in every format: the same logits, all that is needed inside, and nothing left of a failure."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor

from sweep.cli.console import open_output
from sweep.export.command import ExportOptions, main
from sweep.export.formats import ENDINGS, OPSETS
from sweep.export.network import ExportNetwork
from sweep.export.onnx_file import OnnxFile
from tests.conftest import SHARED, WriteDataset
from tests.models import TINY, write_best
from trainables.checkpoints import load_best
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError, TilesweepError
from trainables.losses.base import loss_of
from trainables.models.encoder_cache import release
from trainables.models.registry import ARCHITECTURES
from trainables.models.resolving import resolve
from trainables.models.sam_encoder import build_encoder
from trainables.models.weights import Weights
from trainables.scoring import score_split

SAM = "sam_vit_b_unet"


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "patches", size=96)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, patches: Path) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("trained")

    def file(name: str) -> Path:
        path = folder / f"{name}.safetensors"
        return path if path.exists() else write_best(path, patches, name)

    return file


def export(model: Path, patches: Path, out: Path, name: str = "onnx", **options: Any) -> Path:
    # pytest listens to this logger, so torch composes a record of every step of a trace: twice the time.
    logging.getLogger("torch.__trace").handlers.clear()
    chosen = ExportOptions(model=str(model), patches=patches, format=name, out=out, **options)  # type: ignore[arg-type]
    assert main(chosen, open_output()) == 0
    return out


def run_onnx(path: Path, images: Tensor) -> Tensor:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["logits"], {"image": images.numpy()})[0])


def run_torch(path: Path, images: Tensor) -> Tensor:
    logits: Tensor = torch.export.load(path).module()(images)
    return logits.detach()


def run_safetensors(path: Path, images: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = load_best(path)[0](images.float() / 255)
    return logits


RUN = {"onnx": run_onnx, "torch": run_torch, "safetensors": run_safetensors}


def metadata_of(path: Path) -> dict[str, Any]:
    if path.suffix == ".onnx":
        text = onnxruntime.InferenceSession(str(path)).get_modelmeta().custom_metadata_map["tilesweep"]
    elif path.suffix == ".pt2":
        extra = {"tilesweep": ""}
        torch.export.load(path, extra_files=extra)
        text = extra["tilesweep"]
    else:
        with safe_open(path, framework="pt") as file:
            text = file.metadata()["tilesweep.export"]
    found: dict[str, Any] = json.loads(text)
    return found


def noise(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(7))


QUICK = {("unet", "onnx"), ("smp_deeplabv3plus_resnet34", "onnx"), ("unet", "torch")}
"""Graphs that every run of the tests traces, which takes seconds each; the others are for ``make test-all``."""


def _when(architecture: str, name: str) -> list[pytest.MarkDecorator]:
    if name == "safetensors" or (architecture, name) in QUICK:
        return []
    return [pytest.mark.packaging if architecture == SAM else pytest.mark.slow]  # SAM's takes half a minute


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        pytest.param(*one.values, name, marks=[*one.marks, *_when(*one.values, name)])
        for one in TINY
        for name in ENDINGS
    ],
)
def test_the_file_gives_the_model_s_logits_and_describes_itself(
    architecture: str, name: str, trained: Callable[[str], Path], patches: Path, tmp_path: Path
) -> None:
    file = trained(architecture)
    out = export(file, patches, tmp_path / f"model{ENDINGS[name]}", name)  # type: ignore[index]
    model, best = load_best(file)
    free = ARCHITECTURES[architecture].track == "cnn" and "upernet" not in architecture
    fixed = None if free else 64
    for shape in ((1, 3, 64, 64), (3, 3, 64, 64)) if fixed else ((1, 3, 64, 64), (3, 3, 64, 160)):
        images = noise(*shape)
        with torch.no_grad():
            expected = model(images.float() / 255)
        assert expected.std() > 1e-3  # not one value everywhere
        torch.testing.assert_close(RUN[name](out, images), expected, atol=1e-4, rtol=0)

    found = metadata_of(out)
    data = TuningData.read(patches)
    assert (found["architecture"], found["classes"]) == (architecture, ["background", "foreground"])
    assert found["size"] == {"fixed": fixed, "multiple_of": 32, "smallest": 64} and found["windows"]["side"] == 64
    assert found["input"]["dtype"] == "uint8" and found["output"]["name"] == "logits"
    assert found["recipe"] == best.recipe.to_dict() and found["threshold"] == 0.5
    assert found["data"]["fingerprint"] == data.fingerprint
    assert found["val"]["tiles"] == [tile.name for tile in data.val]
    assert found["parity"]["largest_logit_difference"] < 1e-3 and found["parity"]["pixels"] == 2 * 96 * 96
    assert found["opset"] == (18 if name == "onnx" else None)
    assert sorted(tmp_path.iterdir()) == [out, *(out.with_name(out.name + end) for end in (".md", ".stac.json"))]


@pytest.mark.parametrize("name", ENDINGS)
def test_a_model_trained_with_deep_supervision_is_exported_without_what_only_its_loss_looked_at(
    name: str, patches: Path, tmp_path: Path
) -> None:
    file = write_best(tmp_path / "deep.safetensors", patches, "unet", deep_supervision=0.5)
    out = export(file, patches, tmp_path / f"model{ENDINGS[name]}", name)  # type: ignore[arg-type]
    model, best = load_best(file)
    images = noise(2, 3, 64, 96)
    with torch.no_grad():
        expected = model(images.float() / 255)
    assert model.auxiliary == best.recipe.deep_supervision == 0.5 and expected.std() > 1e-3
    torch.testing.assert_close(RUN[name](out, images), expected, atol=1e-4, rtol=0)
    if name == "onnx":
        graph = onnx.load(out).graph
        assert [one.name for one in graph.output] == ["logits"]
        assert not [one.name for one in graph.initializer if "stage_heads" in one.name]


def test_the_val_iou_is_the_score_of_the_trial(trained: Callable[[str], Path], patches: Path, tmp_path: Path) -> None:
    out = export(trained("smp_unet_resnet34"), patches, tmp_path / "m.safetensors", "safetensors")
    model, best = load_best(trained("smp_unet_resnet34"))
    forward = lambda images: model(images.float() / 255).detach()  # noqa: E731
    data = TuningData.read(patches)
    score = score_split(
        model, forward, data.val, best.recipe, loss_of(best.recipe, data.task, data.train), batch_size=4
    )
    val = metadata_of(out)["val"]
    assert val["iou"] == pytest.approx(score.iou, abs=1e-9)
    assert val["iou_at_best_threshold"] >= val["iou"] and 0 < val["best_threshold"] < 1


def test_onnx_names_its_sides_and_tells_viewers_the_main_things(
    trained: Callable[[str], Path], patches: Path, tmp_path: Path
) -> None:
    proto = onnx.load(export(trained("unet"), patches, tmp_path / "m.onnx"))
    onnx.checker.check_model(proto, full_check=True)
    sides = [dim.dim_param or dim.dim_value for dim in proto.graph.input[0].type.tensor_type.shape.dim]
    assert sides == ["batch", 3, "height", "width"]
    props = {entry.key: entry.value for entry in proto.metadata_props}
    assert props["architecture"] == "unet" and props["licence_of_weights"].startswith("none: from scratch")


def test_a_size_can_be_fixed_also_beyond_the_tiles(
    trained: Callable[[str], Path], patches: Path, tmp_path: Path
) -> None:
    out = export(trained("unet"), patches, tmp_path / "m.onnx", size=128)
    assert run_onnx(out, noise(2, 3, 128, 128)).shape == (2, 1, 128, 128)
    with pytest.raises(Exception, match="dimensions"):
        run_onnx(out, noise(2, 3, 64, 64))
    assert metadata_of(out)["windows"]["side"] == 128


@pytest.mark.slow
@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("architecture", ["unet", "smp_deeplabv3plus_resnet34", SAM])
def test_every_stated_opset_works(
    architecture: str, opset: int, trained: Callable[[str], Path], patches: Path, tmp_path: Path
) -> None:
    out = export(trained(architecture), patches, tmp_path / "m.onnx", opset=opset)
    assert {entry.version for entry in onnx.load(out).opset_import if not entry.domain} == {opset}
    assert metadata_of(out)["opset"] == opset


@pytest.mark.parametrize("name", ["onnx", "torch"])
def test_a_file_that_differs_from_the_model_is_not_given_out(
    name: str, trained: Callable[[str], Path], patches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = ExportNetwork.forward
    monkeypatch.setattr(ExportNetwork, "forward", lambda self, image: right(self, image) + 0.002)
    with pytest.raises(ExperimentError, match=r"differs from the model \(largest logit difference 0.002"):
        export(trained("unet"), patches, tmp_path / f"m{ENDINGS[name]}", name)  # type: ignore[index]
    assert not list(tmp_path.iterdir())


def test_a_file_that_changed_after_the_comparison_is_not_given_out(
    trained: Callable[[str], Path], patches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = OnnxFile.write

    def spoil(self: OnnxFile, path: Path, metadata: dict[str, Any]) -> None:
        write(self, path, metadata)
        if metadata:
            proto = onnx.load(path)
            weights = next(one for one in proto.graph.initializer if len(one.dims) == 4)
            weights.raw_data = (onnx.numpy_helper.to_array(weights) * np.float32(1.1)).tobytes()
            onnx.save(proto, path)

    monkeypatch.setattr(OnnxFile, "write", spoil)
    with pytest.raises(ExperimentError, match="differs from what was compared"):
        export(trained("unet"), patches, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_other_data_than_the_model_s_is_refused(
    trained: Callable[[str], Path], tmp_path: Path, write_dataset: WriteDataset
) -> None:
    other = write_dataset(tmp_path / "other", train=2, size=96)
    with pytest.raises(TilesweepError, match="--patches: other is not the data"):
        export(trained("unet"), other, tmp_path / "m.onnx")
    assert not list(tmp_path.glob("*m.*"))


@pytest.fixture
def sam_file(tmp_path: Path) -> Iterator[Path]:
    """A file with the names and shapes of the real SAM ViT-B checkpoint's image encoder, and random values."""
    torch.manual_seed(5)
    tensors = build_encoder(Weights(kind="random"), tiny=False).state_dict()
    path = tmp_path / "sam.pth"
    torch.save({f"image_encoder.{name}": tensor for name, tensor in tensors.items()}, path)
    yield path
    release()


def test_a_complete_file_needs_no_sam_file(sam_file: Path, patches: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(sam_file.read_bytes()).hexdigest()
    weights = resolve("sam-vit-b", "pretrained", sam_checkpoint=sam_file, sam_sha256=digest)
    file = write_best(tmp_path / "best.safetensors", patches, "sam_vit_b_conv", weights, model_size="full")
    expected = run_safetensors(file, noise(1, 3, 64, 64))
    out = export(file, patches, tmp_path / "m.safetensors", "safetensors")
    sam_file.unlink()
    release()
    assert torch.equal(run_safetensors(out, noise(1, 3, 64, 64)), expected)
    found = metadata_of(out)["weights"]
    assert found == {"encoder_started_from": "SAM", "sha256": digest, "licence": "Apache-2.0 (Segment Anything)"}
    with pytest.raises(TilesweepError):
        load_best(file)  # the trial's own file does need it


@pytest.mark.skipif(not (SHARED / "dubai").is_dir(), reason="real tiles are not here")
def test_a_model_of_a_real_size_is_the_same_on_real_tiles(tmp_path: Path) -> None:
    patches = tmp_path / "patches"
    for split, scene in (("train", "tile4"), ("val", "tile2")):
        for number in (1, 2):
            image = Image.open(SHARED / "dubai" / scene / "images" / f"image_part_00{number}.jpg").convert("RGB")
            mask = Image.open(SHARED / "dubai" / scene / "masks" / f"image_part_00{number}.png").convert("RGB")
            roofs = (np.asarray(mask) == (60, 16, 152)).all(axis=2)
            assert roofs.any()
            for kind, picture in (("images", image), ("masks", Image.fromarray(roofs))):
                (patches / split / kind).mkdir(parents=True, exist_ok=True)
                picture.crop((0, 0, 320, 320)).save(patches / split / kind / f"{scene}_{number}.png")
    lite0 = "smp_unet_efficientnet_lite0"
    weights = resolve(ARCHITECTURES[lite0].needs, "available")
    model = write_best(tmp_path / "m.safetensors", patches, lite0, weights, model_size="full", crop_size=256)
    about = metadata_of(export(model, patches, tmp_path / "m.onnx"))
    assert about["size"]["fixed"] == 256
    assert about["parity"]["largest_logit_difference"] < 1e-3 and about["parity"]["pixels"] == 2 * 320 * 320
    assert about["weights"]["licence"].startswith("Apache-2.0")
