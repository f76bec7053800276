"""All strategies, by name."""

from __future__ import annotations

from sweep.next.strategies.both import BOTH
from sweep.next.strategies.diverse import DIVERSE
from sweep.next.strategies.random_choice import RANDOM
from sweep.next.strategies.rare import RARE
from sweep.next.strategies.strategy import Strategy
from sweep.next.strategies.uncertainty import UNCERTAINTY
from trainables.errors import ExperimentError, nearest

STRATEGIES = {one.name: one for one in (BOTH, UNCERTAINTY, DIVERSE, RARE, RANDOM)}
"""Name to strategy, the default first."""
DEFAULT = BOTH


def get_strategy(name: str) -> Strategy:
    """Return a strategy by its name.

    Raises:
        ExperimentError: There is none of that name.
    """
    if name not in STRATEGIES:
        raise ExperimentError(f"--strategy {name}: does not exist; {nearest(name, STRATEGIES)}")
    return STRATEGIES[name]
