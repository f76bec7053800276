"""The models that predict together: the leader, or the best few of an experiment."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from sweep.records.experiment import Experiment
from sweep.results.trained_models import TrainedModel
from trainables.checkpoints import BestWeights
from trainables.errors import ExperimentError
from trainables.inference import choose_device, default_batch, ensemble, ready, with_symmetries, within_memory
from trainables.models.base import SegmentationModel
from trainables.scoring import Forward


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Models on a device.

    Attributes:
        names: ``EXPERIMENT/TRIAL`` or file, the leader's first.
        hashes: Hex sha256 of their weights files.
        experiment: Theirs; None for a model from a file.
        leader: The first model.
        best: What the leader's weights file says of itself.
        device: Where they are.
        batch_size: Windows a forward pass.
        tta: Whether each view is predicted in its eight symmetries.
        plain: The leader's forward pass alone.
        forward: All members', with symmetries where wanted.
    """

    names: tuple[str, ...]
    hashes: tuple[str, ...]
    experiment: Experiment | None
    leader: SegmentationModel
    best: BestWeights
    device: torch.device
    batch_size: int
    tta: bool
    plain: Forward
    forward: Forward

    @classmethod
    def load(cls, chosen: Sequence[TrainedModel], *, device: str, batch_size: int | None, tta: bool) -> Ensemble:
        """Load models, the leader first.

        Args:
            chosen: At least one.
            device: ``auto``, ``cpu`` or ``cuda``.
            batch_size: Windows a forward pass; None takes what suits the device.
            tta: Predict each view in its eight symmetries.

        Raises:
            ExperimentError: They were trained on windows of different sizes.
            WeightsError: A fixed encoder cannot be rebuilt as it was.
        """
        place = choose_device(device)
        loaded = [one.load() for one in chosen]
        leader, best = loaded[0]
        for one, (_, other) in zip(chosen, loaded, strict=True):
            if other.recipe.crop_size != best.recipe.crop_size:
                raise ExperimentError(
                    f"--ensemble {len(chosen)}: {one.name} was trained on windows of {other.recipe.crop_size} pixels, "
                    f"{chosen[0].name} on {best.recipe.crop_size}; ensemble models of one size"
                )
        forwards = [within_memory(ready(model, other.recipe, place)) for model, other in loaded]
        together = ensemble(forwards)
        return cls(
            names=tuple(one.name for one in chosen),
            hashes=tuple(hashlib.sha256(one.weights_file).hexdigest() for one in chosen),
            experiment=chosen[0].experiment,
            leader=leader,
            best=best,
            device=place,
            batch_size=batch_size or default_batch(best.recipe.crop_size, place),
            tta=tta,
            plain=forwards[0],
            forward=with_symmetries(together) if tta else together,
        )

    @property
    def window(self) -> int:
        """Side of a window in pixels: of the crops that they were trained on."""
        return self.best.recipe.crop_size

    @property
    def fill(self) -> tuple[int, int, int]:
        """The colour that is nothing to the leader: the mean of its encoder's training data."""
        red, green, blue = (round(255 * value) for value in self.leader.mean.flatten().tolist())
        return red, green, blue

    @property
    def metres_per_pixel(self) -> float | None:
        """Of the tiles that they were trained on; None where nobody has said."""
        sheet = self.experiment.description["data"].get("sheet", {}) if self.experiment else {}
        try:
            metres = float(sheet["metres a pixel"])
        except (KeyError, TypeError, ValueError):  # a sheet is free text
            return None
        return metres if 0 < metres < math.inf else None
