"""Runs the replay: from the same tiles on, each strategy uncovers labels up to each budget."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweep.next.replay.student import Lesson, Student
from sweep.next.strategies.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What a replay gave.

    Attributes:
        budgets: Numbers of labelled tiles, rising; the first ones are drawn by chance for all strategies.
        ious: Strategy to (R, B, V) IoU of each val tile, by draw and budget.
    """

    budgets: tuple[int, ...]
    ious: Mapping[str, NDArray[np.float64]]

    @property
    def draws(self) -> int:
        """How many draws."""
        return len(next(iter(self.ious.values())))

    def means(self, strategy: str) -> NDArray[np.float64]:
        """Return (R, B) mean IoU over the val tiles."""
        found: NDArray[np.float64] = self.ious[strategy].mean(axis=2)
        return found


def run_replay(
    students: Sequence[Student],
    strategies: Sequence[Strategy],
    budgets: Sequence[int],
    draws: int,
    *,
    seed: int,
    done: Callable[[int], None] = lambda _: None,
) -> Replay:
    """Replay strategies.

    Args:
        students: One, or one per fold; each has at least as many tiles as the largest budget.
        strategies: With different names.
        budgets: Rising numbers of tiles, at least two.
        draws: How many.
        seed: Seeds them.
        done: Called with the number of lessons that have been learnt.
    """
    found: dict[str, list[NDArray[np.float64]]] = {strategy.name: [] for strategy in strategies}
    for draw in range(draws):
        parts: dict[str, list[NDArray[np.float64]]] = {strategy.name: [] for strategy in strategies}
        for fold, student in enumerate(students):
            random = np.random.default_rng([seed, draw, fold])
            first = random.permutation(len(student.tiles))[: budgets[0]].tolist()
            begun = student.study(first)
            done(1)
            for strategy in strategies:
                own = np.random.default_rng([seed, draw, fold, zlib.crc32(strategy.name.encode())])
                parts[strategy.name].append(_curve(student, strategy, first, begun, budgets, own, done))
        for name, curves in parts.items():
            found[name].append(np.concatenate(curves, axis=1))
    return Replay(budgets=tuple(budgets), ious={name: np.stack(curves) for name, curves in found.items()})


def _curve(
    student: Student,
    strategy: Strategy,
    first: Sequence[int],
    begun: Lesson,
    budgets: Sequence[int],
    random: np.random.Generator,
    done: Callable[[int], None],
) -> NDArray[np.float64]:
    """Return (B, V) IoU of each val tile at each budget."""
    labelled, lesson = list(first), begun
    ious = [begun.ious]
    for budget in budgets[1:]:
        rest = sorted(set(range(len(student.tiles))) - set(labelled))
        chosen = strategy.choose(lesson.pool(rest), budget - len(labelled), random)
        labelled += [rest[number] for number in chosen.tolist()]
        lesson = student.study(labelled)
        done(1)
        ious.append(lesson.ious)
    return np.stack(ious)
