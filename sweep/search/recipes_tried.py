"""Which recipes a space holds, and a proposal that is none of those tried: the same recipe twice teaches nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from math import prod
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from trainables.errors import TilesweepError

TRIES = 20
"""Proposals that a sampler may repeat before the next untried recipe is taken at random."""
Values = tuple[tuple[str, Any], ...]


def key(values: Mapping[str, Any]) -> Values:
    """Return what makes two recipes the same one; a step's rounding does not make them differ."""
    return tuple(
        (name, round(value, 12) if isinstance(value, float) else value) for name, value in sorted(values.items())
    )


def holds(space: Mapping[str, BaseDistribution], shared: Mapping[str, Any]) -> int | None:
    """Count the recipes that a search can try.

    Args:
        space: Recipe field to what is searched.
        shared: The shared recipe's values of these fields: the first trial, which may be outside the space.

    Returns:
        At least 1; None for a space that holds a range without steps.
    """
    number = 1
    for values in space.values():
        if (choices := _choices(values)) is None:
            return None
        number *= len(choices)
    inside = all(values._contains(values.to_internal_repr(shared[name])) for name, values in space.items())
    return number + (not inside)


def require_trials(asked: int, found: Mapping[str, int], flag: str) -> None:
    """Refuse more confirmed recipes than an architecture's search tries.

    Raises:
        TilesweepError: There are fewer trials, or the number is negative.
    """
    least = min(found, key=lambda name: found[name])
    if not 0 <= asked <= found[least]:
        raise TilesweepError(f"{flag} {asked}: must be 0 to {found[least]}, the trials of {least}")


def propose(
    study: optuna.Study, space: Mapping[str, BaseDistribution], tried: Collection[Values], seed: int
) -> dict[str, Any]:
    """Propose a recipe that has not been tried, as long as there is one.

    Args:
        study: In memory, with everything that its sampler is to know; it is used up.
        space: What is searched.
        tried: The keys of all recipes that have been tried or are being tried.
        seed: Seeds the choice among untried recipes where the sampler only repeats itself.

    Returns:
        Recipe field to value.
    """
    for _ in range(TRIES):
        values = study.ask(dict(space)).params
        if key(values) not in tried:
            return values
    choices = {name: _choices(one) for name, one in space.items()}
    if None in choices.values():
        return values
    listed = {name: found for name, found in choices.items() if found is not None}
    size = prod(map(len, listed.values()))
    first = int(np.random.default_rng(seed).integers(size))
    for index in range(first, first + min(size, len(tried) + 1)):  # one more than those tried holds an untried one
        values = _at(listed, index % size)
        if key(values) not in tried:
            break
    return values


def _at(choices: Mapping[str, Sequence[Any]], index: int) -> dict[str, Any]:
    """Return the recipe of a number, counting through all combinations."""
    values = {}
    for name, found in choices.items():
        index, position = divmod(index, len(found))
        values[name] = found[position]
    return values


def _choices(values: BaseDistribution) -> Sequence[Any] | None:
    """Return all values of a distribution; None for a range without steps."""
    if isinstance(values, CategoricalDistribution):
        return values.choices
    assert isinstance(values, FloatDistribution | IntDistribution)
    if values.single():
        return [values.low]
    if isinstance(values, IntDistribution):
        return range(values.low, values.high + 1, values.step)
    if values.step is None:
        return None
    return _Steps(values.low, values.step, round((values.high - values.low) / values.step) + 1)


class _Steps(Sequence[float]):
    """The values of a range with steps, as they would be written; a range may hold billions of them."""

    def __init__(self, low: float, step: float, number: int) -> None:
        self._low, self._step, self._number = Decimal(str(low)), Decimal(str(step)), number

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, index: Any) -> Any:
        return float(self._low + index * self._step)
