"""Best-weights files of small models, as a training would leave them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from trainables.checkpoints import BestWeights, dump_best
from trainables.data.tiles import TuningData
from trainables.models.base import SegmentationModel, encoder_fingerprint
from trainables.models.fold_ensemble import member_name
from trainables.models.registry import ARCHITECTURES, build_model
from trainables.models.resolving import resolve
from trainables.models.weights import Weights
from trainables.recipe import Recipe

LIKE_OTHERS = (*(f"segformer_b{number}" for number in range(1, 6)), "dinov3_vit_b_dpt", "dinov3_vit_b_dpt_lora")
"""Their tiny stand-in is that of ``segformer_b0``, or of the smaller DINOv3."""


def skipped(name: str) -> Any:
    """Return an architecture as a parameter of a test, skipped where its packages are not installed."""
    missing = [package for package in ARCHITECTURES[name].packages if find_spec(package) is None]
    return pytest.param(name, marks=pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}"))


NAMES = [skipped(name) for name in ARCHITECTURES]
"""All built-in architectures, for ``parametrize``."""
TINY = [skipped(name) for name in ARCHITECTURES if name not in LIKE_OTHERS]
"""Those whose tiny stand-ins differ."""


def write_best(
    path: Path,
    patches: Path,
    architecture: str,
    weights: Weights | None = None,
    *,
    folds: tuple[tuple[str, ...], ...] = (),
    **fields: object,
) -> Path:
    """Write the weights of a model that has seen some tiles: random ones, BatchNorm statistics of the tiles.

    Args:
        path: The file.
        patches: The dataset.
        architecture: Its name.
        weights: What its encoder starts from; None is random.
        folds: Names of the tiles that each of several models has not seen; none is a single model.
        fields: Of the recipe.
    """
    data = TuningData.read(patches)
    recipe = Recipe(architecture=architecture, **{"model_size": "tiny", "crop_size": 64, **fields})  # type: ignore[arg-type]
    weights = weights or resolve(ARCHITECTURES[architecture].needs, "random")
    models = [_model(recipe, weights, data, seed) for seed in range(1, 1 + max(1, len(folds)))]
    states = [model.portable_state_dict() for model in models]
    best = BestWeights(
        recipe=recipe,
        weights=weights,
        epoch=3,
        val_iou=0.5,
        data_fingerprint=data.fingerprint,
        encoder_sha256=encoder_fingerprint(models[0]),
        task=data.task,
        imagery=data.imagery,
        folds=folds,
        fold_epochs=tuple(range(1, 1 + len(folds))),
    )
    together = {f"{member_name(fold)}.{name}": one for fold, state in enumerate(states) for name, one in state.items()}
    path.write_bytes(dump_best(together if folds else states[0], best))
    return path


def _model(recipe: Recipe, weights: Weights, data: TuningData, seed: int) -> SegmentationModel:
    """Return a model in which no class wins everywhere."""
    model = build_model(recipe, weights, data.task.channels, bands=len(data.imagery.bands)).train()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.decoder_parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
        for _ in range(8):  # nine tenths of the way to the statistics of the tiles
            views = torch.stack([torch.tensor(tile.image[:64, :64]).permute(2, 0, 1) for tile in data.train])
            model(views.float() / 255)
        bias = [one for name, one in model.named_parameters() if name.startswith("head.") and one.ndim == 1][-1]
        logits = model.eval()(views.float() / 255)
        # Half of all pixels are foreground; no class wins everywhere.
        bias.sub_(logits.transpose(0, 1).flatten(1).median(1).values)
    return model
