"""``SegmentationTrainable``: a ``Trainer`` as Ray Tune drives it. The only file here that imports Ray."""

from __future__ import annotations

import csv
import gc
import io
import logging
import math
import os
from pathlib import Path
from typing import Any

import torch
from ray import tune

from trainables.checkpoints import BestWeights, load_state, save_best, save_state, write_atomically
from trainables.data.tiles import TuningData
from trainables.diagnostics import epoch_block
from trainables.errors import DivergedError
from trainables.metrics import SplitScore
from trainables.models.base import encoder_fingerprint
from trainables.models.weights import Weights
from trainables.overlays import write_prediction
from trainables.recipe import Recipe
from trainables.scoring import score_tiles
from trainables.training import EpochResult, Trainer

STATE_FILE = "training.pt"
BEST_FILE = "best.safetensors"
LOG_FILE = "trial.log"
HISTORY_FIELDS = (
    "epoch",
    "learning_rate",
    "train_loss",
    "val_loss",
    "val_iou",
    "val_f1",
    "worst_tile",
    "encoder_frozen",
    "step_seconds",
    "images_per_second",
    "seconds",
    "peak_memory_bytes",
)


class SegmentationTrainable(tune.Trainable):  # type: ignore[misc]
    """One epoch a step. Configured by plain values, so that Ray can store and compare trials.

    ``config["trial"]`` holds ``attempt`` (the trial's name), ``recipe`` (the fields of a ``Recipe``), ``weights``
    (the fields of ``Weights``) and ``device`` (``cpu`` or ``cuda``). The tiles come through
    ``tune.with_parameters``: one copy a node, in shared memory. There is no test split in them.
    """

    def setup(self, config: dict[str, Any], data: TuningData | None = None) -> None:
        """Build the trainer. Called once an actor; ``reset_config`` serves the trials after the first."""
        assert data is not None
        self._data = data
        self._start(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Make the actor serve another trial, with nothing left of the last one."""
        self.cleanup()
        self._start(new_config)
        return True

    def _start(self, config: dict[str, Any]) -> None:
        trial = config["trial"]
        recipe = Recipe.from_dict(trial["recipe"])
        threads = max(1, int((self.trial_resources.required_resources if self.trial_resources else {}).get("CPU", 1)))
        torch.set_num_threads(threads)
        self._attempt: str = trial["attempt"]
        self._history: list[dict[str, Any]] = []
        self._log = _open_log(self._attempt, self._folder / LOG_FILE)
        write_atomically(self._folder / "recipe.json", recipe.to_json().encode())
        device = torch.device(trial["device"])
        if device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # sizes never change within a trial
            torch.cuda.reset_peak_memory_stats()
        self._trainer = Trainer(recipe, self._data, device, Weights(**trial["weights"]), workers=threads)

    @property
    def _folder(self) -> Path:
        return Path(self.logdir)

    def step(self) -> dict[str, Any]:
        """Train and validate one epoch.

        Returns:
            The epoch's row; the last one also carries the final scores of whole val tiles as ``final_*``. A loss
            that is not finite ends the trial with ``failure`` set and ``val_iou`` NaN.
        """
        try:
            result = self._trainer.train_epoch()
        except DivergedError as error:
            self._log.error("failed: %s", error)
            return {"done": True, "finished": False, "failure": str(error), "val_iou": math.nan}
        self._log.info(
            epoch_block(
                self._attempt,
                self._trainer.recipe,
                result,
                steps=self._trainer.steps_per_epoch,
                total_memory_bytes=_total_memory(self._trainer.device),
            ).rstrip()
        )
        row = _row(result)
        self._history.append({name: row[name] for name in HISTORY_FIELDS})
        self._write_history()
        if result.improved:
            self._save_best(self._folder / BEST_FILE)
        report = {**row, "best_epoch": self._trainer.best_epoch, "best_val_iou": self._trainer.best_iou}
        if result.finished:
            report |= self._finish()
        return report

    def _finish(self) -> dict[str, Any]:
        """Score the best weights on whole val tiles and write the predictions."""
        trainer = self._trainer
        trainer.model.load_portable_state_dict(trainer.best_state)
        scores = []
        for scored in score_tiles(
            trainer.model,
            self._data.val,
            window=trainer.recipe.crop_size,
            device=trainer.device,
            dtype=trainer.dtype,
            bce_weight=trainer.recipe.bce_weight,
        ):
            write_prediction(self._folder / "predictions" / "val", scored)
            scores.append(scored.score)
        final = SplitScore(tiles=tuple(scores))
        self._log.info(
            "%s  finished: best epoch %d, whole val tiles IoU %.4f F1 %.4f",
            self._attempt,
            trainer.best_epoch,
            final.iou,
            final.f1,
        )
        return {
            "done": True,
            "finished": True,
            "final_val_iou": final.iou,
            "final_val_f1": final.f1,
            "final_tiles": {score.name: {"iou": score.iou, "f1": score.f1} for score in final.tiles},
            "trainable_parameters": sum(
                parameter.numel()
                for parameter in trainer.model.parameters()
                if not trainer.model.encoder_is_fixed or parameter.requires_grad
            ),
        }

    def _write_history(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, HISTORY_FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._history)
        write_atomically(self._folder / "history.csv", text.getvalue().encode())

    def _save_best(self, path: Path) -> None:
        trainer = self._trainer
        best = BestWeights(
            recipe=trainer.recipe,
            weights=trainer.weights,
            epoch=trainer.best_epoch,
            val_iou=trainer.best_iou,
            data_fingerprint=self._data.fingerprint,
            encoder_sha256=encoder_fingerprint(trainer.model),
        )
        save_best(path, trainer.best_state, best)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write the training's state, history included, so that the trial can go on anywhere."""
        state = {
            "trainer": self._trainer.state_dict(),
            "history": self._history,
            "log": (self._folder / LOG_FILE).read_text(encoding="utf-8"),
        }
        save_state(Path(checkpoint_dir) / STATE_FILE, state)

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        """Go on from a checkpoint; the files that the trial had written are written anew."""
        state = load_state(Path(checkpoint_dir) / STATE_FILE)
        self._trainer.load_state_dict(state["trainer"])
        self._history = state["history"]
        (self._folder / LOG_FILE).write_text(state["log"], encoding="utf-8")
        self._write_history()
        if self._trainer.best_state:
            self._save_best(self._folder / BEST_FILE)
        self._log.info("%s  resumed after epoch %d", self._attempt, self._trainer.epoch)

    def cleanup(self) -> None:
        """Let go of the model, the device memory and the log file."""
        del self._trainer
        for handler in list(self._log.handlers):
            handler.close()
            self._log.removeHandler(handler)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _row(result: EpochResult) -> dict[str, Any]:
    """Flatten an epoch's result to the plain values that Tune reports and stores."""
    return {
        "epoch": result.epoch,
        "learning_rate": result.learning_rate,
        "train_loss": result.train_loss,
        "val_loss": result.val_loss,
        "val_iou": result.val.iou,
        "val_f1": result.val.f1,
        "tile_iou": {tile.name: tile.iou for tile in result.val.tiles},
        "worst_tile": result.val.worst.name,
        "encoder_frozen": result.encoder_frozen,
        "step_seconds": result.step_seconds,
        "images_per_second": result.images_per_second,
        "seconds": result.seconds,
        "peak_memory_bytes": result.peak_memory_bytes,
    }


def _open_log(attempt: str, path: Path) -> logging.Logger:
    """Return the trial's own logger, which writes to its log file and nowhere else."""
    log = logging.getLogger(f"tilesweep.trial.{attempt}.{os.getpid()}")
    log.setLevel(logging.INFO)
    log.propagate = False
    handler = logging.FileHandler(path, mode="a", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    return log


def _total_memory(device: torch.device) -> int:
    if device.type != "cuda":
        return 0
    return int(torch.cuda.get_device_properties(device).total_memory)
