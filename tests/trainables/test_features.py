"""Features of a fixed encoder: the same as without a cache, encoded once, bounded, and never stale."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from trainables.data.tiles import TuningData
from trainables.features import CachedEncoder, FeatureCache
from trainables.models import encoder_cache as kept
from trainables.recipe import Recipe
from trainables.report import EpochReport
from trainables.training import Trainer

CPU = torch.device("cpu")


class _Counting:
    """An encoder that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, images: Tensor) -> list[Tensor]:
        self.calls += 1
        return [images.float().mean(1, keepdim=True), images.float()[..., ::2, ::2]]


@pytest.fixture
def views() -> Tensor:
    return torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_a_view_is_encoded_once_and_comes_back_the_same(tmp_path: Path, views: Tensor) -> None:
    encode = _Counting()
    first = CachedEncoder(encode, "weights", CPU, FeatureCache(tmp_path))(views)
    again = CachedEncoder(encode, "weights", CPU, FeatureCache(tmp_path))(views.flip(0))  # another process, say
    assert encode.calls == 3
    assert all(torch.equal(a, b.flip(0)) for a, b in zip(first, again, strict=True))
    assert torch.equal(first[0], views.float().mean(1, keepdim=True))


def test_other_weights_and_other_pixels_are_other_features(tmp_path: Path, views: Tensor) -> None:
    encode, store = _Counting(), FeatureCache(tmp_path)
    CachedEncoder(encode, "weights", CPU, store)(views)
    CachedEncoder(encode, "other weights", CPU, store)(views)
    changed = views.clone()
    changed[:, 0, 5, 5] += 1
    CachedEncoder(encode, "weights", CPU, store)(changed)
    assert encode.calls == 9


def test_a_damaged_file_is_encoded_again(tmp_path: Path, views: Tensor) -> None:
    encode, store = _Counting(), FeatureCache(tmp_path)
    cached = CachedEncoder(encode, "weights", CPU, store)
    expected = cached(views)
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:100])
    assert all(torch.equal(a, b) for a, b in zip(expected, cached(views), strict=True))
    assert encode.calls == 6
    cached(views)
    assert encode.calls == 6


def test_the_cache_is_bounded_and_forgets_what_was_used_longest_ago(tmp_path: Path) -> None:
    tensor = torch.zeros(1000)
    store = FeatureCache(tmp_path, limit_bytes=15_000)  # three of 4 kB and their headers

    def missing() -> list[Tensor]:
        made.append(True)
        return [tensor]

    made: list[bool] = []
    for number, name in enumerate("abc"):
        store.get(name, missing)
        os.utime(tmp_path / f"{name}.safetensors", (number, number))
    store.get("a", missing)  # used just now
    store.get("d", missing)
    assert {path.stem for path in tmp_path.glob("*.safetensors")} == {"a", "c", "d"}
    assert len(made) == 4
    assert sum(path.stat().st_size for path in tmp_path.glob("*.safetensors")) <= 15_000


def test_features_that_never_fit_are_not_kept(tmp_path: Path) -> None:
    store = FeatureCache(tmp_path, limit_bytes=100)
    assert torch.equal(store.get("a", lambda: [torch.ones(1000)])[0], torch.ones(1000))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path, views: Tensor) -> None:
    (tmp_path / "file").write_text("")
    encode = _Counting()
    cached = CachedEncoder(encode, "weights", CPU, FeatureCache(tmp_path / "file" / "features"))
    assert torch.equal(cached(views)[0], views.float().mean(1, keepdim=True))


def _train(data: TuningData, recipe: Recipe, features: FeatureCache | None) -> tuple[EpochReport, int]:
    trainer = Trainer(recipe, data, CPU, features=features)
    encoded = 0

    def count(module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal encoded
        encoded += len(inputs[0])

    assert trainer.model.encoder is not None
    patches = next(trainer.model.encoder.children())
    handle = patches.register_forward_pre_hook(count)
    result = [trainer.train_epoch() for _ in range(2)][-1]
    handle.remove()
    return result, encoded


@pytest.mark.parametrize("architecture", ["sam_vit_b_conv", "sam_vit_b_unet"])
def test_a_training_with_kept_features_is_the_same_and_encodes_each_view_once(
    write_dataset: Callable[..., Path], tmp_path: Path, architecture: str
) -> None:
    data = TuningData.read(write_dataset(tmp_path / "patches", size=64))
    recipe = Recipe(
        architecture=architecture,
        model_size="tiny",
        crop_size=64,
        augmentation="LIGHT",
        draws_per_epoch=12,
        batch_size=2,
        max_epochs=2,
    )
    plain, every_time = _train(data, recipe, None)
    store = FeatureCache(tmp_path / "features")
    first, once = _train(data, recipe, store)
    again, never = _train(data, recipe.replace(learning_rate=1e-3), store)
    assert first.train_loss == pytest.approx(plain.train_loss, rel=1e-4)
    assert first.val_iou == pytest.approx(plain.val_iou, abs=1e-3)
    assert every_time == 2 * (12 + len(data.val))
    assert once <= 8 * len(data.train) + len(data.val)
    assert never == 0, "the next trial of the sweep finds all of them"
    assert again.val_loss == first.val_loss


def test_only_views_that_come_again_are_kept_in_training(write_dataset: Callable[..., Path], tmp_path: Path) -> None:
    data = TuningData.read(write_dataset(tmp_path / "patches", size=64))
    recipe = Recipe(architecture="sam_vit_b_conv", model_size="tiny", crop_size=64, draws_per_epoch=8, max_epochs=2)
    _train(data, recipe, FeatureCache(tmp_path / "features"))
    assert len(list((tmp_path / "features").glob("*.safetensors"))) == len(data.val)


def test_trials_share_one_encoder_and_others_let_go_of_it(dataset: Path) -> None:
    data = TuningData.read(dataset)
    recipe = Recipe(architecture="sam_vit_b_conv", model_size="tiny", crop_size=64)
    first = Trainer(recipe, data, CPU).model
    second = Trainer(recipe.replace(architecture="sam_vit_b_unet", learning_rate=1e-3), data, CPU).model
    assert first.encoder is second.encoder
    assert Trainer(recipe.replace(seed=1), data, CPU).model.encoder is not first.encoder, "random, by another seed"
    kept.release()
    assert Trainer(recipe, data, CPU).model.encoder is not first.encoder
