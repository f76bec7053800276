"""Which architectures continue from one phase to the next: by val IoU alone, as the leaderboard ranks them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search_spaces.profiles import Profile
from sweep.records.experiment import Experiment
from sweep.results.leaderboard import Leaderboard
from sweep.sealed.next_step import tied_at_the_top


@dataclass(frozen=True, kw_only=True)
class Finalists:
    """Which architectures continue.

    Attributes:
        names: The architectures, the best one first.
        left_out: Those that are tied with the best one as well, and for which there is no room.
    """

    names: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: Sequence[str], most: int) -> Finalists:
        """Take the first ones."""
        return cls(names=tuple(names[:most]), left_out=tuple(names[most:]))


def to_search(first: Experiment, profile: Profile) -> Finalists:
    """Return who goes to Phase 2: the best one and those that tie with it, by rank.

    Args:
        first: Phase 1.
        profile: Phase 2 has room for as many as the profile itself searches.
    """
    return Finalists.of(tied_at_the_top(first), len(profile.search))


def to_curve(second: Experiment) -> Finalists:
    """Return who goes to Phase 3: Phase 2's winner, and those that its trainings could compare with it and that tie.

    Where each recipe was trained once, all tie for lack of knowledge, and the winner goes alone.
    """
    names = tied_at_the_top(second)
    compared = Leaderboard(second, must_write=False).standings[0].inconclusive is None
    return Finalists(names=tuple(names if compared else names[:1]))


def assumed(profile: Profile, compared: Sequence[str]) -> tuple[str, ...]:
    """Return the architectures that a plan takes for the finalists: those that the profile searches, where compared."""
    first = [name for name in profile.search if name in compared]
    return tuple([*first, *(name for name in compared if name not in first)][: len(profile.search)])
