"""How trials are doing, as metrics that Ray serves to Prometheus."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray.util.metrics import Gauge

    from trainables.recipe import Recipe
    from trainables.storage import Storage
    from trainables.training import Trainer

PREFIX = "ray_"
"""What Ray puts before every metric's name."""

TAGS = ("experiment", "attempt", "architecture")

METRICS = {
    "tilesweep_trial_running": "1 while the trial trains",
    "tilesweep_val_iou": "Mean IoU over the val tiles after the last epoch, in [0, 1]",
    "tilesweep_train_loss": "Mean loss over the last epoch's draws",
    "tilesweep_val_loss": "Mean loss over the val tiles after the last epoch",
    "tilesweep_epoch": "Epochs trained",
    "tilesweep_images_per_second": "Views trained on a second, in the last epoch",
    "tilesweep_gpu_memory_bytes": "Most GPU memory held so far; 0 on the CPU",
}
"""Gauge to what it says."""

BEAT_SECONDS = 4.0
"""Ray forgets a gauge that nobody sets for two of its report intervals (20 s): an epoch may take minutes."""


class TrialGauges:
    """Says how the present trial is doing for as long as its process trains it.

    A value is repeated until the trial ends. Ray then drops it within half a minute, likewise when the process dies:
    nothing that has ended looks alive.

    Args:
        experiment: The experiment's name.
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
        self._values = {"tilesweep_trial_running": 1.0}
        self._over = threading.Event()
        self._beat = threading.Thread(target=self._repeat, args=(self._over,), name="tilesweep-gauges", daemon=True)
        self._beat.start()

    def epoch(self, report: Mapping[str, Any], trainer: Trainer) -> None:
        """Say what an epoch brought."""
        self._values = {
            "tilesweep_trial_running": 1.0,
            "tilesweep_val_iou": report["val_iou"],
            "tilesweep_train_loss": report["train_loss"],
            "tilesweep_val_loss": report["val_loss"],
            "tilesweep_epoch": float(report["epoch"]),
            "tilesweep_images_per_second": report["images_per_second"],
            "tilesweep_gpu_memory_bytes": float(report["peak_memory_bytes"] if trainer.device.type == "cuda" else 0),
        }
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
