"""``load``: a trained model that takes arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainables.errors import DataError, ExperimentError
from trainables.storage import DEFAULT_STORAGE, Storage

if TYPE_CHECKING:
    from sweep.results.ensemble import Ensemble

MOST_SIDE = 2**15
"""Pixels of an array's side; ``python -m sweep.predict`` takes rasters of any size."""


@dataclass(frozen=True, kw_only=True)
class PredictedMask:
    """What a model says of an image.

    Attributes:
        mask: (H, W) uint8 class indices; 1 is foreground, 0 background in a binary task.
        probability: (H, W) float32 in [0, 1]: of the foreground, or of the class in the mask.
        classes: What the indices mean.
    """

    mask: NDArray[np.uint8]
    probability: NDArray[np.float32]
    classes: tuple[str, ...]


def load(
    model: str | Path,
    *,
    storage: str | Path = DEFAULT_STORAGE,
    fold: int | None = None,
    refit: bool = False,
    ensemble: int = 1,
    tta: bool = False,
    device: str = "auto",
) -> Model:
    """Load trained weights, as ``--model`` of ``python -m sweep.predict`` names them.

    Args:
        model: An experiment (its best by val IoU), ``EXPERIMENT/TRIAL``, or a weights file, ``FILE.safetensors``.
        storage: Folder or URI that holds experiments.
        fold: Only that fold's model, from 1; None for the mean of all folds' models.
        refit: What was trained on all tiles.
        ensemble: How many of the experiment's best are averaged.
        tta: Test-time augmentation by eight symmetries.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        tilesweep.Error: There is no such model, or its file is damaged.
    """
    from sweep.results.ensemble import Ensemble
    from sweep.results.trained_models import find_models

    chosen = find_models(Storage.open(str(storage)), str(model), count=ensemble, fold=fold, refit=refit)
    return Model(Ensemble.load(chosen, device=device, batch_size=None, tta=tta))


class Model:
    """A trained model, or several that predict together."""

    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble

    @property
    def name(self) -> str:
        """``EXPERIMENT/TRIAL``, or the file; several with commas between them."""
        return ", ".join(self._ensemble.labels)

    @property
    def classes(self) -> tuple[str, ...]:
        """What the indices of masks mean."""
        return self._ensemble.best.task.classes

    @property
    def bands(self) -> tuple[str, ...]:
        """What the bands of images must be, in this order."""
        return self._ensemble.best.imagery.bands

    def predict(self, image: NDArray[Any], *, threshold: float = 0.5) -> PredictedMask:
        """Predict an image of any size by blended windows, as ``python -m sweep.predict`` does.

        Args:
            image: (H, W, C) with the model's bands: uint8; of tiles that hold 16 bits uint16, which are scaled as the
                tiles were.
            threshold: Probability from which on a pixel is foreground, in (0, 1); classes have none.

        Raises:
            tilesweep.Error: Another shape, dtype or threshold.
        """
        import torch

        from trainables.scoring import decide_with_probability
        from trainables.windows import predict_by_windows

        if not 0 < threshold < 1:
            raise DataError(f"threshold {threshold:g}: must be between 0 and 1, both excluded")
        pixels = torch.from_numpy(np.ascontiguousarray(np.moveaxis(self._bytes(image), 2, 0)))
        running = self._ensemble
        with torch.inference_mode():
            (logits,) = predict_by_windows(
                running.forward, [pixels], window=running.window, batch_size=running.batch_size
            )
            try:
                mask, probability = decide_with_probability(logits, threshold)
            except ValueError as error:
                raise ExperimentError(f"{self.name}: {error}; its training diverged, so load another one") from error
        return PredictedMask(
            mask=mask.byte().cpu().numpy(), probability=probability.float().cpu().numpy(), classes=self.classes
        )

    def _bytes(self, image: NDArray[Any]) -> NDArray[np.uint8]:
        """Return an image as the model sees it."""
        imagery, shape = self._ensemble.best.imagery, np.shape(image)
        wanted = f"(H, W, {len(imagery.bands)}) of {imagery.stored} ({', '.join(imagery.bands)})"
        kind = str(getattr(image, "dtype", type(image).__name__))
        if len(shape) != 3 or shape[2] != len(imagery.bands) or kind != imagery.stored:
            raise DataError(f"image: is {shape} of {kind}; give {wanted}")
        if not min(shape) > 0 or max(shape[:2]) > MOST_SIDE:
            raise DataError(f"image: is {shape[1]}x{shape[0]}; give 1 to {MOST_SIDE:,} pixels per side")
        return imagery.scaled(image)

    def __repr__(self) -> str:
        return f"<tilesweep.Model {self.name!r}: {', '.join(self.bands)} to {', '.join(self.classes)}>"
