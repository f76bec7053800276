"""A user's own space: a Python file with one function."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search_spaces.phase2 import Space
from trainables.documents import quoted
from trainables.errors import RecipeError, SpaceError, nearest
from trainables.models.registry import get_architecture
from trainables.recipe import FIELDS, Recipe

MAX_KNOBS = 100
"""Entries of a space; a recipe has fewer fields."""
MAX_CHOICES = 1_000
"""Choices of one field: more than a search ever tries."""
TWO_STAGE_ONLY = ("frozen_epochs", "unfrozen_rate_factor")
"""Fields that do nothing for an architecture without an ImageNet encoder to freeze and unfreeze."""
LORA_ONLY = ("lora_rank", "lora_alpha", "lora_targets")
"""Fields that do nothing for an architecture without adapters."""


def load_space(path: Path) -> Callable[[str], Space]:
    """Load ``space(architecture) -> {recipe field: Optuna distribution}`` from a Python file, which is run.

    Raises:
        SpaceError: No such file, it does not run, or it defines no such function.
    """
    specification = importlib.util.spec_from_file_location("tilesweep_user_space", path) if _is_file(path) else None
    if specification is None or specification.loader is None:
        raise SpaceError(f"--space {path}: is not a Python file; see docs/phase2.md for an example")
    module = importlib.util.module_from_spec(specification)
    with _running(path, "does not run"):
        specification.loader.exec_module(module)
        function = getattr(module, "space", None)
    if not callable(function):
        raise SpaceError(f"--space {path}: defines no function space(architecture); see docs/phase2.md")

    def space(architecture: str) -> Space:
        call = f"space({architecture!r})"
        with _running(path, f"{call} fails"):
            found = _plain(function(architecture))
        if not found:
            raise SpaceError(f"--space {path}: {call} returns no dict of name to distribution; see docs/phase2.md")
        return found

    return space


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


@contextmanager
def _running(path: Path, what: str) -> Iterator[None]:
    """Run code of the user's in the block; whatever it raises is a fault of its file, reported in a line.

    Raises:
        SpaceError: As said.
        KeyboardInterrupt: Ctrl-C; says where it came.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted while --space {path} ran; nothing was started") from None
    except BaseException as error:  # GeneratorExit and what derives from BaseException, too
        raise SpaceError(f"--space {path}: {what} ({type(error).__name__}{_message(error)}); fix it") from error


def _message(error: BaseException) -> str:
    try:
        return f": {error}" if str(error) else ""
    except Exception:
        return ""


def _plain(found: Any) -> dict[str, Any]:
    """Return a mapping of names to whatever they map to as a dict of its own; empty where it is something else."""
    if not isinstance(found, Mapping):
        return {}
    names = list(islice(iter(found), MAX_KNOBS + 1))
    if len(names) > MAX_KNOBS or not all(type(name) is str for name in names):
        return {}
    return {name: found[name] for name in names}


def check_spaces(spaces: Mapping[str, Space], shared: Mapping[str, Recipe], origin: str) -> None:
    """Check the spaces of all architectures against what a recipe can hold.

    Raises:
        SpaceError: All faults at once.
    """
    faults = [
        f"{origin}: {fault} ({architecture})"
        for architecture, space in spaces.items()
        for name, values in space.items()
        for fault in _faults(architecture, name, values, shared[architecture])
    ]
    if faults:
        raise SpaceError(faults)


def include_shared(space: Space, shared: Recipe) -> Space:
    """Add the shared recipe's value to choices that lack it: it is every search's first trial.

    A range need not contain it; Optuna takes a first trial outside of it.
    """
    values = shared.to_dict()
    return {
        name: CategoricalDistribution((*found.choices, values[name]))
        if isinstance(found, CategoricalDistribution) and values[name] not in found.choices
        else found
        for name, found in space.items()
    }


def _faults(architecture: str, name: str, values: object, shared: Recipe) -> list[str]:
    if name not in FIELDS:
        return [f"{name!r} is no recipe field; {nearest(name, [field for field in FIELDS if not FIELDS[field].fixed])}"]
    if why := FIELDS[name].fixed:
        return [f"{name} cannot be searched: {why}"]
    if name in TWO_STAGE_ONLY and not get_architecture(architecture).two_stages:
        return [f"{name} does nothing without a pretrained encoder that is trained; leave it out"]
    if name in LORA_ONLY and not get_architecture(architecture).lora:
        return [f"{name} does nothing without LoRA; leave it out, or take an architecture that has it"]
    if type(values) not in (CategoricalDistribution, FloatDistribution, IntDistribution):
        return [
            f"{name} is {quoted(values)}; give a distribution such as FloatDistribution(1e-4, 1e-2, log=True), "
            f"IntDistribution or CategoricalDistribution of optuna itself"
        ]
    extremes = _extremes(values)
    if len(extremes) > MAX_CHOICES:
        return [f"{name} has {len(extremes):,} choices; give {MAX_CHOICES:,} at most, or a range"]
    found = []
    for value in extremes:
        try:
            shared.replace(**{name: value})
        except RecipeError as error:
            found.append(str(error))
    return found


def _extremes(values: Any) -> Sequence[Any]:
    choices: Sequence[Any] = values.choices if type(values) is CategoricalDistribution else (values.low, values.high)
    return choices
