"""Images through windows: nothing is lost or moved, and no seam is left."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.windows import Blender, Side, cut_windows, predict_by_windows, predict_in_batches, ramp


@given(length=st.integers(1, 3000), window=st.integers(2, 16).map(lambda count: 32 * count))
def test_windows_cover_the_side_on_the_grid_and_overlap_by_a_quarter(length: int, window: int) -> None:
    side = Side.of(length, window)
    assert side.starts[0] == 0 and length <= side.starts[-1] + side.window < length + 32
    assert all(start % 32 == 0 for start in side.starts)
    step = max(32, (window - window // 4) // 32 * 32)
    assert all(0 < b - a <= step for a, b in itertools.pairwise(side.starts))


@given(length=st.integers(1, 3000), window=st.integers(2, 16).map(lambda count: 32 * count))
def test_fades_lie_inside_both_windows_and_never_in_each_other(length: int, window: int) -> None:
    side = Side.of(length, window)
    edges = [edge for fade in side.fades for edge in fade]
    assert edges == sorted(edges) and all(0 < edge < length for edge in edges)
    for (low, high), (first, second) in zip(side.fades, itertools.pairwise(side.starts), strict=True):
        margin = (first + window - second) // 4
        assert second + margin <= low <= high <= first + window - margin
    shares = [side.share(number) for number in range(len(side.starts))]
    assert shares[0][0] == 0 and shares[-1][1] == length


@settings(max_examples=40)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    window=st.sampled_from([32, 64, 96, 128]),
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


def test_a_batch_holds_windows_of_one_shape() -> None:
    images = [torch.rand(3, *size) for size in ((64, 64), (40, 50), (64, 64))]
    results = list(predict_by_windows(lambda views: views, images, window=64, batch_size=8))
    assert all(map(torch.equal, results, images))


@pytest.mark.parametrize("size", [(200, 333), (96, 96), (31, 500)])
@pytest.mark.parametrize("window", [96, 128, 160])
def test_a_model_of_a_small_receptive_field_sees_no_cut(size: tuple[int, int], window: int) -> None:
    """A window's outer quarter of an overlap, 8 pixels or more here, is never used: this model reaches 6 far."""
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Tanh(), torch.nn.Conv2d(4, 4, 7, padding=3)]
    model = torch.nn.Sequential(*layers, torch.nn.Conv2d(4, 2, 5, padding=2)).eval()
    image = torch.rand(3, *(32 * -(-side // 32) for side in size))[:, : size[0], : size[1]]
    padded = torch.nn.functional.pad(image[None], (0, -size[1] % 32, 0, -size[0] % 32), mode="replicate")
    with torch.inference_mode():
        (cut,) = predict_by_windows(model, [image], window=window, batch_size=3)
        whole = model(padded)[0, :, : size[0], : size[1]]
    torch.testing.assert_close(cut, whole, atol=1e-5, rtol=0)


def test_windows_that_disagree_fade_into_each_other_without_a_step() -> None:
    """The n-th window says n: along the strip, no pixel jumps by more than the steepest part of the fade."""
    count = iter(range(100))
    (result,) = predict_by_windows(
        lambda views: views.new_full((1, 1, 128, 128), float(next(count))),
        [torch.zeros(3, 128, 512)],
        window=128,
        batch_size=1,
    )
    line = result[0, 64]
    assert line[0] == 0 and line[-1] == next(count) - 1
    assert line.diff().min() >= 0 and line.diff().max() <= 1.6 / 16  # a raised cosine over 16 pixels or more


def test_the_fade_is_symmetric_and_stays_inside() -> None:
    weights = ramp(16)
    torch.testing.assert_close(weights + weights.flip(0), torch.ones(16))
    assert 0 < weights[0] < 0.01 and bool((weights.diff() > 0).all())


@pytest.mark.parametrize("first, last", [(0, 2), (1, 3), (3, 6), (6, 6)])
def test_a_part_of_the_columns_is_predicted_as_the_whole_is(first: int, last: int) -> None:
    image = torch.rand(3, 128, 700)
    rows, columns = Side.of(128, 128), Side.of(700, 128)
    assert len(columns.starts) == 7
    part = columns.cut(first, last)
    blender = Blender(rows, part)
    begin = columns.starts[first]
    noisy = [window + number for number, window in enumerate(cut_windows(image, rows, columns))]
    whole = Blender(rows, columns)
    (expected,) = [strip for window in noisy if (strip := whole.add(window)) is not None]
    (strip,) = [strip for window in noisy[first : last + 1] if (strip := blender.add(window)) is not None]
    low = columns.fades[first - 1][1] if first else 0
    high = columns.fades[last][0] if last < 6 else 700
    assert strip.shape[-1] == part.length
    assert torch.equal(strip[..., low - begin : high - begin], expected[..., low:high])


def test_windows_without_pixels_pass_by_and_hold_nothing_up() -> None:
    taken = []

    def windows() -> Iterator[torch.Tensor]:
        for number in range(100):
            taken.append(number)
            yield torch.full((3, 4, 4), float(number)) if number % 40 == 0 else torch.empty(0)

    results, sizes = [], []

    def predict(views: torch.Tensor) -> torch.Tensor:
        sizes.append(len(views))
        return views[:, :1]

    for number, result in enumerate(predict_in_batches(predict, windows(), batch_size=4)):
        assert len(taken) - number <= 9  # two batches are looked ahead at most
        results.append(result)
    assert [result.flatten()[0].item() if result.numel() else None for result in results] == [
        float(number) if number % 40 == 0 else None for number in range(100)
    ]
    assert sizes == [1, 1, 1]
