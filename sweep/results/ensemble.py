"""The models that predict together: the leader, or the best few of an experiment."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from sweep.records.experiment import Experiment
from sweep.results.trained_models import TrainedModel, model_label
from trainables.checkpoints import BestWeights
from trainables.data.manifest import metres_in
from trainables.errors import ExperimentError
from trainables.held_out import Loaded, fold_models
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
        fold: The fold whose models they are, from 1; None for all that their files hold.
        loaded: The models, each with what its weights file says of itself.
        device: Where they are.
        batch_size: Windows per forward pass.
        tta: Whether each view is predicted in its eight symmetries.
        plain: The leader's forward pass alone.
        forward: All members', with symmetries where wanted, their logits divided by the temperature.
        temperature: What sets their probabilities right; 1 leaves them.
    """

    names: tuple[str, ...]
    hashes: tuple[str, ...]
    experiment: Experiment | None
    fold: int | None
    loaded: tuple[Loaded, ...]
    device: torch.device
    batch_size: int
    tta: bool
    plain: Forward
    forward: Forward
    temperature: float = 1.0

    @classmethod
    def load(cls, chosen: Sequence[TrainedModel], *, device: str, batch_size: int | None, tta: bool) -> Ensemble:
        """Load models, the leader first.

        Args:
            chosen: At least one.
            device: ``auto``, ``cpu`` or ``cuda``.
            batch_size: Windows per forward pass; None takes what suits the device.
            tta: Predict each view in its eight symmetries.

        Raises:
            ExperimentError: They were trained on windows of different sizes, or on other bands.
            WeightsError: A fixed encoder cannot be rebuilt as it was.
        """
        place = choose_device(device)
        loaded = tuple(one.load() for one in chosen)
        _, best = loaded[0]
        for one, (_, other) in zip(chosen, loaded, strict=True):
            if other.recipe.crop_size != best.recipe.crop_size:
                raise ExperimentError(
                    f"--ensemble {len(chosen)}: {one.name} was trained on windows of {other.recipe.crop_size} pixels, "
                    f"{chosen[0].name} on {best.recipe.crop_size}; ensemble models of one size"
                )
            if other.imagery != best.imagery:
                raise ExperimentError(
                    f"--ensemble {len(chosen)}: {one.name} was trained on {other.imagery.summary}, {chosen[0].name} on "
                    f"{best.imagery.summary}, or with other scales; ensemble models of the same tiles"
                )
        plain, forward = _forwards(loaded, place, tta=tta)
        return cls(
            names=tuple(one.name for one in chosen),
            hashes=tuple(hashlib.sha256(one.weights_file).hexdigest() for one in chosen),
            experiment=chosen[0].experiment,
            fold=chosen[0].fold,
            loaded=loaded,
            device=place,
            batch_size=batch_size or default_batch(best.recipe.crop_size, place),
            tta=tta,
            plain=plain,
            forward=forward,
        )

    @property
    def leader(self) -> SegmentationModel:
        """The first model."""
        return self.loaded[0][0]

    @property
    def best(self) -> BestWeights:
        """What the leader's weights file says of itself."""
        return self.loaded[0][1]

    @property
    def labels(self) -> tuple[str, ...]:
        """The names, each with the fold or the number of folds."""
        return tuple(
            model_label(name, self.fold, len(best.folds))
            for name, (_, best) in zip(self.names, self.loaded, strict=True)
        )

    def by_fold(self) -> list[Ensemble]:
        """Return the ensemble of each fold's models; itself where they are single models, or of one fold."""
        folds = zip(*(fold_models(*one) for one in self.loaded), strict=True)
        return [self._of(loaded) for loaded in folds]

    def calibrated(self, temperature: float) -> Ensemble:
        """Return the same models with logits divided by a temperature; ``by_fold`` gives them as they were."""
        if temperature == 1:
            return self
        return replace(self, forward=_divided(self.forward, temperature), temperature=temperature)

    @property
    def size(self) -> int:
        """How many models it asks, of a cross-validation those of all folds."""
        return sum(len(fold_models(*one)) for one in self.loaded)

    def members(self) -> list[Forward]:
        """Return the forward pass of each model alone, of a cross-validation that of each fold's."""
        alone = [member for one in self.loaded for member in fold_models(*one)]
        forwards = [_forwards([one], self.device, tta=self.tta)[1] for one in alone]
        return [_divided(one, self.temperature) for one in forwards] if self.temperature != 1 else forwards

    def _of(self, loaded: tuple[Loaded, ...]) -> Ensemble:
        plain, forward = _forwards(loaded, self.device, tta=self.tta)
        return replace(self, loaded=loaded, plain=plain, forward=forward, temperature=1.0)

    @property
    def window(self) -> int:
        """Side of a window in pixels: of the crops that they were trained on."""
        return self.best.recipe.crop_size

    @property
    def fill(self) -> tuple[int, ...]:
        """What is nothing to the leader, a value per band: the mean of its encoder's training data."""
        return tuple(round(255 * value) for value in self.leader.mean.flatten().tolist())

    @property
    def metres_per_pixel(self) -> float | None:
        """Of the tiles that they were trained on; None where nobody has said."""
        if self.best.metres_per_pixel is not None:
            return self.best.metres_per_pixel
        return metres_in(self.experiment.description["data"].get("sheet", {}) if self.experiment else {})


def _divided(forward: Forward, temperature: float) -> Forward:
    return lambda images: forward(images) / temperature


def _forwards(loaded: Sequence[Loaded], device: torch.device, *, tta: bool) -> tuple[Forward, Forward]:
    """Return the forward passes of the leader alone and of all models, with symmetries where wanted."""
    forwards = [within_memory(ready(model, best.recipe, device)) for model, best in loaded]
    together = ensemble(forwards)
    return forwards[0], with_symmetries(together) if tta else together
