"""Views of other bands than RGB alone: what moves pixels moves them all, what is about colour acts on the three."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from trainables.augment.device import augment_batch
from trainables.augment.host import augment
from trainables.augment.parameters import Sampler, ViewParameters
from trainables.data.crops import pad

SIDE = 128
MOVING = ("symmetry", "affine", "displacement", "holes")
COLOUR = [field.name for field in fields(ViewParameters) if field.name not in MOVING]
PLAIN = ViewParameters()
Image = NDArray[np.uint8]


def _view(bands: int) -> tuple[Image, Image]:
    random = np.random.default_rng(3)
    coarse = random.integers(30, 220, (SIDE // 16, SIDE // 16, bands), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    return coarse + random.integers(0, 6, coarse.shape, dtype=np.uint8), (coarse[..., 0] > 120).astype(np.uint8)


def _drawn(field: str) -> list[ViewParameters]:
    """A few views in which one operation acts alone."""
    sample = Sampler("EXTREME")
    views = [replace(PLAIN, **{field: getattr(sample(seed, SIDE), field)}) for seed in range(60)]
    return [one for one in views if repr(one) != repr(PLAIN)][:4]


def _on_device(image: Image, mask: Image, view: ViewParameters, *, colours: bool = True) -> tuple[Image, Image]:
    images, masks = augment_batch(
        torch.from_numpy(image.copy()).permute(2, 0, 1)[None],
        torch.from_numpy(mask)[None, None],
        [view],
        colours=colours,
    )
    return images[0].permute(1, 2, 0).numpy(), masks[0, 0].numpy()


WAYS = pytest.mark.parametrize("way", [augment, _on_device], ids=["host", "device"])


@WAYS
@pytest.mark.parametrize("field", COLOUR)
def test_what_is_about_colour_leaves_near_infrared_untouched_bit_for_bit(way, field: str) -> None:
    image, mask = _view(4)
    changed = 0
    for view in _drawn(field):
        found, _ = way(image, mask, view)
        assert np.array_equal(found[..., 3], image[..., 3])
        assert np.array_equal(found[..., :3], way(np.ascontiguousarray(image[..., :3]), mask, view)[0])
        changed += not np.array_equal(found, image)
    assert changed >= 3


@WAYS
@pytest.mark.parametrize("bands", [1, 2, 4, 5, 8])
@pytest.mark.parametrize("field", MOVING)
def test_what_moves_pixels_moves_each_band_as_if_it_were_alone(way, field: str, bands: int) -> None:
    image, mask = _view(bands)
    for view in _drawn(field):
        found, found_mask = way(image, mask, view, colours=False)
        assert found.shape == image.shape and found.dtype == np.uint8
        for band in range(bands):
            grey = np.repeat(image[..., band : band + 1], 3, axis=2)
            alone, alone_mask = way(grey, mask, view)
            difference = np.abs(found[..., band].astype(int) - alone[..., 0]).max()
            assert difference <= (4 if bands == 2 else 0)  # OpenCV rounds two bands in another way
            assert np.array_equal(found_mask, alone_mask)


@WAYS
def test_without_red_green_and_blue_no_colour_changes(way) -> None:
    sample = Sampler("EXTREME")
    for bands in (1, 3, 4):
        image, mask = _view(bands)
        for seed in range(12):
            view = sample(seed, SIDE)
            moved = replace(PLAIN, **{field: getattr(view, field) for field in MOVING})
            assert np.array_equal(way(image, mask, view, colours=False)[0], way(image, mask, moved, colours=False)[0])


def test_a_fourth_band_changes_nothing_about_the_other_three() -> None:
    sample = Sampler("EXTREME")
    image, mask = _view(4)
    for seed in range(40):
        wide, narrow = (augment(one, mask, sample(seed, SIDE)) for one in (image, np.ascontiguousarray(image[..., :3])))
        assert np.array_equal(wide[0][..., :3], narrow[0]) and np.array_equal(wide[1], narrow[1])


def test_host_and_device_agree_on_four_bands() -> None:
    sample = Sampler("MEDIUM")
    image, mask = _view(4)
    for seed in range(12):
        host, device = augment(image, mask, sample(seed, SIDE)), _on_device(image, mask, sample(seed, SIDE))
        assert np.abs(host[0].astype(int) - device[0]).mean() < 1.1
        assert (host[1] != device[1]).mean() < 0.004


@pytest.mark.parametrize("bands", [1, 3, 4, 7])
def test_smaller_tiles_are_padded_in_all_bands(bands: int) -> None:
    image, mask = _view(bands)
    found, labels = pad(image[:96, :64], mask[:96, :64], SIDE)
    assert found.shape == (SIDE, SIDE, bands) and (labels[96:] == 255).all() and (labels[:, 64:] == 255).all()
    assert np.array_equal(found[:96, :64], image[:96, :64]) and np.array_equal(found[96], found[94])
