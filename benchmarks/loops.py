"""Two ways of training for a while: as tutorials write it, and as tilesweep does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler

from benchmarks.naive import TileFolder
from benchmarks.report import Report
from trainables.data.tiles import TuningData
from trainables.losses.ce_dice import bce_dice_loss
from trainables.models.base import SegmentationModel
from trainables.models.registry import build_model, get_architecture
from trainables.models.sam import SamModel
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.training import Trainer


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast a loop was, after an epoch to warm up.

    Attributes:
        images_per_second: Views trained on a second.
        data_share: Share of the time in which the loop waited for views, in [0, 1].
        peak_bytes: Most memory held on a GPU; 0 on the CPU.
    """

    images_per_second: float
    data_share: float
    peak_bytes: int


def compare_paces(
    report: Report, title: str, ways: Mapping[str, Callable[[], Pace]], repeats: int
) -> dict[str, list[Pace]]:
    """Compare images per second of several loops with that of the one called naive loop.

    Returns:
        Way to the pace of each repeat.
    """
    paces: dict[str, list[Pace]] = {way: [] for way in ways}

    def measured(way: str) -> float:
        paces[way].append(ways[way]())
        return paces[way][-1].images_per_second

    measures = {way: partial(measured, way) for way in ways}
    report.compare(title, measures, repeats, unit="images/s", baseline="naive loop", more_is_better=True)
    return paces


def random_weights(architecture: str) -> Weights:
    """Return weights that need no file; speed does not depend on them."""
    needs = get_architecture(architecture).needs
    return Weights(kind="none" if needs == "none" else "random", needs=needs)


def library_features(encoder: torch.nn.Module, inputs: Tensor, taps: tuple[int, ...]) -> list[Tensor]:
    """Encode with the blocks of ``segment_anything``, which hold the whole attention matrix."""
    from trainables.models.sam_encoder import _positions

    x = encoder.patch_embed(inputs)
    x = x + _positions(encoder.pos_embed, x.shape[1], x.shape[2])
    tapped = []
    for number, block in enumerate(encoder.blocks, start=1):
        x = block(x)
        if number in taps:
            tapped.append(x.permute(0, 3, 1, 2))
    return tapped if taps else [encoder.neck(x.permute(0, 3, 1, 2))]


def use_library_attention(model: SegmentationModel) -> None:
    """Make a SAM model encode as its library does."""
    if isinstance(model, SamModel):
        encoder, taps = model.encoder, model.taps

        def encode(inputs: Tensor) -> list[Tensor]:
            with torch.no_grad():
                return library_features(encoder, inputs, taps)

        model.encode_prepared = encode  # type: ignore[method-assign]


def naive(recipe: Recipe, patches: Path, device: torch.device, *, workers: int = 2) -> Pace:
    """Train two epochs in float32 with a DataLoader over files and the loss read every step; time the second."""
    dataset = TileFolder(patches / "train", recipe)
    loader = DataLoader(
        dataset,
        batch_size=recipe.batch_size,
        sampler=RandomSampler(dataset, replacement=True, num_samples=recipe.draws_per_epoch),
        num_workers=workers,
        persistent_workers=True,
    )
    model = build_model(recipe, random_weights(recipe.architecture)).to(device).train()
    use_library_attention(model)
    optimizer = torch.optim.AdamW(
        [one for one in model.parameters() if one.requires_grad], lr=recipe.learning_rate, foreach=False
    )
    _reset_peak(device)
    waited = taken = 0.0
    for _ in range(2):
        waited = 0.0
        started = asked = time.perf_counter()
        for images, masks in loader:
            waited += time.perf_counter() - asked
            optimizer.zero_grad()
            loss = bce_dice_loss(model(images.to(device)), masks.to(device), recipe.bce_weight)
            loss.backward()
            optimizer.step()
            loss.item()
            asked = time.perf_counter()
        taken = time.perf_counter() - started
    return Pace(images_per_second=recipe.draws_per_epoch / taken, data_share=waited / taken, peak_bytes=_peak(device))


def ours(recipe: Recipe, data: TuningData, device: torch.device, *, workers: int = 2, compiled: bool = False) -> Pace:
    """Train two epochs, without their validation, and time the second."""
    _reset_peak(device)
    trainer = Trainer(recipe, data, device, random_weights(recipe.architecture), workers=workers, compiled=compiled)
    waited = taken = 0.0
    for _ in range(2):
        waited = 0.0
        trainer.begin_epoch()
        started = asked = time.perf_counter()
        for batch in trainer._batches.epoch(trainer.epoch):
            waited += time.perf_counter() - asked
            trainer.take_step(batch, waited=0.0)
            asked = time.perf_counter()
        float(trainer._total)  # waits for the device
        taken = time.perf_counter() - started
    return Pace(images_per_second=recipe.draws_per_epoch / taken, data_share=waited / taken, peak_bytes=_peak(device))


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        torch.backends.cudnn.benchmark = True


def _peak(device: torch.device) -> int:
    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else 0
