"""Whole tiles through windows: nothing is lost, moved or averaged."""

from __future__ import annotations

import itertools

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.windows import predict_by_windows, window_starts


@given(length=st.integers(32, 400), window=st.integers(32, 400))
def test_windows_cover_the_side_and_overlap_by_an_eighth(length: int, window: int) -> None:
    window = min(window, length)
    starts = window_starts(length, window)
    assert starts[0] == 0
    assert starts[-1] + window == length
    assert all(b - a <= window - window // 8 for a, b in itertools.pairwise(starts))
    assert starts == sorted(set(starts))


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(32, 200),
    width=st.integers(32, 200),
    window=st.integers(32, 128),
    batch=st.integers(1, 5),
    seed=st.integers(0, 100),
)
def test_the_identity_model_is_reproduced_bit_for_bit(
    height: int, width: int, window: int, batch: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = [torch.randn(3, *size, generator=generator) for size in ((height, width), (64, 96), (height, width))]
    sizes = []

    def identity(views: torch.Tensor) -> torch.Tensor:
        sizes.append(len(views))
        return views

    results = list(predict_by_windows(identity, images, window=window, batch_size=batch))
    assert len(results) == 3 and all(map(torch.equal, results, images))
    assert max(sizes) <= batch


def test_a_batch_is_filled_from_several_images() -> None:
    seen = []

    def predict(views: torch.Tensor) -> torch.Tensor:
        seen.append(len(views))
        return views

    assert len(list(predict_by_windows(predict, [torch.zeros(3, 64, 64)] * 6, window=64, batch_size=4))) == 6
    assert seen == [4, 2]


def test_each_pixel_comes_from_the_window_in_which_it_is_deepest() -> None:
    depth = torch.minimum(torch.arange(64), torch.arange(63, -1, -1)).float()
    view = torch.minimum(depth[:, None], depth[None, :])
    (result,) = predict_by_windows(
        lambda views: view.expand(len(views), 1, 64, 64), [torch.zeros(3, 64, 160)], window=64
    )
    starts = window_starts(160, 64)
    best = torch.stack(
        [torch.where((x := torch.arange(160) - s).ge(0) & x.lt(64), torch.minimum(x, 63 - x), -1) for s in starts]
    ).amax(0)
    assert torch.equal(result[0, 32], torch.minimum(best, torch.tensor(31)).float())
