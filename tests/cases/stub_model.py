"""``sweep.predict`` in this process, with a model that looks at one pixel: red from 128 on is foreground."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import tyro
from torch import Tensor

from sweep.cli.console import open_output
from sweep.predict.command import PredictOptions, main
from sweep.results import trained_models as chosen
from sweep.results.ensemble import Ensemble
from trainables.data.imagery import RGB
from trainables.task import Task

WINDOW = 64


def redness(images: Tensor) -> Tensor:
    """Return (B, 1, H, W) logits of (B, 3, H, W) uint8 images."""
    return (images[:, :1].float() - 127.5) / 20


def predict(*arguments: object, forward: Callable[[Tensor], Tensor] = redness, digest: str = "a" * 64) -> None:
    """Run the command.

    Args:
        arguments: As typed, without ``--model``.
        forward: The model.
        digest: Hash of its weights.
    """
    best = SimpleNamespace(task=Task(), folds=(), imagery=RGB, refit=False)
    ensemble = SimpleNamespace(
        names=("stub",), labels=("stub",), hashes=(digest,), fold=None,
        experiment=None, best=best, loaded=((None, best),), fill=(124, 116, 104),
        device=torch.device("cpu"), batch_size=4, tta=False, plain=forward, forward=forward, window=WINDOW,
        metres_per_pixel=None,
    )  # fmt: skip
    options = tyro.cli(
        PredictOptions, args=[*map(str, arguments), "--model", "stub"], config=(tyro.conf.FlagCreatePairsOff,)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chosen, "find_models", lambda *_, **__: [])
        patch.setattr(Ensemble, "load", lambda *_, **__: ensemble)
        assert main(options, open_output(options)) == 0


def names(folder: Path) -> list[str]:
    """Return what a folder holds, hidden files included."""
    return sorted(path.name for path in folder.iterdir())
