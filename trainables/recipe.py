"""``Recipe``: all hyperparameters of one training, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any

from trainables.augment.presets import PRESETS
from trainables.documents import quoted
from trainables.errors import RecipeError, nearest
from trainables.losses.registry import LOSSES
from trainables.models.probe_names import is_probe
from trainables.recipe_fields import (
    COLUMN,
    COMPARABLE,
    MEMORY,
    PLAIN,
    Anything,
    Between,
    Choices,
    Multiple,
    Range,
    fields_of,
    known,
)

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
MAX_FOLDS = 50
"""Models that a cross-validation trains side by side."""
MAX_WAIT = 1_000_000
"""Of the numbers of epochs after which something happens, if ever."""
LORA_TARGETS = ("qkv", "attention", "all")
MAX_RANK = 256
MAX_ALPHA = 1_024
MAX_CONSISTENCY = 100
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
            or one number per class, ``0.5,1.5,3,4``, each at least 0.
        decoder_dropout: Probability that a decoder channel is dropped between stages, in [0, 0.95].
        augmentation: Name of a preset in ``trainables.augment.presets``.
        crop_size: Side of a training view in pixels, a multiple of 32 up to 16,384; a smaller tile is padded with
            pixels that do not count.
        draws_per_epoch: Sample draws per epoch, with replacement, from 2 to 1,000,000.
        batch_size: Sample draws per step, from 2 (BatchNorm has no statistics over one pooled value) to 4,096.
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
        lora_rank: Rank of the adapters of an architecture with LoRA, from 1 to 256; others ignore it and the next two.
        lora_alpha: What the adapters add is multiplied with ``lora_alpha / lora_rank``, in (0, 1024].
        lora_targets: Beside which layers they are: an attention's projections to queries, keys and values (``qkv``),
            its output's, too (``attention``), or every linear layer of the encoder (``all``).
        ema_decay: Decay a step of the exponential moving average of the weights, in [0, 1); 0 is off. It begins
            smaller and rises: ``min(decay, (1 + n) / (10 + n))`` at update n.
        consistency_weight: Of the loss on unlabelled images, in [0, 100]; 0 is off. The average of the weights, which
            ``ema_decay`` makes, labels a weak view of each, and the model learns these labels on a strong view of it.
        consistency_threshold: Probability from which on a pixel of that has a label, in [0, 1).
        consistency_ramp: Share of ``max_epochs`` over which the weight rises, in [0, 1].
        weak_augmentation: Preset of the views that are labelled so.
        strong_augmentation: Preset by which those views change into those that are trained on.
        deep_supervision: Weight of the loss on logits at half the size, in [0, 1]; each smaller size has half of the
            one before. 0 is off; architectures without a decoder of stages ignore it.
        clip_norm: Largest gradient norm, in [0, 1e9]; 0 is off.
        precision: Arithmetic of the forward pass; ``auto`` is bf16 or fp16 on CUDA; on a CPU fp32, or bf16 where a
            sweep measured that steps are faster in it.
        validation_crop: Side in pixels of the centred window of each val tile that is scored every epoch;
            0 scores whole tiles; at most 65,536. The final scores of a trial are always of whole tiles.
        model_size: ``full``, or ``tiny`` for the few-thousand-parameter stand-ins of the smoke profile.
        seed: Seeds the initial weights, the draws and the dropout, from 0 to 2^32 - 1.
    """

    architecture: str = known(
        "unet", Anything(), MEMORY | COMPARABLE | COLUMN, fixed="each architecture has a study of its own"
    )
    optimizer: str = known("AdamW", Choices(OPTIMIZERS), PLAIN)
    learning_rate: float = known(1e-3, Range(0, 1, low_open=True), COLUMN)
    weight_decay: float = known(1e-4, Range(0, 1), COLUMN)
    loss: str = known("ce_dice", Choices(LOSSES), MEMORY)
    bce_weight: float = known(0.5, Range(0, 1), COLUMN)
    class_weights: str = known("none", Anything(), PLAIN)
    decoder_dropout: float = known(0.3, Range(0, 0.95), COLUMN)
    augmentation: str = known("MEDIUM", Choices(PRESETS), COLUMN)
    crop_size: int = known(1024, Multiple(32, MAX_CROP), MEMORY | COMPARABLE)
    draws_per_epoch: int = known(
        400, Between(2, MAX_DRAWS), MEMORY | COMPARABLE, fixed="an epoch costs the same in all trials"
    )
    batch_size: int = known(4, Between(2, MAX_BATCH), MEMORY)
    max_epochs: int = known(
        60, Between(1, MAX_EPOCHS), COLUMN, fixed="all trials have the same maximum; use --max-epochs"
    )
    patience: int = known(10, Between(1, MAX_WAIT), PLAIN)
    schedule: str = known("plateau", Choices(SCHEDULES), PLAIN)
    plateau_metric: str = known("iou", Choices(PLATEAU_METRICS), PLAIN)
    plateau_factor: float = known(0.5, Range(0, 1, low_open=True, high_open=True), PLAIN)
    plateau_patience: int = known(3, Between(0, MAX_WAIT), PLAIN)
    min_learning_rate: float = known(0.0, Between(0, 1), PLAIN)
    frozen_epochs: int = known(20, Between(0, MAX_WAIT), PLAIN)
    unfrozen_rate_factor: float = known(0.1, Range(0, 1, low_open=True), PLAIN)
    lora_rank: int = known(8, Between(1, MAX_RANK), MEMORY)
    lora_alpha: float = known(8.0, Range(0, MAX_ALPHA, low_open=True), PLAIN)
    lora_targets: str = known("qkv", Choices(LORA_TARGETS), MEMORY)
    ema_decay: float = known(0.0, Range(0, 1, high_open=True), MEMORY | COLUMN)
    consistency_weight: float = known(0.0, Range(0, MAX_CONSISTENCY), MEMORY)
    consistency_threshold: float = known(0.9, Range(0, 1, high_open=True), PLAIN)
    consistency_ramp: float = known(0.4, Range(0, 1), PLAIN)
    weak_augmentation: str = known("LIGHT", Choices(PRESETS), PLAIN)
    strong_augmentation: str = known("HEAVY", Choices(PRESETS), PLAIN)
    deep_supervision: float = known(0.0, Range(0, 1), MEMORY)
    clip_norm: float = known(0.0, Between(0, 1e9), PLAIN)
    precision: str = known("auto", Choices(PRECISIONS), MEMORY)
    validation_crop: int = known(
        0, Multiple(32, MAX_WINDOW, or_zero=True), COMPARABLE, fixed="scores would not be comparable"
    )
    model_size: str = known("full", Choices(MODEL_SIZES), MEMORY | COMPARABLE, fixed="the profile decides it")
    seed: int = known(42, Between(0, MAX_SEED), COLUMN, fixed="a lucky seed is no recipe")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            _check_type(field.name, value, str(field.type))
            if fault := FIELDS[field.name].values.fault(value):
                raise RecipeError(f"recipe field {field.name} is {quoted(value)}; {fault}")
        _ = self.given_class_weights

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
                f"{' or '.join(CLASS_WEIGHTS)}, or a number per class that is at least 0, such as 0.5,1.5,3"
            )
        return weights

    def require_average(self) -> None:
        """Refuse unlabelled images without the average of the weights that labels them.

        Fields are checked one by one when a recipe is made, as a file may give some of them; this is for the whole.

        Raises:
            RecipeError: As said.
        """
        if self.consistency_weight and not self.ema_decay:
            raise RecipeError(
                f"recipe of {self.architecture}: consistency_weight is {self.consistency_weight:g} while ema_decay is "
                "0; the average of the weights labels unlabelled images: give ema_decay, such as 0.99"
            )

    def replace(self, **changes: Any) -> Recipe:
        """Return a copy with some fields changed, validated again."""
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


PROBE_FIELDS = ("architecture", "crop_size", "draws_per_epoch", "max_epochs", "precision", "validation_crop", "seed")
"""What decides a probe."""
FIELDS = fields_of(Recipe)
"""What is known of each field."""


def decided_by(recipe: Recipe, field: str) -> Any:
    """Return a field's value; None where it decides nothing: a probe has no optimizer, loss or augmentation."""
    if is_probe(recipe.architecture) and field not in PROBE_FIELDS:
        return None
    return getattr(recipe, field)


def _check_type(name: str, value: object, annotation: str) -> None:
    """Raise unless ``value`` is of the annotated type; an int counts as a float, a bool as neither."""
    wanted: tuple[type, ...] = {"str": (str,), "int": (int,), "float": (int, float)}[annotation]
    if isinstance(value, bool) or not isinstance(value, wanted):
        raise RecipeError(f"recipe field {name} is {quoted(value)}; it must be of type {annotation}")
    if isinstance(value, float) and not math.isfinite(value):
        raise RecipeError(f"recipe field {name} is {quoted(value)}; it must be a finite number")
