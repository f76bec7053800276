"""Probes: fitted in closed form, and right where the answer is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from search_spaces.probes import probes_of, refuse_probes
from trainables.checkpoints import BestWeights, dump_best, load_best
from trainables.cross_validation import start_training
from trainables.data.folds import Fold
from trainables.data.tiles import Tile, TuningData
from trainables.errors import RecipeError
from trainables.features import FeatureCache
from trainables.models.base import encoder_fingerprint
from trainables.models.probe import ProbeModel
from trainables.models.registry import ARCHITECTURES, build_model, described, get_architecture
from trainables.models.weights import Weights
from trainables.probes.deciding import decide
from trainables.probes.density import fit_density
from trainables.probes.ridge import PENALTIES, fit_ridge
from trainables.probes.samples import Samples, at_places, draw_samples
from trainables.recipe import Recipe, decided_by
from trainables.scoring import scale
from trainables.task import IGNORE_INDEX, Task

CPU = torch.device("cpu")
TINY = Recipe(architecture="probe:smp_unet_resnet34", model_size="tiny", crop_size=64, draws_per_epoch=8, max_epochs=1)
RANDOM = Weights(kind="random", needs="imagenet-resnet34")


def _tiles(count: int, first: int = 0, classes: int = 2) -> tuple[Tile, ...]:
    """Squares on noise, one brighter than the other: a pixel's colour says its class."""
    tiles = []
    for number in range(first, first + count):
        random = np.random.default_rng(number)
        image = random.integers(0, 60, (96, 96, 3), dtype=np.uint8)
        mask = np.zeros((96, 96), dtype=np.uint8)
        for one in range(1, classes):
            top, left = random.integers(0, 60, 2)
            mask[top : top + 30, left : left + 30] = one
            image[mask == one] = image[mask == one] // 4 + np.uint8(90 * one)
        tiles.append(Tile(name=f"t{number}", image=image, mask=mask))
    return tuple(tiles)


def _data(classes: int = 2) -> TuningData:
    task = Task() if classes == 2 else Task(classes=("land", "roof", "road"), kind="multiclass")
    train = _tiles(4, classes=classes)
    scenes = {tile.name: f"scene{number // 2}" for number, tile in enumerate(train)}
    return TuningData(
        train=train,
        val=_tiles(2, 10, classes),
        name="squares",
        synthetic=True,
        fingerprint="f",
        scenes=scenes,
        task=task,
    )


@pytest.mark.parametrize("method", ["", "ridge/", "density/"])
def test_what_a_colour_tells_is_found_without_a_gradient(method: str) -> None:
    recipe = TINY.replace(architecture=f"probe:{method}smp_unet_resnet34")
    training = start_training(recipe, _data(), (), CPU, RANDOM)
    training.after_step = lambda: pytest.fail("an optimizer step was taken")
    report = training.train_epoch()
    assert report.val_iou > 0.9
    assert training.finished and training.epoch == 1
    (said,) = training.memory_news()
    assert "2 groups of scenes" in said and ("density" if method == "density/" else "") in said
    assert training.finish()[0].iou == pytest.approx(report.val_iou)


@pytest.mark.parametrize("method", ["ridge/", "density/"])
def test_several_classes(method: str) -> None:
    recipe = TINY.replace(architecture=f"probe:{method}smp_unet_resnet34")
    data = _data(3)
    assert start_training(recipe, data, (), CPU, RANDOM).train_epoch().val_iou > 0.7
    without = replace(data, train=tuple(replace(one, mask=one.mask.clip(max=1)) for one in data.train))
    training = start_training(recipe, without, (), CPU, RANDOM)
    training.train_epoch()
    assert any("no train tile shows road" in line for line in training.memory_news())
    shown = {int(value) for one in training.preview(2) for value in np.unique(one.predicted)}
    assert shown <= {0, 1}


def test_val_has_no_part_in_what_is_chosen() -> None:
    data = _data()
    other = replace(data, val=tuple(replace(one, mask=1 - one.mask) for one in data.val))
    states = []
    for one in (data, other):
        training = start_training(TINY, one, (), CPU, RANDOM)
        training.train_epoch()
        states.append(training.best_state)
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_features_of_a_pixel_are_those_of_bilinear_interpolation() -> None:
    maps = [torch.rand(1, 3, 64, 96), torch.rand(1, 5, 16, 24), torch.rand(1, 2, 2, 3)]
    places = torch.arange(64 * 96)[::7]
    whole = torch.cat([F.interpolate(one, (64, 96), mode="bilinear", align_corners=False) for one in maps], dim=1)
    torch.testing.assert_close(at_places(maps, places, (64, 96)), whole[0].flatten(1).T[places])


@pytest.mark.parametrize("method", ["ridge", "density"])
def test_the_model_computes_what_was_fitted(method: str) -> None:
    torch.manual_seed(0)
    model = build_model(TINY, RANDOM).eval()
    assert isinstance(model, ProbeModel)

    def levels(image: torch.Tensor) -> list[torch.Tensor]:
        scaled = scale(image, CPU)
        return model.levels(scaled, model.encode(scaled))

    samples = draw_samples(_tiles(3), {}, Task(), levels, window=64, windows=9, seed=1)
    fitted = fit_ridge(samples, 1) if method == "ridge" else fit_density(samples, 1, seed=1)
    model.take(fitted)
    image = torch.tensor(_tiles(1)[0].image).permute(2, 0, 1)[None, :, :64, :64]
    features = at_places(levels(image), torch.arange(64 * 64), (64, 64))
    linear = features @ fitted.weight.T + fitted.bias
    if not isinstance(fitted, type(fit_ridge(samples, 1))):
        each = torch.einsum("nr,ckr->nck", F.normalize(linear, dim=1), fitted.prototypes) + fitted.log_weights
        linear = (each.logsumexp(-1)[:, 1] - each.logsumexp(-1)[:, 0])[:, None]
    wanted = (linear[:, 0] + fitted.decision.offset) / fitted.decision.temperature
    with torch.no_grad():
        found = model(scale(image, CPU)).flatten()
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)


def _samples(count: int = 300, depth: int = 4) -> Samples:
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(count, depth, generator=generator) * torch.tensor([1.0, 10.0, 0.1, 3.0]) + 5
    classes = (features[:, 0] - 5 + 0.3 * torch.randn(count, generator=generator) > 0.4).long()
    return Samples(
        features=features,
        classes=classes,
        weights=torch.rand(count, generator=generator) + 1,
        groups=torch.arange(count) % 3,
        grouped_by="scenes",
    )


def test_ridge_is_the_solution_of_the_normal_equations() -> None:
    samples = _samples()
    fitted = fit_ridge(samples, 1)
    assert fitted.penalty in PENALTIES
    x, w = samples.features.double().numpy(), samples.weights.double().numpy()
    y = (samples.classes == 1).double().numpy()
    mean = w @ x / w.sum()
    spread = np.sqrt(w @ (x - mean) ** 2 / w.sum())
    z = (x - mean) / spread
    solution = np.linalg.solve(
        (z * w[:, None]).T @ z / w.sum() + fitted.penalty * np.eye(4),
        (z * w[:, None]).T @ (y - w @ y / w.sum()) / w.sum(),
    )
    np.testing.assert_allclose(fitted.weight[0].numpy(), solution / spread, rtol=1e-3, atol=1e-5)
    scores = x @ fitted.weight[0].numpy() + fitted.bias.numpy()
    assert w @ scores / w.sum() == pytest.approx(w @ y / w.sum(), abs=1e-4)


def test_the_threshold_has_the_highest_mean_iou_of_groups() -> None:
    samples = _samples()
    scores = samples.features[:, :1]
    decision = decide(scores, samples, torch.zeros(1))

    def iou(threshold: float) -> float:
        found = []
        for group in range(3):
            here = samples.groups == group
            predicted, truth, weights = scores[here, 0] >= threshold, samples.classes[here] == 1, samples.weights[here]
            found.append(float((weights * (predicted & truth)).sum() / (weights * (predicted | truth)).sum()))
        return float(np.mean(found))

    assert decision.iou == pytest.approx(iou(-float(decision.offset)), abs=1e-6)
    assert decision.iou >= max(iou(one) for one in np.linspace(3, 8, 50)) - 0.01


def test_a_scene_without_foreground_does_not_move_the_threshold() -> None:
    samples = _samples()
    empty = torch.full((1000,), 3)
    more = replace(
        samples,
        features=torch.cat([samples.features, 5 + 0.5 * torch.randn(1000, 4)]),
        classes=torch.cat([samples.classes, torch.zeros(1000, dtype=torch.int64)]),
        weights=torch.cat([samples.weights, torch.ones(1000)]),
        groups=torch.cat([samples.groups, empty]),
    )
    alone = decide(samples.features[:, :1], samples, torch.zeros(1))
    both = decide(more.features[:, :1], more, torch.zeros(1))
    assert float(both.offset) == pytest.approx(float(alone.offset), abs=0.1)


def test_rare_classes_are_drawn_and_weights_make_up_for_it() -> None:
    mask = np.zeros((128, 128), dtype=np.uint8)
    mask[:4, :4], mask[64:, :] = 1, IGNORE_INDEX
    tile = Tile(name="a", image=np.zeros((128, 128, 3), dtype=np.uint8), mask=mask)
    samples = draw_samples(
        [tile], {}, Task(ignores=True), lambda image: [torch.zeros(1, 2**11, 4, 4)], window=128, windows=1, seed=0
    )
    assert len(samples.classes) < 17_000
    assert int((samples.classes == 1).sum()) == 16
    assert float(samples.weights[samples.classes == 1].sum()) == 16
    assert float(samples.weights.sum()) == pytest.approx(64 * 128, rel=1e-5)
    assert samples.grouped_by == "parts of the only tile" and samples.number_of_groups == 2


def test_tiles_of_one_scene_are_left_out_one_by_one() -> None:
    tiles = _tiles(7)
    levels = lambda image: [image[:, :, ::4, ::4].float()]  # noqa: E731
    one = draw_samples(tiles, {tile.name: "same" for tile in tiles}, Task(), levels, window=64, windows=7, seed=0)
    assert one.grouped_by == "tiles" and one.number_of_groups == 5


def test_it_resumes_and_comes_back_from_its_file(tmp_path: Path) -> None:
    training = start_training(TINY, _data(), (), CPU, RANDOM)
    training.train_epoch()
    again = start_training(TINY, _data(), (), CPU, RANDOM)
    again.load_state_dict(training.state_dict())
    assert again.finished and again.trainable_parameters == training.trainable_parameters > 100
    assert again.finish()[0].iou == training.finish()[0].iou
    best = BestWeights(
        recipe=TINY,
        weights=RANDOM,
        epoch=1,
        val_iou=0.5,
        data_fingerprint="f",
        encoder_sha256=encoder_fingerprint(training.model),
    )
    file = tmp_path / "best.safetensors"
    file.write_bytes(dump_best(training.best_state, best))
    assert file.stat().st_size < 200_000  # the encoder is not in it
    loaded, _ = load_best(file)
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(loaded.eval()(image), training.model.eval()(image), rtol=1e-4, atol=1e-3)


def test_folds_and_a_training_on_all_tiles() -> None:
    data = _data().pooled()
    folds = tuple(Fold(val=tuple(tile.name for tile in data.val if int(tile.name[1:]) % 2 == one)) for one in (0, 1))
    training = start_training(TINY, data, folds, CPU, RANDOM)
    assert training.train_epoch().val_iou > 0.9
    assert training.finished and len(training.finish()[0].tiles) == 6
    refit = start_training(TINY, data, (), CPU, RANDOM, rates=[0.0])
    refit.train_epoch()
    assert refit.finished and refit.best_state


def test_features_are_computed_once_for_all_probes_and_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, data = FeatureCache(tmp_path), _data()
    start_training(TINY, data, (), CPU, RANDOM, features=cache).train_epoch()
    monkeypatch.setattr(ProbeModel, "encode", lambda *_: pytest.fail("encoded again"))
    fewer, recipe = data.only(["t0", "t2"]), TINY.replace(draws_per_epoch=4)
    start_training(
        recipe.replace(architecture="probe:density/smp_unet_resnet34"), fewer, (), CPU, RANDOM, features=cache
    ).train_epoch()


def test_a_probe_on_sam_reads_the_features_of_the_decoder_with_skips() -> None:
    probe = build_model(TINY.replace(architecture="probe:sam_vit_b_conv"), Weights(kind="random", needs="sam-vit-b"))
    skips = build_model(TINY.replace(architecture="sam_vit_b_unet"), Weights(kind="random", needs="sam-vit-b"))
    assert isinstance(probe, ProbeModel)
    assert probe.features_key == getattr(skips, "features_key", None)
    assert probe.encoder is skips.encoder


def test_names_and_what_belongs_to_them() -> None:
    names = ("unet", "smp_unet_resnet34", "smp_deeplabv3plus_resnet34", "sam_vit_b_conv", "sam_vit_b_unet")
    assert probes_of(names) == ("probe:smp_unet_resnet34", "probe:sam_vit_b_conv")
    assert probes_of(("probe:density/resnet34_unet", *names)) == ("probe:sam_vit_b_conv",)
    entry = get_architecture("probe:ridge/smp:Unet/tu-test_efficientnet")
    assert entry.title == "Ridge probe on tu-test_efficientnet" and described(entry.name) == entry
    assert decided_by(TINY, "learning_rate") is None and decided_by(TINY, "crop_size") == 64
    with pytest.raises(RecipeError, match="unet has no encoder to probe"):
        get_architecture("probe:unet")
    with pytest.raises(RecipeError, match="has no recipe to search"):
        refuse_probes(["unet", "probe:smp_unet_resnet34"])


def test_an_encoder_without_maps_of_features_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "flat.py"
    file.write_text(
        "from torch import nn\n\n\nclass Flat(nn.Module):\n"
        "    def __init__(self, channels):\n        super().__init__()\n"
        "        self.encoder = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
        "        self.head = nn.Conv2d(3, channels, 1)\n\n    def forward(self, x):\n        return self.head(x)\n\n\n"
        "def build(recipe, channels):\n    return Flat(channels)\n"
    )
    from trainables.models.registry import trust_typed

    trust_typed([f"{file}:build"])
    with pytest.raises(RecipeError, match="gives no maps of features"):
        build_model(TINY.replace(architecture=f"probe:{file}:build"), Weights(kind="none"))


WITH_ENCODER = [name for name, entry in ARCHITECTURES.items() if entry.needs != "none" and not entry.missing]


@pytest.mark.parametrize("host", [*WITH_ENCODER, "smp:UPerNet/tu-convnext_tiny", "smp:Segformer/mit_b0"])
def test_every_encoder_can_be_probed(host: str) -> None:
    entry = get_architecture(f"probe:{host}")
    recipe = TINY.replace(architecture=entry.name)
    model = build_model(recipe, Weights(kind="random", needs=entry.needs), 3).eval()
    assert isinstance(model, ProbeModel)
    assert not any(value.requires_grad for value in model.encoder.parameters())
    with torch.no_grad():
        assert model(torch.rand(2, 3, 96, 64)).shape == (2, 3, 96, 64)
    assert len(model.ridge.parts) > 1 and entry.title.startswith("Probe on ")
    held = sum(value.numel() * value.element_size() for value in model.portable_state_dict().values())
    assert held <= entry.checkpoint_bytes("tiny")
