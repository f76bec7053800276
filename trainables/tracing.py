"""A record of where an epoch's time goes, for Chrome's trace viewer or Perfetto."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch.profiler import ProfilerActivity, profile, schedule

from trainables.owners import scratch_folder

if TYPE_CHECKING:
    from trainables.epochs import Training

STEPS = 10
"""Steps that are recorded, after one that is not; a step has thousands of events."""


@contextmanager
def traced(trainer: Training, write: Callable[[bytes], None]) -> Iterator[None]:
    """Record the first steps of an epoch, and its validation too where it has few steps.

    Args:
        trainer: Trains one epoch inside the block.
        write: Takes the gzipped JSON of a Chrome trace.
    """
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if trainer.device.type == "cuda" else [])

    def publish(recorded: torch.profiler.profile) -> None:
        with scratch_folder() as folder:
            path = folder / "trace.json"
            recorded.export_chrome_trace(str(path))
            write(gzip.compress(path.read_bytes()))

    with profile(
        activities=activities, schedule=schedule(wait=0, warmup=1, active=STEPS, repeat=1), on_trace_ready=publish
    ) as recorder:
        trainer.after_step = recorder.step
        try:
            yield
        finally:
            trainer.after_step = None
