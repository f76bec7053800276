"""``Recipe``: all hyperparameters of one training, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trainables.augment.presets import PRESETS
from trainables.documents import DamagedError, parse_json, parse_toml, quoted
from trainables.errors import RecipeError, nearest
from trainables.losses.registry import LOSSES

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
MODEL_SIZES = ("full", "tiny")
OPTIMIZERS = ("AdamW", "Adam")
SCHEDULES = ("plateau", "cosine", "constant")
PLATEAU_METRICS = ("iou", "f1")
MAX_EPOCHS = 99_999
"""The file name of a trial's state has five digits for the epoch."""
MAX_SEED = 2**32 - 1
"""NumPy's RandomState, with which Optuna samples, takes no larger one."""
MAX_CROP = 16_384
MAX_WINDOW = 65_536
MAX_DRAWS = 1_000_000
MAX_BATCH = 4_096
MAX_WAIT = 1_000_000
"""Of the numbers of epochs after which something happens, if ever."""
CLASS_WEIGHTS = ("none", "inverse_frequency")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All hyperparameters of one training; the defaults are the study's shared recipe.

    It is the only thing that a search space produces and a trial consumes, and it round-trips through
    TOML, JSON, a Tune config and checkpoint metadata.

    Attributes:
        architecture: A name in the registry of architectures.
        optimizer: ``AdamW`` (decoupled weight decay) or ``Adam`` (weight decay as a part of the gradient).
        learning_rate: The optimizer's step size, in (0, 1].
        weight_decay: The optimizer's weight decay, in [0, 1].
        loss: Name of a loss in ``trainables.losses.registry``.
        bce_weight: w in ``w*CE + (1-w)*Dice``, in [0, 1]; CE is the binary cross-entropy in a binary task, the
            cross-entropy over classes else. 1 is cross-entropy alone.
        class_weights: Of the cross-entropy: ``none``, ``inverse_frequency`` (of the train tiles that the trial sees),
            or one number a class, ``0.5,1.5,3,4``, each at least 0.
        decoder_dropout: Probability that a decoder channel is dropped between stages, in [0, 0.95].
        augmentation: Name of a preset in ``trainables.augment.presets``.
        crop_size: Side of a training view in pixels, a multiple of 32 up to 16,384; a smaller tile is padded with
            pixels that do not count.
        draws_per_epoch: Sample draws an epoch, with replacement, from 2 to 1,000,000.
        batch_size: Sample draws a step, from 2 (BatchNorm has no statistics over one pooled value) to 4,096.
        max_epochs: Epochs after which training ends, from 1 to 99,999.
        patience: Epochs without a better val IoU before training ends early, from 1 to 1,000,000.
        schedule: ``plateau`` lowers the learning rate when val stands still, ``cosine`` takes it down to
            ``min_learning_rate`` along half a cosine over ``max_epochs`` (with two stages, over those of each),
            ``constant`` leaves it.
        plateau_metric: What has to stand still: val ``iou`` or val ``f1`` (Dice).
        plateau_factor: What the learning rate is multiplied with on a plateau, in (0, 1).
        plateau_patience: Epochs without a better value before that happens, from 0 to 1,000,000.
        min_learning_rate: What no schedule goes below, in [0, 1].
        frozen_epochs: Epochs with the pretrained encoder frozen, from 0 to 1,000,000. Permanently frozen encoders
            (SAM) and models without a pretrained encoder ignore it.
        unfrozen_rate_factor: The encoder's learning rate once unfrozen, as a share of ``learning_rate``, in (0, 1].
        ema_decay: Decay a step of the exponential moving average of the weights, in [0, 1); 0 is off. It begins
            smaller and rises: ``min(decay, (1 + n) / (10 + n))`` at update n.
        clip_norm: Largest gradient norm, in [0, 1e9]; 0 is off.
        precision: Arithmetic of the forward pass; ``auto`` is bf16 or fp16 on CUDA and fp32 on the CPU.
        validation_crop: Side in pixels of the centred window of each val tile that is scored every epoch;
            0 scores whole tiles; at most 65,536. The final scores of a trial are always of whole tiles.
        model_size: ``full``, or ``tiny`` for the few-thousand-parameter stand-ins of the smoke profile.
        seed: Seeds the initial weights, the draws and the dropout, from 0 to 2^32 - 1.
    """

    architecture: str = "unet"
    optimizer: str = "AdamW"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    loss: str = "ce_dice"
    bce_weight: float = 0.5
    class_weights: str = "none"
    decoder_dropout: float = 0.3
    augmentation: str = "MEDIUM"
    crop_size: int = 1024
    draws_per_epoch: int = 400
    batch_size: int = 4
    max_epochs: int = 60
    patience: int = 10
    schedule: str = "plateau"
    plateau_metric: str = "iou"
    plateau_factor: float = 0.5
    plateau_patience: int = 3
    min_learning_rate: float = 0.0
    frozen_epochs: int = 20
    unfrozen_rate_factor: float = 0.1
    ema_decay: float = 0.0
    clip_norm: float = 0.0
    precision: str = "auto"
    validation_crop: int = 0
    model_size: str = "full"
    seed: int = 42

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check_type(field.name, getattr(self, field.name), str(field.type))
        _check_name("augmentation", self.augmentation, tuple(PRESETS))
        _check_name("loss", self.loss, tuple(LOSSES))
        _check_name("precision", self.precision, PRECISIONS)
        _check_name("model_size", self.model_size, MODEL_SIZES)
        _check_name("optimizer", self.optimizer, OPTIMIZERS)
        _check_name("schedule", self.schedule, SCHEDULES)
        _check_name("plateau_metric", self.plateau_metric, PLATEAU_METRICS)
        _ = self.given_class_weights
        _check(self, "learning_rate", 0 < self.learning_rate <= 1, "in (0, 1]")
        _check(self, "weight_decay", 0 <= self.weight_decay <= 1, "in [0, 1]")
        _check(self, "bce_weight", 0 <= self.bce_weight <= 1, "in [0, 1]")
        _check(self, "decoder_dropout", 0 <= self.decoder_dropout <= 0.95, "in [0, 0.95]")
        crop = 32 <= self.crop_size <= MAX_CROP and self.crop_size % 32 == 0
        _check(self, "crop_size", crop, f"a multiple of 32, at least 32 and at most {MAX_CROP}")
        _check(self, "plateau_factor", 0 < self.plateau_factor < 1, "in (0, 1)")
        _check(self, "unfrozen_rate_factor", 0 < self.unfrozen_rate_factor <= 1, "in (0, 1]")
        _check(self, "ema_decay", 0 <= self.ema_decay < 1, "in [0, 1)")
        window = 0 <= self.validation_crop <= MAX_WINDOW and self.validation_crop % 32 == 0
        _check(self, "validation_crop", window, f"0 or a multiple of 32, at most {MAX_WINDOW}")
        for name, least, most in (
            ("clip_norm", 0, 1e9),
            ("min_learning_rate", 0, 1),
            ("draws_per_epoch", 2, MAX_DRAWS),
            ("batch_size", 2, MAX_BATCH),
            ("max_epochs", 1, MAX_EPOCHS),
            ("patience", 1, MAX_WAIT),
            ("plateau_patience", 0, MAX_WAIT),
            ("frozen_epochs", 0, MAX_WAIT),
            ("seed", 0, MAX_SEED),
        ):
            allowed = f"at least {least}" if getattr(self, name) < least else f"at most {most:,}"
            _check(self, name, least <= getattr(self, name) <= most, allowed)

    @property
    def given_class_weights(self) -> tuple[float, ...]:
        """The numbers in ``class_weights``; none where it is a word.

        Raises:
            RecipeError: It is neither.
        """
        if self.class_weights in CLASS_WEIGHTS:
            return ()
        try:
            weights = tuple(float(part) for part in self.class_weights.split(","))
        except ValueError:
            weights = ()
        if not weights or not all(math.isfinite(one) and one >= 0 for one in weights) or not any(weights):
            raise RecipeError(
                f"recipe field class_weights is {quoted(self.class_weights)}; it must be "
                f"{' or '.join(CLASS_WEIGHTS)}, or a number a class that is at least 0, such as 0.5,1.5,3"
            )
        return weights

    def replace(self, **changes: Any) -> Recipe:
        """Return a copy with some fields changed, validated anew."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, str | int | float]:
        """Return the fields as a flat dict of plain values (a Tune config, a JSON object)."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """Build a recipe from a flat dict.

        Raises:
            RecipeError: An unknown field, a value of the wrong type or outside its range.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                raise RecipeError(f"recipe field {name!r} does not exist; {nearest(name, known)}")
        return cls(**values)

    def to_json(self) -> str:
        """Return the recipe as a JSON object, one field a line."""
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Read what ``to_json`` wrote."""
        return cls.from_dict(_fields(parse_json, text))

    def to_toml(self) -> str:
        """Return the recipe as TOML ``key = value`` lines."""
        return "".join(f"{name} = {json.dumps(value)}\n" for name, value in self.to_dict().items())

    @classmethod
    def from_toml(cls, text: str) -> Recipe:
        """Read what ``to_toml`` wrote."""
        return cls.from_dict(_fields(parse_toml, text))


def _fields(parse: Callable[[str, type[dict[str, Any]]], dict[str, Any]], text: str) -> dict[str, Any]:
    try:
        return parse(text, dict[str, Any])
    except DamagedError as error:
        raise RecipeError(f"recipe: {error}; restore the text") from error


def _check_type(name: str, value: object, annotation: str) -> None:
    """Raise unless ``value`` is of the annotated type; an int counts as a float, a bool as neither."""
    wanted: tuple[type, ...] = {"str": (str,), "int": (int,), "float": (int, float)}[annotation]
    if isinstance(value, bool) or not isinstance(value, wanted):
        raise RecipeError(f"recipe field {name} is {quoted(value)}; it must be of type {annotation}")
    if isinstance(value, float) and not math.isfinite(value):
        raise RecipeError(f"recipe field {name} is {quoted(value)}; it must be a finite number")


def _check(recipe: Recipe, name: str, ok: bool, allowed: str) -> None:
    if not ok:
        raise RecipeError(f"recipe field {name} is {quoted(getattr(recipe, name))}; it must be {allowed}")


def _check_name(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise RecipeError(f"recipe field {name} is {quoted(value)}; {nearest(value, known)}")
