"""How trials are doing, as metrics that Ray serves to Prometheus."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

from trainables.report import EPOCH_FIELDS, EpochReport

if TYPE_CHECKING:
    from ray.util.metrics import Gauge

    from trainables.epochs import Training
    from trainables.recipe import Recipe
    from trainables.storage import Storage

PREFIX = "ray_"
"""What Ray puts before every metric's name."""

TAGS = ("experiment", "attempt", "architecture")

RUNNING = "tilesweep_trial_running"
FIELDS = {f"tilesweep_{one.shown.gauge}": one for one in EPOCH_FIELDS if one.shown.gauge}
METRICS = {
    RUNNING: "1 while the trial trains",
    **{name: ", ".join(filter(None, (one.shown.text, one.shown.unit))) for name, one in FIELDS.items()},
}
"""Gauge to what it says."""

BEAT_SECONDS = 4.0
"""Ray forgets a gauge that nobody sets for two of its report intervals (20 s): an epoch may take minutes."""


class TrialGauges:
    """Says how the present trial is doing for as long as its process trains it.

    A value is repeated until the trial ends. Ray then drops it within half a minute, likewise when the process dies:
    nothing that has ended looks alive.
    """

    def __init__(self, experiment: str) -> None:
        self._experiment = experiment
        self._gauges: dict[str, Gauge] = {}
        self._tags: dict[str, str] = {}
        self._values: dict[str, float] = {}
        self._over: threading.Event | None = None  # made with the trial: it cannot be pickled
        self._beat: threading.Thread | None = None

    def begin(self, attempt: str, recipe: Recipe, folder: Storage) -> None:
        """Say that a trial runs."""
        from ray.util.metrics import Gauge

        self.end()
        if not self._gauges:
            self._gauges = {name: Gauge(name, description=text, tag_keys=TAGS) for name, text in METRICS.items()}
        self._tags = {"experiment": self._experiment, "attempt": attempt, "architecture": recipe.architecture}
        self._values = {RUNNING: 1.0}
        self._over = threading.Event()
        self._beat = threading.Thread(target=self._repeat, args=(self._over,), name="tilesweep-gauges", daemon=True)
        self._beat.start()

    def epoch(self, report: EpochReport, trainer: Training) -> None:
        """Say what an epoch brought."""
        found = {name: float(getattr(report, one.name)) for name, one in FIELDS.items()}
        values = {name: value for name, value in found.items() if not math.isnan(value)}
        if trainer.device.type != "cuda":
            values["tilesweep_gpu_memory_bytes"] = 0.0
        self._values = {RUNNING: 1.0, **values}
        self._say()

    def end(self) -> None:
        """Say nothing more."""
        if self._over and self._beat:
            self._over.set()
            self._beat.join()
            self._over = self._beat = None

    def _repeat(self, over: threading.Event) -> None:
        self._say()
        while not over.wait(BEAT_SECONDS):
            self._say()

    def _say(self) -> None:
        for name, value in self._values.items():
            self._gauges[name].set(value, tags=self._tags)
