"""``Architecture``: an entry of the registry, and what can be known of it without loading model code."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from trainables.errors import RecipeError, WeightsError
from trainables.models.weights import Weights
from trainables.recipe import Recipe

if TYPE_CHECKING:
    from trainables.models.base import SegmentationModel

OWN = "own"
"""What ``needs`` begins with for an architecture that a user wrote."""
Factory = Callable[["Recipe", "Weights", int, int], "SegmentationModel"]
"""Called as ``factory(recipe, weights, channels, bands)``."""
Function = TypeVar("Function", bound=Factory)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """An entry of the registry.

    Attributes:
        name: What users type; for a file, its absolute path and function.
        title: What tables print.
        track: ``cnn``, ``sam`` or ``vit`` (another foundation model's); decides the shared recipe's learning rate and
            batch size, and what an epoch is estimated to cost.
        needs: The pretrained weights that it needs; see ``trainables.models.weights``.
        factory: Builds the model from a recipe, resolved weights, the number of channels and that of the images' bands.
        transformer: Its encoder is a vision transformer that is trained, with a tenth of a CNN's learning rate.
        fixed_encoder: The encoder is never trained, and so the same for all trials with the same weights.
        lora: Low-rank adapters in its encoder are trained, and not the encoder itself.
        staged: Its decoder has stages whose logits deep supervision can train.
        changes: What its shared recipe has of its own.
        probe: Nothing is trained by gradients: a classifier of pixels is fitted to the fixed encoder's features.
        extra: The extra to install for it; empty for none.
        packages: The packages of that extra.
        known_bytes: ``checkpoint_bytes`` where they are known without building the model.
    """

    name: str
    title: str
    track: Literal["cnn", "sam", "vit"]
    needs: str
    factory: Factory
    transformer: bool = False
    fixed_encoder: bool = False
    lora: bool = False
    staged: bool = False
    changes: Mapping[str, int | float] = field(default_factory=dict, hash=False)
    probe: bool = False
    extra: str = ""
    packages: tuple[str, ...] = ()
    known_bytes: Mapping[str, int] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.lora:
            object.__setattr__(self, "extra", "lora")
            object.__setattr__(self, "packages", ("peft",))

    @property
    def own(self) -> bool:
        """Whether a user wrote it."""
        return self.needs.startswith(f"{OWN}:")

    @property
    def slug(self) -> str:
        """The name for folders and attempts: letters, digits, ``_``, ``.`` and ``-`` alone."""
        name = self.name
        if self.own and ".py:" in name:
            file, _, function = name.replace("\\", "/").rpartition("/")[2].rpartition(":")
            name = f"{file.removesuffix('.py')}-{function}"
        return re.sub(r"[^A-Za-z0-9_.-]", "_", re.sub(r"[:/]", "-", name)).lstrip(".-") or OWN

    @property
    def pace(self) -> Literal["cnn", "sam", "vit", "transformer"]:
        """Which learning rates suit it; a probe has none."""
        return "transformer" if self.transformer else self.track

    @property
    def rgb_alone(self) -> bool:
        """Whether its encoder takes three bands and no others."""
        return self.track != "cnn"

    @property
    def two_stages(self) -> bool:
        """Whether it may have a pretrained encoder that is frozen first and trained later."""
        return self.needs.startswith(("imagenet", f"{OWN}:"))

    def checkpoint_bytes(self, model_size: str) -> int:
        """Return the size of the weights and statistics that its checkpoints hold, for one logit per pixel.

        Args:
            model_size: As in a recipe: ``full`` or ``tiny``.
        """
        return self.known_bytes[model_size] if model_size in self.known_bytes else _measure(self, model_size)

    @property
    def missing(self) -> list[str]:
        """The packages that it needs and that are not installed."""
        return [package for package in self.packages if find_spec(package) is None]

    def require(self) -> None:
        """Check that what it needs is installed.

        Raises:
            RecipeError: A package is missing.
        """
        if self.missing:
            raise RecipeError(
                f"architecture {self.name}: needs the package {', '.join(self.missing)}; install it with: "
                f"pip install 'tilesweep[{self.extra}]'"
            )

    def build(
        self, recipe: Recipe, weights: Weights, channels: int = 1, *, bands: int = 3, seed: int | None = None
    ) -> SegmentationModel:
        """Build the model, its initial weights a function of the seed and ``weights`` alone.

        Args:
            recipe: Uses ``seed``, ``decoder_dropout`` and ``model_size``.
            weights: What ``trainables.models.resolving.resolve`` returned for ``needs``.
            channels: Logits per pixel: 1 for a binary task, one per class else.
            bands: Bands of the images.
            seed: Of the initial weights; None is the recipe's, which is always that of a fixed encoder's.

        Returns:
            The model on the CPU, in training mode, its encoder frozen only if it is fixed.

        Raises:
            RecipeError: A package that it needs is missing, an architecture of one's own that does not build, or one
                that does not take so many bands.
            WeightsError: Weights that are damaged, of another model, or asked for a tiny stand-in.
        """
        import torch

        if recipe.model_size == "tiny" and weights.path:
            raise WeightsError(f"{weights.path}: a tiny stand-in of {self.name} takes no pretrained weights")
        self.require()
        if self.rgb_alone and bands != 3:
            raise RecipeError(f"architecture {self.name}: its encoder takes three bands, and the images have {bands}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed if seed is None else seed)
            return self.factory(recipe, weights, channels, bands)


REGISTERED: dict[str, Architecture] = {}
"""The entries of the files that were imported so far; ``trainables.models.registry`` imports all of them."""


def architecture(**about: Any) -> Callable[[Function], Function]:
    """Register an architecture that the decorated function builds.

    Args:
        about: The attributes of ``Architecture``, but for ``factory``.

    Returns:
        A decorator that returns the function itself.

    Raises:
        ValueError: Another file has registered the name.
    """

    def register(factory: Function) -> Function:
        entry = Architecture(factory=factory, **about)
        if (other := REGISTERED.get(entry.name)) and other.factory.__module__ != factory.__module__:
            raise ValueError(f"{entry.name} is registered by {other.factory.__module__} and {factory.__module__}")
        REGISTERED[entry.name] = entry
        return factory

    return register


@lru_cache
def _measure(entry: Architecture, model_size: str) -> int:
    """Build a model to see how large its checkpoints are, without memory for its weights where that works."""
    import torch

    recipe = Recipe(architecture=entry.name, model_size=model_size)
    weights = Weights(kind="random", needs=entry.needs)
    try:
        with torch.device("meta"):
            model = entry.build(recipe, weights)
    except (NotImplementedError, RuntimeError):  # some libraries read numbers off tensors while they build
        model = entry.build(recipe, weights)
    return sum(tensor.numel() * tensor.element_size() for tensor in model.portable_state_dict().values())
