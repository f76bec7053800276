"""What every architecture keeps to, as small checks that a test, a command or a sweep can run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.errors import TilesweepError
from trainables.models.base import SegmentationModel
from trainables.models.own_source import GUIDE, summary_of
from trainables.models.registry import Architecture, get_architecture
from trainables.models.weights import Weights
from trainables.recipe import Recipe

ODD = 37
"""Pixels that one side is longer by where a size is to fit nothing."""


class BrokenError(Exception):
    """A check that found something wrong; its text says what."""


@dataclass(frozen=True, kw_only=True)
class ModelUnderTest:
    """What is checked.

    Attributes:
        entry: The architecture.
        recipe: Used by its builder.
        channels: Logits per pixel.
        bands: Bands of the images.
        size: Side of the images in pixels.
    """

    entry: Architecture
    recipe: Recipe
    channels: int = 1
    bands: int = 3
    size: int = 64

    def build(self, *, channels: int | None = None, seed: int | None = None, dropout: float = 0.0) -> SegmentationModel:
        """Build the model with random weights and, unless said otherwise, without dropout."""
        recipe = self.recipe.replace(decoder_dropout=dropout, seed=self.recipe.seed if seed is None else seed)
        weights = Weights(kind="none" if self.entry.needs == "none" else "random", needs=self.entry.needs)
        return self.entry.build(recipe, weights, channels or self.channels, bands=self.bands)

    def images(self, batch: int = 2, *, longer: int = 0) -> Tensor:
        """Return (batch, bands, size, size + longer) float in [0, 1], always the same."""
        generator = torch.Generator().manual_seed(0)
        return torch.rand(batch, self.bands, self.size, self.size + longer, generator=generator)


@dataclass(frozen=True, kw_only=True)
class ContractCheck:
    """One thing that an architecture keeps to.

    Attributes:
        name: What is promised.
        fix: What to do where it is not kept.
        run: Raises ``BrokenError``, or anything else.
        quick: Part of what a sweep checks before any trial.
        advice: An architecture that does not keep to it can be trained all the same.
    """

    name: str
    fix: str
    run: Callable[[ModelUnderTest], None]
    quick: bool = False
    advice: bool = False


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a check found.

    Attributes:
        check: The check.
        fault: One line; empty where all is well.
        fix: What to do about it.
    """

    check: ContractCheck
    fault: str = ""
    fix: str = ""

    @property
    def failed(self) -> bool:
        """Whether the architecture cannot be used."""
        return bool(self.fault) and not self.check.advice


def _require(ok: bool, fault: str) -> None:
    if not ok:
        raise BrokenError(fault)


def _shapes(subject: ModelUnderTest) -> None:
    for channels in sorted({1, 3, subject.channels}):
        model = subject.build(channels=channels).eval()
        for longer in (0, ODD):
            images = subject.images(longer=longer)
            wanted = (len(images), channels, *images.shape[-2:])
            with torch.inference_mode():
                found = tuple(model(images).shape)
            _require(found == wanted, f"images {tuple(images.shape)} give {found}, not {wanted}")


def _finite(subject: ModelUnderTest) -> None:
    for training in (True, False):
        with torch.no_grad():
            outputs = subject.build().train(training).forward_with_auxiliary(subject.images())
        for output in outputs:
            _require(output.dtype.is_floating_point, f"logits are of the type {output.dtype}")
            _require(bool(output.isfinite().all()), f"NaN or infinite logits in {_mode(training)} mode")


def _mode(training: bool) -> str:
    return "training" if training else "evaluation"


def _gradients(subject: ModelUnderTest) -> None:
    model = subject.build().train()
    torch.autograd.backward(_loss(model, subject.images()))
    for part, parameters in (("decoder", model.decoder_parameters()), ("encoder", model.encoder_parameters())):
        learning = [parameter for parameter in parameters if parameter.requires_grad]
        reached = any(parameter.grad is not None and parameter.grad.count_nonzero() for parameter in learning)
        _require(reached or not parameters or model.encoder_frozen, f"no gradient reaches the {part}")
    _require(bool(model.decoder_parameters()), "nothing outside the encoder can learn")
    fixed = [name for name, one in model.named_parameters() if model.is_fixed(name) and one.grad is not None]
    _require(not fixed, f"a gradient reaches the fixed {fixed[0] if fixed else ''}")


def _loss(model: SegmentationModel, images: Tensor) -> Tensor:
    total = torch.zeros(())
    for output in model.forward_with_auxiliary(images):
        total = total + (output - 0.5).square().mean()
    return total


def _freezing(subject: ModelUnderTest) -> None:
    model = subject.build()
    if model.encoder is None:
        return
    model.freeze_encoder()
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD([one for one in model.parameters() if one.requires_grad], lr=0.1)
    torch.autograd.backward(_loss(model, subject.images()))
    optimizer.step()
    moved = [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])]
    still = [name for name in moved if model.in_encoder(name)]
    _require(bool(moved), "nothing learns while the encoder is frozen")
    _require(not still, f"{still[0] if still else ''} changes although the encoder is frozen")
    model.unfreeze_encoder()
    learning = any(one.requires_grad for one in model.encoder_parameters())
    _require(learning or not model.encoder_parameters(), "an unfrozen encoder does not learn")


def _dropout(subject: ModelUnderTest) -> None:
    images = subject.images(4)
    model = subject.build(dropout=0.5).train()
    with torch.no_grad():
        _require(not torch.equal(model(images), model(images)), "recipe.decoder_dropout changes nothing")


def _no_other_dropout(subject: ModelUnderTest) -> None:
    images = subject.images(4)
    model = subject.build(dropout=0.0).train()
    with torch.no_grad():
        _require(torch.equal(model(images), model(images)), "training is random although recipe.decoder_dropout is 0")


def _deterministic(subject: ModelUnderTest) -> None:
    model = subject.build(dropout=0.5).eval()
    with torch.no_grad():
        _require(torch.equal(model(subject.images()), model(subject.images())), "two passes differ in evaluation mode")


def _batch_free(subject: ModelUnderTest) -> None:
    model = subject.build().eval()
    images = subject.images(3)
    with torch.no_grad():
        together, alone = model(images), torch.cat([model(image[None]) for image in images])
    worst = float((together - alone).abs().max())
    _require(
        torch.allclose(together, alone, atol=1e-3, rtol=1e-3), f"an image's logits change by {worst:.2g} in a batch"
    )


def _seeded(subject: ModelUnderTest) -> None:
    def state(seed: int) -> dict[str, Tensor]:
        return subject.build(seed=seed).state_dict()

    first, second, other = state(1), state(1), state(2)
    differing = [name for name in first if not torch.equal(first[name], second[name])]
    _require(not differing, f"{differing[0] if differing else ''} differs between two builds with one seed")
    _require(any(not torch.equal(first[name], other[name]) for name in first), "the seed changes nothing")


def _portable(subject: ModelUnderTest) -> None:
    model, other = subject.build(seed=1).eval(), subject.build(seed=1).eval()
    with torch.no_grad():
        for parameter in model.decoder_parameters():
            parameter.add_(0.01)
    state = model.portable_state_dict()
    shared = len({value.data_ptr() for value in state.values() if value.numel()})
    _require(shared == len([1 for value in state.values() if value.numel()]), "two tensors of its state share memory")
    other.load_portable_state_dict({name: value.clone() for name, value in state.items()})
    with torch.no_grad():
        same = torch.equal(model(subject.images()), other(subject.images()))
    _require(same, "its logits change when its weights are saved and loaded")


def _channels_last(subject: ModelUnderTest) -> None:
    model = subject.build().train()
    model.to(memory_format=torch.channels_last)
    images = subject.images().contiguous(memory_format=torch.channels_last)
    try:
        torch.autograd.backward(_loss(model, images))
    except RuntimeError as error:
        raise BrokenError(f"a step fails there ({summary_of(error)})") from error


CHECKS: Sequence[ContractCheck] = (
    ContractCheck(
        name="gives logits of the images' size",
        fix="return (B, channels, h, w) for any size that stride divides; h and w may be smaller, they are upsampled",
        run=_shapes,
        quick=True,
    ),
    ContractCheck(
        name="gives finite numbers", fix="look for a division by zero, or a logarithm of it", run=_finite, quick=True
    ),
    ContractCheck(
        name="learns: gradients reach decoder and encoder",
        fix="leave out detach() and no_grad(); the last layers must not be in encoder",
        run=_gradients,
        quick=True,
    ),
    ContractCheck(
        name="trains in channels_last, as every training here does",
        fix="use reshape() instead of view()",
        run=_channels_last,
        quick=True,
    ),
    ContractCheck(
        name="stands still where its encoder is frozen",
        fix="override neither train() nor the BatchNorm statistics of the encoder",
        run=_freezing,
        quick=True,
    ),
    ContractCheck(
        name="is deterministic in evaluation mode",
        fix="use nn.Dropout2d, which eval() switches off, not functional dropout",
        run=_deterministic,
    ),
    ContractCheck(
        name="treats each image of a batch alone in evaluation mode",
        fix="compute nothing over the batch's dimension but BatchNorm",
        run=_batch_free,
    ),
    ContractCheck(
        name="has initial weights that the seed alone decides",
        fix="draw from torch's generator alone, never from numpy, random or a seed of your own",
        run=_seeded,
    ),
    ContractCheck(
        name="comes back from its saved weights",
        fix="keep everything learnt in parameters and buffers, each under one name",
        run=_portable,
        quick=True,
    ),
    ContractCheck(
        name="drops channels as recipe.decoder_dropout says",
        fix="put nn.Dropout2d(recipe.decoder_dropout) between decoder stages, or phase 2 searches a dead knob",
        run=_dropout,
        advice=True,
    ),
    ContractCheck(
        name="has no other dropout",
        fix="set a library's own dropout and drop_path to 0, or dropout means something else in each architecture",
        run=_no_other_dropout,
        advice=True,
    ),
)


def examine(subject: ModelUnderTest, checks: Sequence[ContractCheck] = CHECKS) -> list[Verdict]:
    """Run checks; none of them raises, whatever the architecture does.

    Returns:
        One verdict a check; after one that says that the model does not build, no more.
    """
    try:
        subject.build()
    except (Exception, SystemExit) as error:
        builds = ContractCheck(name="builds", fix=GUIDE, run=lambda _: None)
        return [_judge(builds, error)]
    found = []
    for check in checks:
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                check.run(subject)
            found.append(Verdict(check=check))
        except (Exception, SystemExit) as error:
            found.append(_judge(check, error))
    return found


def verdict(name: str, channels: int, recipe: Recipe, bands: int = 3) -> list[str]:
    """Check quickly, before any trial, whether an architecture can be trained.

    Args:
        name: The architecture's.
        channels: Logits per pixel.
        recipe: Used by its builder.
        bands: Bands of the images.

    Returns:
        One line a fault that names the architecture, what is wrong and the fix; none where all is well.
    """
    try:
        entry = get_architecture(name)
    except TilesweepError as error:
        return list(error.faults)
    subject = ModelUnderTest(
        entry=entry, recipe=recipe.replace(architecture=entry.name), channels=channels, bands=bands
    )
    failed = [one for one in examine(subject, [check for check in CHECKS if check.quick]) if one.failed]
    lines = {
        one.fault: f"{one.fault}; {one.fix}" if one.fix else one.fault  # one crash fails many checks alike
        for one in failed
    }
    return [
        line if line.startswith("architecture ") else f"architecture {entry.name}: {line}" for line in lines.values()
    ]


def _judge(check: ContractCheck, error: BaseException) -> Verdict:
    """Return what an exception means; the ones that this project raises bring their fix along."""
    if isinstance(error, BrokenError):
        return Verdict(check=check, fault=str(error), fix=check.fix)
    if isinstance(error, TilesweepError):
        return Verdict(check=check, fault=" ".join(str(error).split()))
    return Verdict(check=check, fault=f"crashes ({summary_of(error)})", fix=f"fix it, {GUIDE}")
