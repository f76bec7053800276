"""The same drawn parameters, three times: albumentations, OpenCV and torch make the same view of them."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.augment import by_albumentations, by_opencv
from trainables.augment.device import augment_batch
from trainables.augment.host import augment
from trainables.augment.parameters import Sampler, ViewParameters
from trainables.augment.presets import PRESETS

SIDE = 128
TOLERANCES = {
    # Field: mean difference of a byte, and share of pixels that differ by more than 4.
    "symmetry": (0.0, 0.0),
    "affine": (0.1, 0.0),
    "contrast": (0.01, 0.0),
    "hsv": (1.0, 0.02),
    "shadows": (2.0, 0.03),  # pixels on the outlines
    "gamma": (0.01, 0.0),
    "clahe": (1.2, 0.02),
    "jpeg": (2.5, 0.15),  # decoders blend the halved chroma differently
    "displacement": (0.1, 0.0),
    "holes": (0.0, 0.0),
    "fog": (0.3, 0.0),
}


def _view() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A smooth scene with edges, as photographs are."""
    random = np.random.default_rng(3)
    coarse = random.integers(30, 220, (SIDE // 16, SIDE // 16, 3)).repeat(16, 0).repeat(16, 1).astype(float)
    slope = np.linspace(-20, 20, SIDE)[:, None, None]
    image = np.clip(coarse + slope + random.normal(0, 3, coarse.shape), 0, 255).astype(np.uint8)
    return image, (coarse[..., 0] > 120).astype(np.uint8)


def _on_device(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], views: list[ViewParameters]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images = torch.from_numpy(np.stack([image] * len(views))).permute(0, 3, 1, 2)
    masks = torch.from_numpy(np.stack([mask] * len(views)))[:, None]
    new_images, new_masks = augment_batch(images, masks, views)
    assert new_images.dtype == new_masks.dtype == torch.uint8
    assert new_images.is_contiguous(memory_format=torch.channels_last)
    return new_images.permute(0, 2, 3, 1).numpy(), new_masks[:, 0].numpy()


@pytest.mark.parametrize("field", [field.name for field in fields(ViewParameters)])
def test_each_operation_is_the_host_s(field: str) -> None:
    image, mask = _view()
    sample = Sampler("EXTREME")
    plain = ViewParameters()
    drawn = [replace(plain, **{field: getattr(sample(seed, SIDE), field)}) for seed in range(60)]
    views = [one for one in drawn if repr(one) != repr(plain)][:6]
    assert len(views) >= 4
    mean, share = TOLERANCES[field]
    images, masks = _on_device(image, mask, views)
    for view, ours, our_mask in zip(views, images, masks, strict=True):
        expected, expected_mask = augment(image, mask, view)
        difference = np.abs(ours.astype(int) - expected)
        assert difference.mean() <= mean and (difference > 4).mean() <= share
        assert (our_mask != expected_mask).mean() < 0.004
        assert set(np.unique(our_mask)) <= {0, 1}


def test_a_batch_does_not_mix_its_views() -> None:
    image, mask = _view()
    sample = Sampler("EXTREME")
    views = [sample(seed, SIDE) for seed in range(12)]
    together, masks = _on_device(image, mask, views)
    for view, ours, our_mask in zip(views, together, masks, strict=True):
        alone, alone_mask = _on_device(image, mask, [view])
        assert np.abs(alone[0].astype(int) - ours).max() <= 1 and np.array_equal(alone_mask[0], our_mask)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_host_makes_of_the_same_seed_what_albumentations_makes(preset: str) -> None:
    image, mask = _view()
    host, reference, sample = by_opencv(preset), by_albumentations(preset), Sampler(preset)
    compared = 0
    for seed in range(40):
        parameters = sample(seed, SIDE)
        if parameters.fog is not None or parameters.displacement is not None:
            continue  # drawn more cheaply here, from the same distribution
        compared += 1
        ours, expected = host(image, mask, seed), reference(image, mask, seed)
        difference = np.abs(ours[0].astype(int) - expected[0])
        assert difference.mean() < 0.3 and (ours[1] != expected[1]).mean() < 0.002
    assert compared >= 20
