"""Every architecture, the augmentation on the device and every loss, on a CUDA device that is only pretended.

Fake tensors have shapes, types and devices but no values: PyTorch then finds operations whose operands are on
different devices without a GPU. It goes up to the loss: the backward pass asks for a real CUDA context.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.models import NAMES
from trainables.augment.device import augment_batch
from trainables.augment.parameters import Sampler
from trainables.augment.presets import PRESETS
from trainables.data.tiles import Tile
from trainables.losses.base import loss_of
from trainables.losses.registry import LOSSES
from trainables.models.encoder_cache import release
from trainables.models.registry import build_model, get_architecture
from trainables.models.resolving import resolve
from trainables.precision import autocast
from trainables.recipe import Recipe
from trainables.scoring import _confusion, decide
from trainables.task import Task

SIDE = 64
CUDA = torch.device("cuda")
CLASSES = Task(kind="multiclass", classes=("ground", "roof", "road"))
TILE = Tile(name="a", image=np.zeros((SIDE, SIDE, 3), np.uint8), mask=np.ones((SIDE, SIDE), np.uint8))


@pytest.fixture
def pretended() -> Iterator[FakeTensorMode]:
    """Let tensors be fake during a test; pinned memory, which needs a real driver, is left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            yield mode


def to_cuda(model: nn.Module) -> None:
    """Do what ``model.to("cuda")`` does, which fake parameters refuse: move registered tensors and no others."""
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                moved = torch.empty(parameter.shape, dtype=parameter.dtype, device=CUDA)
                module._parameters[name] = nn.Parameter(moved, parameter.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype, device=CUDA)


def _batch(bands: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.zeros(2, bands, SIDE, SIDE, dtype=torch.uint8, device=CUDA)
    return images, torch.zeros(2, 1, SIDE, SIDE, dtype=torch.uint8, device=CUDA)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("architecture", NAMES)
def test_the_forward_pass_of_every_architecture_and_its_loss_stay_on_the_device(
    architecture: str, training: bool
) -> None:
    recipe = Recipe(architecture=architecture, model_size="tiny", crop_size=SIDE, deep_supervision=0.5)
    release()
    model = build_model(recipe, resolve(get_architecture(architecture).needs, "random"), CLASSES.channels)
    release()  # nobody else is to have an encoder whose tensors are fake
    with FakeTensorMode(allow_non_fake_inputs=True):
        to_cuda(model.train(training))
        images, masks = _batch()
        run = model.forward_with_auxiliary if training and model.auxiliary else model
        with autocast(CUDA, torch.bfloat16):
            found = run(images.float().div_(255))
        loss = loss_of(recipe, CLASSES, [TILE], CUDA)
        for logits in (found,) if isinstance(found, torch.Tensor) else found:
            assert logits.device.type == "cuda" and logits.shape[:2] == (2, CLASSES.channels)
            assert loss(logits, masks).device.type == "cuda"


@pytest.mark.parametrize("bands", [3, 4])
@pytest.mark.parametrize("preset", PRESETS)
def test_views_are_augmented_where_the_batch_is(preset: str, bands: int, pretended: FakeTensorMode) -> None:
    sample = Sampler(preset)
    images, masks = _batch(bands)
    for first in range(0, 20, 2):
        views, labels = augment_batch(images, masks, [sample(first, SIDE), sample(first + 1, SIDE)])
        assert (views.device.type, labels.device.type) == ("cuda", "cuda")
        assert views.dtype == labels.dtype == torch.uint8


@pytest.mark.parametrize("weights", ["none", "inverse_frequency"])
@pytest.mark.parametrize("task", [Task(), CLASSES], ids=["binary", "classes"])
@pytest.mark.parametrize("loss", LOSSES)
def test_losses_and_confusion_matrices_are_computed_on_the_device(
    loss: str, task: Task, weights: str, pretended: FakeTensorMode
) -> None:
    recipe = Recipe(loss=loss, crop_size=SIDE, class_weights=weights)
    logits, (_, masks) = torch.zeros(2, task.channels, SIDE, SIDE, device=CUDA), _batch()
    assert loss_of(recipe, task, [TILE], CUDA)(logits, masks).device.type == "cuda"
    assert _confusion(decide(logits[0]), masks[0, 0], task).device.type == "cuda"


def test_a_tensor_that_is_left_on_the_cpu_is_found() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shift = torch.ones(SIDE)  # no buffer: it stays behind when the model moves

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images + self.shift

    model = Forgetful()
    with FakeTensorMode(allow_non_fake_inputs=True), pytest.raises(RuntimeError, match="device"):
        to_cuda(model)
        model(_batch()[0].float())
