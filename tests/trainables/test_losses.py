"""The loss against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.losses.ce_dice import bce_dice_loss, soft_dice_loss


def test_bce_of_undecided_logits_is_log_two() -> None:
    logits, targets = torch.zeros(1, 1, 2, 2), torch.tensor([[[[1, 0], [0, 1]]]])
    assert bce_dice_loss(logits, targets, 1.0).item() == pytest.approx(math.log(2))


def test_dice_of_undecided_logits() -> None:
    # p = 0.5 on four pixels, two of them true: overlap 1, total 2 + 2; 1 - (2*1 + 1) / (4 + 1) = 0.4
    logits, targets = torch.zeros(1, 1, 2, 2), torch.tensor([[[[1, 0], [0, 1]]]])
    assert soft_dice_loss(logits, targets).item() == pytest.approx(0.4)


def test_dice_is_averaged_over_views_not_pooled() -> None:
    logits = torch.full((2, 1, 2, 2), 50.0)
    targets = torch.stack([torch.ones(1, 2, 2), torch.zeros(1, 2, 2)])
    # a perfect view (0) and one with four false pixels: 1 - 1 / (4 + 1) = 0.8
    assert soft_dice_loss(logits, targets).item() == pytest.approx(0.4)


def test_weight_mixes_both_parts() -> None:
    logits, targets = torch.zeros(1, 1, 2, 2), torch.tensor([[[[1, 0], [0, 1]]]])
    assert bce_dice_loss(logits, targets, 0.25).item() == pytest.approx(0.25 * math.log(2) + 0.75 * 0.4)


def test_perfect_and_empty_prediction_costs_nothing() -> None:
    logits, targets = torch.full((1, 1, 4, 4), -60.0), torch.zeros(1, 1, 4, 4)
    assert bce_dice_loss(logits, targets, 0.5).item() == pytest.approx(0.0, abs=1e-6)


@given(seed=st.integers(0, 2**16), weight=st.floats(0, 1))
def test_loss_is_a_finite_scalar_and_gradients_flow(seed: int, weight: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 1, 8, 8, generator=generator).mul_(10).requires_grad_()
    targets = torch.randint(0, 2, (2, 1, 8, 8), generator=generator)
    loss = bce_dice_loss(logits, targets, weight)
    loss.backward()
    assert loss.shape == ()
    assert loss.item() >= 0
    assert torch.isfinite(logits.grad).all()


def test_half_precision_logits_are_scored_in_float32() -> None:
    logits = torch.full((1, 1, 256, 256), 8.0, dtype=torch.bfloat16)
    loss = bce_dice_loss(logits, torch.ones(1, 1, 256, 256), 0.5)
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
