"""What an earlier experiment on the same tiles gives a search: recipes to begin with, and what is known beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution

from trainables.errors import ExperimentError


@dataclass(frozen=True, kw_only=True)
class Start:
    """A recipe that a search tries right after the shared one.

    Attributes:
        values: Searched recipe field to value, within the space.
        origin: The training it comes from, ``EXPERIMENT/ATTEMPT``.
        val_iou: Mean IoU over whole val tiles there, in [0, 1]; of several trainings of the recipe their mean.
        changed: What is not as it was there, a few words each; empty where nothing changed.
    """

    values: Mapping[str, Any]
    origin: str
    val_iou: float
    changed: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], space: Mapping[str, BaseDistribution]) -> Start:
        """Read what ``asdict`` made of one.

        Raises:
            ExperimentError: Its values are not in the space.
        """
        start = cls(**{**values, "changed": tuple(values.get("changed", ()))})
        if set(start.values) != set(space):
            raise ExperimentError(f"a recipe to begin with has the fields {', '.join(start.values)}")
        for name, one in space.items():
            if not one._contains(one.to_internal_repr(start.values[name])):
                raise ExperimentError(f"a recipe to begin with has {name} {start.values[name]!r}")
        return start


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of an architecture before its search.

    Attributes:
        origin: The training that it comes from, ``EXPERIMENT/ATTEMPT``.
        val_iou: Mean IoU over whole val tiles there, in [0, 1].
        probe: Whether that was a probe on the architecture's encoder, for lack of a training of its own.
    """

    origin: str
    val_iou: float
    probe: bool

    def __str__(self) -> str:
        return f"{'its encoder alone ' if self.probe else ''}{self.val_iou:.3f}"
