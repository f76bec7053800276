"""Training K decoders on one frozen encoder's features: one after the other, in one loop, and as one batched model.

Run with ``python -m benchmarks.decoders``; about ten minutes on two CPU cores. The features are random numbers of the
real shapes, kept on disk as real ones are: time does not depend on them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from benchmarks.report import Report, in_turn
from trainables.features import FeatureCache
from trainables.losses.ce_dice import bce_dice_loss
from trainables.models.encoder_decoder import OnFixedEncoder
from trainables.models.sam import SKIP_BLOCKS, SamConv, SamUnet, unet_widths
from trainables.models.sam_encoder import PATCH, build_encoder, encode
from trainables.models.weights import Weights

DROPOUT = 0.3
BATCH = 2
"""Views a step, as the shared recipe has it for SAM."""
DECODERS: dict[str, Callable[[], OnFixedEncoder]] = {
    "sam_vit_b_conv": lambda: SamConv(nn.Identity(), 256, (192, 128, 64, 32), DROPOUT, 1),
    "sam_vit_b_unet": lambda: SamUnet(nn.Identity(), *unet_widths(tiny=False), DROPOUT, 1),
}
"""Decoders of the real size, without the encoder."""
FEATURES = {"sam_vit_b_conv": (1, 256), "sam_vit_b_unet": (len(SKIP_BLOCKS), 768)}
"""Maps of a view, and their channels."""


class Work:
    """A batch of views with kept features, and K decoders that are to take a step on it.

    Args:
        architecture: One of ``DECODERS``.
        many: K.
        side: Side of a view in pixels.
        store: Keeps the features.
    """

    def __init__(self, architecture: str, many: int, side: int, store: FeatureCache) -> None:
        torch.manual_seed(0)
        self.images = torch.rand(BATCH, 3, side, side)
        self.masks = (torch.rand(BATCH, 1, side, side) > 0.8).float()
        maps, channels = FEATURES[architecture]
        self._shape = (channels, side // PATCH, side // PATCH)
        self._maps, self._store, self._key = maps, store, f"{architecture}-{side}"
        self.decoders = [DECODERS[architecture]().to(memory_format=torch.channels_last) for _ in range(many)]
        self._optimizers = [torch.optim.AdamW(one.parameters()) for one in self.decoders]
        self.stacked = Batched(self.decoders)

    def features(self) -> list[Tensor]:
        """Read the batch's features, each (B, C, h, w)."""
        keys = [f"{self._key}-{number}" for number in range(BATCH)]
        views = [self._store.get(key, partial(self._encode, key)) for key in keys]
        return [torch.stack(parts) for parts in zip(*views, strict=True)]

    def _encode(self, key: str) -> dict[str, list[Tensor]]:
        return {key: [torch.randn(self._shape) for _ in range(self._maps)]}

    def one_after_the_other(self) -> None:
        """Each decoder reads the features and takes its step, as a trial of its own does."""
        for number in range(len(self.decoders)):
            self._step(number, self.features())

    def in_one_loop(self) -> None:
        """The features are read once, and each decoder takes its step on them."""
        features = self.features()
        for number in range(len(self.decoders)):
            self._step(number, features)

    def batched(self) -> None:
        """The features are read once, and all decoders take their steps as one model with grouped convolutions."""
        self.stacked.step(self.images, self.features(), self.masks)

    def _step(self, number: int, features: Sequence[Tensor]) -> None:
        self._optimizers[number].zero_grad(set_to_none=True)
        torch.autograd.backward(bce_dice_loss(self.decoders[number](self.images, features), self.masks, 0.5))
        self._optimizers[number].step()


class Batched:
    """Decoders of equal structure as one: ``torch.func`` stacks their weights, and ``vmap`` runs them together."""

    def __init__(self, decoders: Sequence[OnFixedEncoder]) -> None:
        self.weights, self.statistics = stack_module_state(list(decoders))
        self._optimizer = torch.optim.AdamW(self.weights.values())
        template = decoders[0]

        def logits(
            weights: dict[str, Tensor], statistics: dict[str, Tensor], images: Tensor, maps: list[Tensor]
        ) -> Tensor:
            found: Tensor = functional_call(template, (weights, statistics), (images, maps))
            return found

        self._run = vmap(logits, in_dims=(0, 0, None, None), randomness="different")

    def step(self, images: Tensor, features: list[Tensor], masks: Tensor) -> None:
        """Take a step of each."""
        self._optimizer.zero_grad(set_to_none=True)
        found = self._run(self.weights, self.statistics, images, features)
        losses = torch.stack([bce_dice_loss(one, masks, 0.5) for one in found])
        torch.autograd.backward(losses.sum())
        self._optimizer.step()


def measure(report: Report, architecture: str, many: Sequence[int], side: int, repeats: int) -> None:
    """Compare the ways for each K, in CPU seconds a decoder's step."""
    with tempfile.TemporaryDirectory() as folder:
        for number in many:
            work = Work(architecture, number, side, FeatureCache(Path(folder)))
            ways = {
                "one after the other": work.one_after_the_other,
                "in one loop": work.in_one_loop,
                "batched by vmap": work.batched,
            }
            for way in ways.values():
                way()
            times = {name: partial(_each, way, number) for name, way in ways.items()}
            title = f"{architecture}, {side} x {side}, {number} decoder{'s' * (number > 1)}: a decoder's step"
            report.compare(title, times, repeats, unit="CPU s", baseline="one after the other")


def _each(way: Callable[[], None], number: int) -> float:
    return cpu_seconds(way) / number


def cpu_seconds(action: Callable[[], object]) -> float:
    """Count the seconds that all threads of this process compute: others on the machine do not lengthen them."""
    started = time.process_time()
    action()
    return time.process_time() - started


def encoder_seconds(side: int, repeats: int) -> float:
    """Return the median CPU seconds in which ViT-B encodes a batch."""
    encoder = build_encoder(Weights(kind="random"), tiny=False).eval()
    images = torch.randn(BATCH, 3, side, side)
    with torch.inference_mode():
        encode(encoder, images, SKIP_BLOCKS)
        times = in_turn({"": partial(cpu_seconds, partial(encode, encoder, images, SKIP_BLOCKS))}, repeats)
    return median(times[""])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architectures", nargs="+", choices=DECODERS, default=list(DECODERS))
    parser.add_argument("--side", type=int, default=256, help="pixels per side of a view")
    parser.add_argument("--many", type=int, nargs="+", default=[1, 2, 4, 8], help="decoders that train together")
    parser.add_argument("--repeats", type=int, default=3, help="values per way")
    given = parser.parse_args()
    found = Report(name="decoders")
    for name in given.architectures:
        measure(found, name, given.many, given.side, given.repeats)
    found.note(f"ViT-B encodes a batch of {BATCH} views, CPU s", encoder_seconds(given.side, given.repeats))
    found.write()
