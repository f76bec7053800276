"""Features of a fixed encoder: the same as without a cache, encoded once, bounded, and never stale."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.models import write_best
from trainables.checkpoints import load_best
from trainables.cross_validation import start_training
from trainables.data.tiles import TuningData
from trainables.features import CachedEncoder, FeatureCache
from trainables.fixed_encoder import FixedEncoder, forward_with
from trainables.locks import lock_file
from trainables.models import encoder_cache as kept
from trainables.models import sam
from trainables.models.fold_ensemble import FoldEnsemble
from trainables.models.registry import on_one_encoder
from trainables.models.sam_encoder import encode
from trainables.recipe import Recipe
from trainables.report import EpochReport
from trainables.scoring import forward_on
from trainables.training import Trainer

CPU = torch.device("cpu")


class _Counting:
    """An encoder that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, images: Tensor) -> list[list[Tensor]]:
        self.calls += 1
        return [[images.float().mean(1, keepdim=True), images.float()[..., ::2, ::2]], [images.float()]]


@pytest.fixture
def views() -> Tensor:
    return torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_a_view_is_encoded_once_and_comes_back_the_same(tmp_path: Path, views: Tensor) -> None:
    encode = _Counting()
    first = CachedEncoder(encode, ["weights"], CPU, FeatureCache(tmp_path))(views)
    again = CachedEncoder(encode, ["weights"], CPU, FeatureCache(tmp_path))(views.flip(0))  # another process, say
    assert encode.calls == 3
    assert all(torch.equal(a, b.flip(0)) for a, b in zip(first, again, strict=True))
    assert torch.equal(first[0], views.float().mean(1, keepdim=True))


def test_other_weights_and_other_pixels_are_other_features(tmp_path: Path, views: Tensor) -> None:
    encode, store = _Counting(), FeatureCache(tmp_path)
    CachedEncoder(encode, ["weights"], CPU, store)(views)
    CachedEncoder(encode, ["other weights"], CPU, store)(views)
    changed = views.clone()
    changed[:, 0, 5, 5] += 1
    CachedEncoder(encode, ["weights"], CPU, store)(changed)
    assert encode.calls == 9


def test_a_damaged_file_is_encoded_again(tmp_path: Path, views: Tensor) -> None:
    encode, store = _Counting(), FeatureCache(tmp_path)
    cached = CachedEncoder(encode, ["weights"], CPU, store)
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

    def missing(name: str) -> dict[str, list[Tensor]]:
        made.append(name)
        return {name: [tensor]}

    made: list[str] = []
    for number, name in enumerate("abc"):
        store.get(name, partial(missing, name))
        os.utime(tmp_path / f"{name}.safetensors", (number, number))
    store.get("a", partial(missing, "a"))  # used just now
    store.get("d", partial(missing, "d"))
    assert {path.stem for path in tmp_path.glob("*.safetensors")} == {"a", "c", "d"}
    assert len(made) == 4
    assert sum(path.stat().st_size for path in tmp_path.glob("*.safetensors")) <= 15_000


def test_features_that_never_fit_are_not_kept(tmp_path: Path) -> None:
    store = FeatureCache(tmp_path, limit_bytes=100)
    assert torch.equal(store.get("a", lambda: {"a": [torch.ones(1000)]})[0], torch.ones(1000))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path, views: Tensor) -> None:
    (tmp_path / "file").write_text("")
    encode = _Counting()
    cached = CachedEncoder(encode, ["weights"], CPU, FeatureCache(tmp_path / "file" / "features"))
    assert torch.equal(cached(views)[0], views.float().mean(1, keepdim=True))


def test_what_one_pass_gives_is_kept_for_whoever_asks_for_it_next(tmp_path: Path, views: Tensor) -> None:
    encode, store = _Counting(), FeatureCache(tmp_path)
    CachedEncoder(encode, ["weights", "weights, another kind"], CPU, store)(views)
    (found,) = CachedEncoder(encode, ["weights, another kind"], CPU, store)(views)
    assert torch.equal(found, views.float()) and encode.calls == 3


def test_processes_that_encode_the_same_views_share_the_work_and_do_not_wait(tmp_path: Path, views: Tensor) -> None:
    encode, store = _Counting(), FeatureCache(tmp_path)
    cached = CachedEncoder(encode, ["weights"], CPU, store)
    taken = tmp_path / f"{cached._keys(views[1])[0]}.lock"
    with lock_file(taken):  # by another process
        cached.fill(list(views))
    assert encode.calls == 2
    cached.fill(list(views))
    assert encode.calls == 3 and len(list(tmp_path.glob("*.safetensors"))) == 3
    assert len(cached(views)) == 2 and encode.calls == 3


def test_views_that_cannot_all_be_kept_are_not_encoded_ahead(tmp_path: Path, views: Tensor) -> None:
    encode = _Counting()
    CachedEncoder(encode, ["weights"], CPU, FeatureCache(tmp_path / "small", limit_bytes=15_000)).fill(list(views))
    assert encode.calls == 1, "two have room, three do not"
    CachedEncoder(encode, ["weights"], CPU, FeatureCache(tmp_path / "none", limit_bytes=100)).fill(list(views))
    assert encode.calls == 2


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


def test_rows_on_one_encoder_look_at_whole_val_tiles_once(
    write_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = TuningData.read(write_dataset(tmp_path / "patches", size=96))
    names = ("probe:sam_vit_b_conv", "sam_vit_b_conv", "sam_vit_b_unet")
    assert on_one_encoder(names[1], [*names, "unet", "probe:unet_bilinear"]) == sorted(names)
    assert not on_one_encoder("unet", names) and not on_one_encoder(names[0], names[:1])
    looked: list[int] = []
    monkeypatch.setattr(sam, "encode", lambda *given, **how: looked.append(len(given[1])) or encode(*given, **how))

    def finish(name: str, features: FeatureCache | None) -> tuple[list[float | None], int]:
        size = {"model_size": "tiny", "crop_size": 64, "validation_crop": 64, "draws_per_epoch": 4, "max_epochs": 1}
        recipe = Recipe(architecture=name, batch_size=2, **size)  # type: ignore[arg-type]
        trainer = start_training(recipe, data, (), CPU, features=features, beside=names)
        trainer.train_epoch()
        looked.clear()
        return [tile.iou for tile in trainer.finish()[0].tiles], sum(looked)

    store = FeatureCache(tmp_path / "features")
    alone = [finish(name, None) for name in names]
    assert [count for _, count in alone] == [4 * len(data.val)] * 3, "four windows of each tile"
    kept = [finish(name, store) for name in names]
    assert [count for _, count in kept] == [4 * len(data.val), 0, 0]
    for (one, _), (other, _) in zip(alone, kept, strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_models_of_folds_read_the_features_of_the_encoder_that_they_share(dataset: Path, tmp_path: Path) -> None:
    file = write_best(tmp_path / "f.safetensors", dataset, "sam_vit_b_unet", folds=(("t1",), ("t2", "t3")))
    model, _ = load_best(file)
    assert isinstance(model, FoldEnsemble)
    views = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    encoder = FixedEncoder.of(model, CPU, torch.float32, FeatureCache(tmp_path / "features"))
    assert encoder is not None and encoder.keeps
    forward = forward_with(model, encoder, CPU, torch.float32)
    torch.testing.assert_close(forward(views), forward_on(model, CPU, torch.float32)(views), atol=1e-5, rtol=0)
    trained, _ = load_best(write_best(tmp_path / "u.safetensors", dataset, "unet", folds=(("t1",), ("t2", "t3"))))
    assert FixedEncoder.of(trained, CPU, torch.float32, None) is None
