"""Measurements of memory that no GPU made."""

from __future__ import annotations

from collections.abc import Sequence

from sweep.planning.packing import MemoryNeeds
from sweep.records.trials import TrialPlan
from trainables.data.tiles import TuningData

GB = 10**9


def needing(gpu: float = 80, **architectures: float) -> MemoryNeeds:
    return MemoryNeeds(
        gpu_bytes=round(gpu * GB), architectures={name: round(need * GB) for name, need in architectures.items()}
    )


class FakeProbe:
    """Says what it was told to, and counts how often."""

    def __init__(self, needs: MemoryNeeds) -> None:
        self.needs = needs
        self.calls = 0

    def __call__(self, trials: Sequence[TrialPlan], data: TuningData) -> MemoryNeeds:
        self.calls += 1
        return self.needs
