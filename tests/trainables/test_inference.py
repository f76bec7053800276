"""Models as forward passes: alone, together, in eight symmetries, and within a small memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainables.errors import InfeasibleError
from trainables.inference import SYMMETRIES, ensemble, with_symmetries, within_memory

IMAGES = torch.randint(0, 256, (2, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def redness(images: Tensor) -> Tensor:
    return (images[:, :1].float() - 127.5) / 40


def test_a_model_that_sees_each_pixel_alone_is_the_same_in_every_symmetry() -> None:
    torch.testing.assert_close(with_symmetries(redness)(IMAGES), redness(IMAGES), atol=1e-4, rtol=1e-4)


def test_symmetries_average_what_depends_on_direction() -> None:
    """A model that calls the left half foreground knows nothing once every direction has been asked."""

    def left(images: Tensor) -> Tensor:
        return torch.where(torch.arange(8) < 4, 3.0, -3.0).expand(len(images), 1, 8, 8)

    torch.testing.assert_close(with_symmetries(left)(IMAGES), torch.zeros(2, 1, 8, 8), atol=1e-5, rtol=0)


def test_the_symmetries_are_the_eight_of_a_square() -> None:
    seen = []

    def note(images: Tensor) -> Tensor:
        seen.append(images[0, 0])
        return redness(images)

    with_symmetries(note)(IMAGES)
    assert len(SYMMETRIES) == 8
    assert not any(torch.equal(a, b) for number, a in enumerate(seen) for b in seen[:number])


def test_an_ensemble_averages_probabilities_not_logits() -> None:
    logits = [torch.full((1, 1, 2, 2), value) for value in (0.0, 100.0)]
    together = ensemble([lambda _, one=one: one for one in logits])
    torch.testing.assert_close(together(IMAGES).sigmoid(), torch.full((1, 1, 2, 2), 0.75))
    assert ensemble([redness]) is redness


def test_certainty_stays_finite() -> None:
    sure = ensemble([lambda _: torch.full((1, 1, 2, 2), 1000.0)] * 2)
    assert torch.isfinite(sure(IMAGES)).all() and (sure(IMAGES) > 10).all()


def test_a_batch_that_does_not_fit_is_halved_for_good() -> None:
    seen = []

    def narrow(images: Tensor) -> Tensor:
        seen.append(len(images))
        if len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return redness(images)

    forward = within_memory(narrow)
    images = IMAGES.repeat(4, 1, 1, 1)
    assert torch.equal(forward(images), redness(images))
    assert torch.equal(forward(images), redness(images))
    assert seen == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2]


def test_a_window_that_does_not_fit_alone_is_one_line() -> None:
    def none(images: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(InfeasibleError, match="one window of 8 pixels"):
        within_memory(none)(IMAGES)
