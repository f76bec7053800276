"""The policies that ``--halving`` knows by name. Another one is a class of its own and an entry here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sweep.planning.halving import AshaPause, AshaStop
from sweep.planning.policy import NoHalving, Policy

POLICIES: Mapping[str, type[Policy]] = {one.name: one for one in (AshaStop, AshaPause, NoHalving)}


def make_policy(name: str, settings: Mapping[str, Any]) -> Policy:
    """Make a policy.

    Args:
        name: Which one.
        settings: ``max_epochs``, ``grace_epochs``, ``reduction_factor`` and ``warm_from``; it takes those that it has.

    Raises:
        ExperimentError: Impossible settings; all faults at once.
    """
    kind = POLICIES[name]
    wanted = {one.name for one in fields(kind)}
    return kind(**{field: value for field, value in settings.items() if field in wanted})


def read_policy(values: Mapping[str, Any] | None) -> Policy:
    """Read what a policy's ``to_dict`` returned.

    None is no policy; an earlier version wrote ``pausing`` in place of a name.

    Raises:
        KeyError: There is no such policy.
        TypeError: Its settings are others.
        ExperimentError: Its settings are impossible.
    """
    if values is None:
        return NoHalving()
    settings = dict(values)
    pausing = settings.pop("pausing", None)
    name = settings.pop("policy", "pause" if pausing else "stop")
    return POLICIES[name](**settings)
