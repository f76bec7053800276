"""``SegmentationTrainable``: a ``Trainer`` as Ray Tune drives it. The only file here that imports Ray."""

from __future__ import annotations

import csv
import gc
import hashlib
import io
import json
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ray import tune

from trainables.checkpoints import BestWeights, dump_best
from trainables.data.folds import Fold
from trainables.data.manifest import metres_in
from trainables.data.tiles import TuningData
from trainables.diagnostics import epoch_block
from trainables.errors import HopelessError, StorageError
from trainables.escaping import csv_cell
from trainables.models.encoder_cache import release
from trainables.models.node_weights import fetch_to_node
from trainables.models.registry import get_architecture, source_sha256
from trainables.models.trust import trust_hashes
from trainables.models.weights import Weights
from trainables.observer import TrialObserver
from trainables.recipe import Recipe
from trainables.report import HISTORY_FIELDS, FinalReport, TrialReport
from trainables.storage import Storage
from trainables.trial_states import BEST_FILE, LOG_FILE, REPORTS_FILE, TrialStates

if TYPE_CHECKING:  # a sweep's driver knows the class and never trains: without torch it takes half the memory
    import torch

    from trainables.epochs import Training

TRACE_FILE = "trace.json.gz"


class SegmentationTrainable(tune.Trainable):  # type: ignore[misc]
    """One epoch a step. Configured by plain values, so that Ray can store and compare trials.

    ``config["trial"]`` holds ``attempt`` (the trial's name), ``recipe`` (the fields of a ``Recipe``), ``weights``
    (the fields of ``Weights``), ``tiles`` (names of the train tiles; none is all), ``folds`` (the fields of each
    ``Fold``; none is no cross-validation), ``rates`` (of a ``Refit``; none is no refit), ``device`` (``cpu`` or
    ``cuda``), ``compiled`` and ``trace`` (whether the step is translated by ``torch.compile``, and an epoch recorded),
    ``folder`` (path or URI of everything that it writes), and maybe ``weights_at`` (the storage from which nodes take
    pretrained weights that they lack), ``beside`` (the sweep's architectures on the same fixed encoder) and ``code``
    (the architecture of a user's own that may run, with the hash of its file). The tiles come through
    ``tune.with_parameters``: one copy per node, in shared memory. There is no test split in them.

    A trial keeps its own state. Whenever it is started, for whatever reason, it first reports again the epochs that
    its folder holds, marked ``replayed``, and then continues with the next one.
    """

    def setup(
        self,
        config: dict[str, Any],
        data: TuningData | None = None,
        observers: Sequence[TrialObserver] = (),
        shared: bool = False,
    ) -> None:
        """Take up a trial. Called once per actor; ``reset_config`` serves the trials after the first."""
        assert data is not None
        self._all_data = data
        self._observers = observers
        self._shared = shared
        self._start(config)

    def __repr__(self) -> str:
        """Name the actor in Ray's lists and logs. Ray asks once, before the first epoch."""
        return f"{self._attempt}, then others" if self._shared else self._attempt

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Make the actor serve another trial, with nothing left of the last one."""
        self.cleanup()
        if not get_architecture(new_config["trial"]["recipe"]["architecture"]).fixed_encoder:
            release()
        self._start(new_config)
        return True

    def _start(self, config: dict[str, Any]) -> None:
        trial = config["trial"]
        trust_hashes(trial.get("code", {}))
        self._attempt: str = trial["attempt"]
        self._recipe = Recipe.from_dict(trial["recipe"])
        self._weights = Weights(**trial["weights"])
        self._device = _device(trial["device"])
        self._compiled: bool = trial["compiled"]
        self._trace: bool = trial["trace"]
        self._data = self._all_data.only(trial["tiles"])
        self._folds = tuple(Fold.from_dict(fold) for fold in trial.get("folds", ()))
        self._rates: Sequence[float] = trial.get("rates", ())
        self._beside: Sequence[str] = trial.get("beside", ())
        self._folder = Storage.open(trial["folder"])
        self._weights_at: str | None = trial.get("weights_at")
        self._states = TrialStates(self._folder)
        self._trainer: Training | None = None
        self._saved_trainer: dict[str, Any] | None = None
        self._best_sha256 = ""
        self._reports: list[dict[str, Any]] = []
        self._reported = 0
        self._log: list[str] = []
        self._taken_up = False
        self._halted = ""

    def _take_up(self) -> None:
        """Read what an earlier start of the trial left."""
        saved, damaged = self._states.newest()
        if saved and Recipe.from_dict(saved["recipe"]) == self._recipe:
            self._reports, self._log, self._saved_trainer = saved["reports"], saved["log"], saved["trainer"]
            self._say(f"resumed after epoch {len(self._reports)}")
        for line in damaged:
            self._say(line)
        self._taken_up = True

    def _make_trainer(self) -> Training:
        """Build the trainer and put it where the saved state left it."""
        import cv2
        import torch

        from trainables.cross_validation import start_training
        from trainables.features import FeatureCache

        resources = self.trial_resources.required_resources if self.trial_resources else {}
        threads = max(1, int(resources.get("CPU", 1)))
        torch.set_num_threads(threads)
        cv2.setNumThreads(1)  # views are prepared by threads of ours, one each
        if self._device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # sizes never change within a trial
            torch.cuda.reset_peak_memory_stats()
        self._source_sha256 = source_sha256(self._recipe.architecture)  # the file may change while this trains
        trainer = start_training(
            self._recipe,
            self._data,
            self._folds,
            self._device,
            fetch_to_node(self._weights, Storage.open(self._weights_at) if self._weights_at else None),
            workers=threads,
            features=FeatureCache(),
            beside=self._beside,
            compiled=self._compiled,
            rates=self._rates,
        )
        if self._saved_trainer is not None:
            trainer.load_state_dict(self._saved_trainer)
            self._saved_trainer = None
            if trainer.best_state:
                self._save_best(trainer)  # the file may be of a later epoch, which was lost
        else:
            self._folder.write("recipe.json", self._recipe.to_json().encode(), durable=False)
        return trainer

    def step(self) -> dict[str, Any]:
        """Report the next epoch; train it if it has not been trained yet.

        Returns:
            The epoch's row; the last one also carries the final scores of whole val tiles as ``final_*``. A loss
            that is not finite, or memory that does not suffice, ends the trial with ``failure`` set and ``val_iou``
            NaN. ``halted`` alone says that the storage is lost, which is no fault of the trial's.
        """
        try:
            if not self._halted:
                return self._next_report()
        except StorageError as error:
            self._halted = str(error)
        return {"halted": self._halted}

    def _next_report(self) -> dict[str, Any]:
        if not self._taken_up:
            self._take_up()
        replayed = self._reported < len(self._reports)
        if not replayed:
            self._reports.append(self._train_epoch().to_dict())
            self._save()
        report = self._reports[self._reported]
        self._reported += 1
        if report["done"]:
            self._end_observers()
        return {**report, "replayed": replayed}

    def _train_epoch(self) -> TrialReport:
        """Train an epoch and return its report, or the report of a failure that no new start would fix."""
        import torch

        try:
            return self._try_epoch()
        except HopelessError as error:
            failure = str(error)
        except torch.OutOfMemoryError as error:  # where the ladder does not reach: the model itself, validation
            failure = f"infeasible: {str(error).splitlines()[0]}; give it a larger GPU, or a smaller crop_size"
        self._say_news()
        self._say(f"failed: {failure}")
        return TrialReport(failure=failure)

    def _try_epoch(self) -> TrialReport:
        _name_process(self._attempt)
        if self._trainer is None:
            for observer in self._observers:
                observer.begin(self._attempt, self._recipe, self._folder)
            self._trainer = self._make_trainer()
        trainer = self._trainer
        with self._traced(trainer):
            report = trainer.train_epoch()
        self._say_news()
        self._say(
            epoch_block(
                self._recipe,
                report,
                steps=trainer.steps_per_epoch,
                total_memory_bytes=_total_memory(self._device),
                task=self._data.task,
            ).rstrip()
        )
        for observer in self._observers:
            observer.epoch(report, trainer)
        if trainer.improved:
            self._save_best(trainer)
        return TrialReport(epoch=report, final=self._finish(trainer) if trainer.finished else None)

    def _traced(self, trainer: Training) -> AbstractContextManager[None]:
        """Record the second epoch, which no longer allocates and chooses kernels; the first one if it is the only."""
        if not self._trace or trainer.epoch + 1 < min(2, self._recipe.max_epochs):
            return nullcontext()
        from trainables.tracing import traced

        self._trace = False
        self._say(f"recording the first steps of epoch {trainer.epoch + 1} into {TRACE_FILE}")
        return traced(trainer, lambda content: self._folder.write(TRACE_FILE, content, durable=False))

    def _finish(self, trainer: Training) -> FinalReport:
        """Score the best weights on whole val tiles and write the predictions."""
        started = time.perf_counter()
        final, files = trainer.finish()
        for name, content in files.items():
            self._folder.write(f"predictions/val/{name}", content, durable=False)
        scores = f"best epoch {trainer.best.epoch}, whole val tiles IoU {final.iou:.4f} F1 {final.f1:.4f}"
        self._say(f"finished: {'trained on all tiles, none is left to score' if trainer.refit else scores}")
        return FinalReport.of(
            final,
            best_sha256=self._best_sha256,
            final_seconds=time.perf_counter() - started,
            trainable_parameters=trainer.trainable_parameters,
            fitted=trainer.fitted,
        )

    def _save(self) -> None:
        """Write the epoch's record for people and programs, then the state to resume from."""
        epochs = [report for report in self._reports if "epoch" in report]
        text = io.StringIO()
        writer = csv.DictWriter(text, HISTORY_FIELDS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({**epoch, "worst_tile": csv_cell(epoch["worst_tile"])} for epoch in epochs)
        self._folder.write("history.csv", text.getvalue().encode(), durable=False)
        self._folder.write(REPORTS_FILE, "".join(f"{json.dumps(report)}\n" for report in self._reports).encode())
        self._folder.write(LOG_FILE, "".join(f"{line}\n" for line in self._log).encode(), durable=False)
        ended = self._reports[-1]["done"]
        self._states.save(
            len(self._reports),
            {
                "recipe": self._recipe.to_dict(),
                "reports": self._reports,
                "log": self._log,
                "trainer": None if ended or self._trainer is None else self._trainer.state_dict(),
            },
        )
        if ended:
            self._states.keep_last()  # nothing will train on from it

    def _save_best(self, trainer: Training) -> None:
        from trainables.models.base import encoder_fingerprint

        best = BestWeights(
            recipe=self._recipe,
            weights=self._weights,
            epoch=trainer.best.epoch,
            val_iou=None if trainer.refit else trainer.best.iou,
            data_fingerprint=self._data.fingerprint,
            encoder_sha256=encoder_fingerprint(trainer.model),
            task=self._data.task,
            imagery=self._data.imagery,
            source_sha256=self._source_sha256,
            folds=trainer.folds,
            fold_epochs=trainer.fold_epochs,
            refit=trainer.refit,
            metres_per_pixel=metres_in(self._data.sheet),
        )
        data = dump_best(trainer.best_state, best)
        self._folder.write(BEST_FILE, data)
        self._best_sha256 = hashlib.sha256(data).hexdigest()

    def _end_observers(self) -> None:
        for observer in self._observers:
            observer.end()

    def _say_news(self) -> None:
        """Log what the trainer did to fit into memory."""
        if self._trainer:
            for line in self._trainer.memory_news():
                self._say(line)

    def _say(self, text: str) -> None:
        """Add to the trial's log, which is written with the next epoch."""
        self._log.append(f"{datetime.now():%Y-%m-%d %H:%M:%S} {self._attempt}  {text}")

    def cleanup(self) -> None:
        """Let go of the model and the device memory."""
        import torch

        self._end_observers()
        self._trainer = self._saved_trainer = None
        gc.collect()
        gc.freeze()  # half a million objects of imported modules, which took 0.2 s to look through after every trial
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _device(name: str) -> torch.device:
    import torch

    return torch.device(name)


def _name_process(attempt: str) -> None:
    """Show the trial in ``top``, ``nvidia-smi`` and the dashboard's list of processes until the epoch is over.

    Ray resets the title after every call. Its own function is the only one that works beside it: the package
    setproctitle does not find the title's place any more once Ray has moved it.
    """
    with suppress(ImportError):
        from ray._raylet import setproctitle  # type: ignore[attr-defined]

        setproctitle(f"ray::SegmentationTrainable({attempt})")


def _total_memory(device: torch.device) -> int:
    import torch

    if device.type != "cuda":
        return 0
    return int(torch.cuda.get_device_properties(device).total_memory)
