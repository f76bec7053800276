"""``ProbeTrainer``: a training whose one epoch fits a probe in closed form."""

from __future__ import annotations

import time
from typing import cast

import torch
from torch import Tensor

from trainables.epochs import Measured
from trainables.metrics import SplitScore
from trainables.models.probe import ProbeModel
from trainables.models.probe_names import methods_of
from trainables.probes.density import Density, fit_density
from trainables.probes.ridge import Ridge, fit_ridge
from trainables.probes.samples import Samples, draw_samples
from trainables.refit import Refit
from trainables.scoring import scale
from trainables.training import Trainer
from trainables.wording import counted


class ProbeTrainer(Trainer):
    """Fits a probe to the train tiles, in one epoch, which looks at as many windows as an epoch of a training would.

    No gradient is computed. What there is to choose, the method, the penalty, the threshold and the temperature, is
    chosen by leaving out scenes of train; val has no part in it. The epoch's loss is the cross-entropy of the pixels
    that were left out.
    """

    takes_steps = False

    def run_epoch(self) -> Measured:
        """Fit and validate; ``judge`` is to follow."""
        self.epoch += 1
        started = time.perf_counter()
        model = cast("ProbeModel", self.model).eval()
        samples = draw_samples(
            self._data.train,
            self._data.scenes,
            self._data.task,
            self._levels,
            window=self.recipe.crop_size,
            windows=self.recipe.draws_per_epoch,
            seed=self._seed,
        )
        fitted = best_probe(samples, self.recipe.architecture, model.offset.numel(), seed=self._seed)
        model.take(fitted)
        self.memory.news += self._describe(samples, fitted)
        seconds = time.perf_counter() - started
        val: SplitScore = self.validate()
        return Measured(
            val=val,
            train_loss=fitted.decision.loss,
            learning_rate=0.0,
            step_seconds=seconds,
            data_seconds=0.0,
            seconds=time.perf_counter() - started,
            gpu_joules=None,
        )

    def _levels(self, image: Tensor) -> list[Tensor]:
        """Return what a (1, N, S, S) uint8 window's features are interpolated from, in float32."""
        model, encoder = cast("ProbeModel", self.model), self.fixed_encoder
        assert encoder is not None
        features = encoder.encode_kept(image) if encoder.keeps else encoder.encode(image)
        with torch.no_grad():
            return model.levels(scale(image, self.device), features)

    def _describe(self, samples: Samples, fitted: Ridge | Density) -> list[str]:
        lines = [
            f"fitted {fitted.summary}, threshold and temperature, by leaving out "
            f"{samples.number_of_groups} groups of {samples.grouped_by} of train: IoU of their pixels "
            f"{fitted.decision.iou:.3f}; {counted(len(samples.classes), 'pixel')}, {samples.features.shape[1]} features"
        ]
        if absent := self._data.absent_classes:
            lines.append(f"no train tile shows {', '.join(absent)}: never predicted")
        return lines

    @property
    def finished(self) -> bool:
        """Whether it has been fitted."""
        return self.epoch >= 1

    @property
    def steps_per_epoch(self) -> int:
        """One, which fits."""
        return 1

    @property
    def fitted(self) -> str | None:
        """The method that was best for scenes that were left out."""
        return cast("ProbeModel", self.model).method

    @property
    def trainable_parameters(self) -> int:
        """Numbers that were fitted."""
        return cast("ProbeModel", self.model).fitted_numbers


class ProbeRefit(ProbeTrainer, Refit):
    """Fits a probe to all tiles, after a cross-validation has scored it."""


def best_probe(samples: Samples, architecture: str, channels: int, *, seed: int) -> Ridge | Density:
    """Fit a probe by each method that its name allows, and return the one that is best for left-out groups."""
    fitted: list[Ridge | Density] = []
    if "ridge" in methods_of(architecture):
        fitted.append(fit_ridge(samples, channels))
    if "density" in methods_of(architecture):
        fitted.append(fit_density(samples, channels, seed=seed))
    return max(fitted, key=lambda one: one.decision.iou)
