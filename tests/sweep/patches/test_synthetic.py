"""The synthetic scenes: a function of their arguments, and credible in numbers."""

from __future__ import annotations

import numpy as np
import pytest

from sweep.patches.synthetic import SCENE_KINDS, draw_scene
from trainables.errors import DataError


@pytest.mark.parametrize("size", [64, 96, 256])
def test_shapes_types_and_binary_masks(size: int) -> None:
    image, mask = draw_scene(1, size=size)
    assert image.shape == (size, size, 3) and image.dtype == np.uint8
    assert mask.shape == (size, size) and mask.dtype == np.uint8
    assert set(np.unique(mask)) <= {0, 1}


def test_the_arguments_alone_decide() -> None:
    first, second = draw_scene(3, size=256), draw_scene(3, size=256)
    assert np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1])
    assert not np.array_equal(first[0], draw_scene(4, size=256)[0])


@pytest.mark.parametrize("kind", SCENE_KINDS)
def test_every_kind_has_a_meaningful_share_of_roofs(kind: str) -> None:
    shares = [draw_scene(seed, size=512, kind=kind)[1].mean() for seed in range(3)]
    assert all(0.05 <= share <= 0.7 for share in shares)


def test_a_town_is_denser_than_a_suburb() -> None:
    def share(kind: str) -> float:
        return float(np.mean([draw_scene(seed, size=512, kind=kind)[1].mean() for seed in range(3)]))

    assert share("town") > 1.4 * share("suburb")


def test_the_mask_s_edges_are_edges_of_the_image() -> None:
    image, mask = draw_scene(2, size=512, kind="estate")
    rows, columns = np.gradient(image.astype(float).mean(2))
    strength = np.hypot(rows, columns)
    inner = mask.astype(bool)
    edge = inner & ~(np.roll(inner, 1, 0) & np.roll(inner, -1, 0) & np.roll(inner, 1, 1) & np.roll(inner, -1, 1))
    assert strength[edge].mean() > 2 * strength[~edge].mean()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"size": 100}, "size 100"), ({"size": 32}, "size 32"), ({"kind": "subrub"}, "did you mean 'suburb'")],
)
def test_odd_requests_are_refused(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(DataError, match=said):
        draw_scene(0, **arguments)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="seed -1"):
        draw_scene(-1)
