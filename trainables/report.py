"""What a trial reports. One table, the fields of these classes, says what each number is and where it is shown."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import Flag, auto
from types import UnionType
from typing import Annotated, Any, get_args, get_type_hints

from trainables.metrics import SplitScore, nothing_counted, only_class, pool
from trainables.task import Task


class Place(Flag):
    """Where a field is shown."""

    HISTORY = auto()
    """``history.csv``"""
    TABLE = auto()
    """``epochs.parquet``"""
    EVENT = auto()
    """The ``epoch`` event of ``--json``."""
    TRACKERS = auto()
    """MLflow and Weights & Biases."""


HISTORY, TABLE, EVENT, TRACKERS = Place
NOWHERE = Place(0)
ALL = HISTORY | TABLE | EVENT | TRACKERS


@dataclass(frozen=True)
class Shown:
    """What a field is, and where it is shown.

    Attributes:
        text: What it is.
        unit: Of the number; empty for none.
        places: Where it has a column or a field.
        late: The files in which it was added later, so that it stands behind the other columns.
        gauge: The name of its metric for Prometheus, without prefix; empty for none.
        tensorboard: Its tag in TensorBoard; empty for none.
    """

    text: str
    unit: str = ""
    places: Place = NOWHERE
    late: Place = NOWHERE
    gauge: str = ""
    tensorboard: str = ""


IOU = "in [0, 1]"


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """What a trial reports after an epoch, in the order of ``reports.jsonl``; None is what an earlier version lacked.

    Scores are of the recipe's validation window.
    """

    epoch: Annotated[int, Shown("Epochs trained", "", ALL, gauge="epoch")]
    learning_rate: Annotated[
        float, Shown("The decoder's step size during the epoch", "", ALL, tensorboard="train/learning_rate")
    ]
    train_loss: Annotated[
        float, Shown("Mean loss over the epoch's draws", "", ALL, gauge="train_loss", tensorboard="train/loss")
    ]
    val_loss: Annotated[float, Shown("Mean loss over the val tiles", "", ALL, gauge="val_loss", tensorboard="val/loss")]
    val_iou: Annotated[float, Shown("Mean IoU over the val tiles", IOU, ALL, gauge="val_iou", tensorboard="val/iou")]
    val_f1: Annotated[float, Shown("Mean F1 over the val tiles", IOU, ALL, tensorboard="val/f1")]
    val_pixel_accuracy: Annotated[
        float | None, Shown("Share of the val tiles' pixels of the right class", IOU, HISTORY | TABLE, late=HISTORY)
    ] = None
    val_frequency_weighted_iou: Annotated[
        float | None,
        Shown(
            "IoU per class over all val pixels, weighted by the class's share of them",
            IOU,
            HISTORY | TABLE,
            late=HISTORY,
        ),
    ] = None
    class_iou: Annotated[
        dict[str, float | None] | None,
        Shown(
            "IoU per class over all val pixels; null for a class that neither truth nor prediction shows", IOU, TABLE
        ),
    ] = None
    tile_iou: Annotated[dict[str, float | None], Shown("IoU per val tile", IOU, TABLE)]
    worst_tile: Annotated[str, Shown("The val tile with the lowest IoU", "", HISTORY | TABLE)]
    encoder_frozen: Annotated[bool, Shown("Whether the encoder stood still", "", HISTORY | TABLE)]
    step_seconds: Annotated[float, Shown("Mean time of a training step", "s", HISTORY | TABLE)]
    images_per_second: Annotated[
        float,
        Shown(
            "Views trained on per second", "1/s", ALL, gauge="images_per_second", tensorboard="speed/images_per_second"
        ),
    ]
    data_share: Annotated[
        float | None, Shown("Share of the steps' time that the trainer waited for views", "in [0, 1]", HISTORY)
    ] = None
    seconds: Annotated[
        float, Shown("Duration of the epoch, validation included", "s", ALL, tensorboard="speed/epoch_seconds")
    ]
    peak_memory_bytes: Annotated[
        int,
        Shown(
            "Most memory held so far: the GPU's, on the CPU the process's (there the metric is 0)",
            "bytes",
            ALL,
            gauge="gpu_memory_bytes",
            tensorboard="memory/peak_bytes",
        ),
    ]
    memory_measures: Annotated[
        str | None,
        Shown(
            "What was done to fit into the device's memory; empty where nothing was", "", HISTORY | TABLE, late=TABLE
        ),
    ] = None
    best_epoch: Annotated[int, Shown("The epoch with the best val IoU so far", "", EVENT)]
    best_val_iou: Annotated[float, Shown("Its val IoU", IOU, EVENT | TRACKERS)]
    gpu_joules: Annotated[
        float | None, Shown("Energy that the whole GPU took; null where it does not say", "J", TABLE)
    ] = None

    @classmethod
    def of(cls, val: SplitScore, task: Task, **measured: Any) -> EpochReport:
        """Put an epoch's report together.

        Args:
            val: The scores of the val tiles.
            task: What the masks mean.
            measured: The other fields.
        """
        pooled = val.pooled if val.tiles else nothing_counted(task)
        return cls(
            val_loss=val.loss,
            val_iou=val.iou,
            val_f1=val.f1,
            val_pixel_accuracy=pooled.pixel_accuracy,
            val_frequency_weighted_iou=pooled.frequency_weighted_iou,
            class_iou={
                name: None if math.isnan(iou) else iou for name, iou in zip(task.classes, pooled.class_iou, strict=True)
            },
            tile_iou={tile.name: tile.iou for tile in val.tiles},
            worst_tile=val.worst.name if val.tiles else "",
            **measured,
        )

    @property
    def improved(self) -> bool:
        """Whether this epoch has the best val IoU so far."""
        return self.best_epoch == self.epoch


@dataclass(frozen=True, kw_only=True)
class FinalReport:
    """What a trial reports with its last epoch: the scores of whole val tiles with its best weights."""

    final_val_iou: Annotated[float, Shown("Mean IoU over whole val tiles", IOU, TRACKERS)]
    final_val_f1: Annotated[float, Shown("Mean F1 over whole val tiles", IOU, TRACKERS)]
    best_sha256: Annotated[str | None, Shown("Of the file with the best weights", "hex")] = None
    final_seconds: Annotated[float, Shown("Time that scoring whole tiles took", "s")]
    final_tiles: Annotated[dict[str, dict[str, Any]], Shown("IoU, F1 and confusion matrix per whole val tile")]
    trainable_parameters: Annotated[int | None, Shown("Numbers that the training changes")] = None
    fitted: Annotated[str | None, Shown("How a probe classifies pixels: ridge, density, or both in folds")] = None

    @classmethod
    def of(cls, val: SplitScore, **measured: Any) -> FinalReport:
        """Put the report together from the scores of whole val tiles and the other fields."""
        tiles = {
            tile.name: {"iou": tile.iou, "f1": tile.f1, "confusion": [list(row) for row in tile.confusion]}
            for tile in val.tiles
        }
        return cls(final_val_iou=val.iou, final_val_f1=val.f1, final_tiles=tiles, **measured)


@dataclass(frozen=True, kw_only=True)
class TrialReport:
    """What a trial reports at one step: a line of ``reports.jsonl``, and what Tune hands to the driver.

    Attributes:
        epoch: The epoch; None for a failure.
        final: The final scores, with the last epoch.
        failure: Why the trial cannot be trained; empty where it can.
    """

    epoch: EpochReport | None = None
    final: FinalReport | None = None
    failure: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; ``done`` says that the trial is over, ``finished`` that it has its final scores."""
        if self.failure or self.epoch is None:
            return {"done": True, "finished": False, "failure": self.failure, "val_iou": math.nan}
        ended = self.final is not None
        return {**asdict(self.epoch), "done": ended, "finished": ended, **(asdict(self.final) if self.final else {})}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrialReport:
        """Read what ``to_dict`` returned; other fields are left out."""
        return cls(
            epoch=EpochReport(**_own(EpochReport, values)) if "epoch" in values else None,
            final=FinalReport(**_own(FinalReport, values)) if values.get("finished") else None,
            failure=values.get("failure", ""),
        )


def _own(cls: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {one.name: values[one.name] for one in fields(cls) if one.name in values}


@dataclass(frozen=True, kw_only=True)
class TrialSummary:
    """What ``trials.parquet`` holds of a trial's reports, in the order of its columns."""

    epochs: Annotated[int, Shown("Epochs trained")]
    best_epoch: Annotated[int | None, Shown("The epoch with the best val IoU")]
    best_epoch_val_iou: Annotated[float | None, Shown("Its val IoU, of the epoch's validation windows", IOU)]
    val_iou: Annotated[float | None, Shown("Mean IoU over whole val tiles, best weights; null unless it finished", IOU)]
    val_f1: Annotated[float | None, Shown("Mean F1 over them", IOU)]
    val_pixel_accuracy: Annotated[float | None, Shown("Share of the pixels of all val tiles of the right class", IOU)]
    val_pooled_iou: Annotated[float | None, Shown("Mean over classes of one confusion matrix of all val tiles", IOU)]
    val_frequency_weighted_iou: Annotated[
        float | None, Shown("IoU per class, weighted by its share of the pixels", IOU)
    ]
    collapsed: Annotated[str | None, Shown("The class that it predicts everywhere on val, of several that are there")]
    trainable_parameters: Annotated[int | None, Shown("Numbers that the training changes")]
    fitted: Annotated[str | None, Shown("How a probe classifies pixels; null for what is trained")]
    seconds: Annotated[float | None, Shown("Time of all epochs and of the final scores", "s")]
    peak_memory_bytes: Annotated[int | None, Shown("Most memory held", "bytes")]
    gpu_joules: Annotated[
        float | None, Shown("Energy of the whole GPU while the epochs ran; null where it does not say", "J")
    ]
    memory_measures: Annotated[str | None, Shown("What was done to fit into the device's memory")]

    @classmethod
    def of(cls, reports: Sequence[Mapping[str, Any]], task: Task) -> TrialSummary:
        """Sum up a trial.

        Args:
            reports: The lines of its ``reports.jsonl``, those of earlier versions too.
            task: What the masks mean.
        """
        last = reports[-1] if reports else {}
        measured: Mapping[str, Any] = next((report for report in reversed(reports) if "epoch" in report), {})
        tiles = last.get("final_tiles", {}).values()
        counts = [tile["confusion"] for tile in tiles if "confusion" in tile]
        if len(counts) < len(tiles):
            counts = []  # an earlier version counted none
        pooled, only = pool(counts, task.scored_classes) if counts else None, only_class(counts)
        return cls(
            epochs=measured.get("epoch", 0),
            best_epoch=measured.get("best_epoch"),
            best_epoch_val_iou=_known(measured.get("best_val_iou")),
            val_iou=_known(last.get("final_val_iou")),
            val_f1=_known(last.get("final_val_f1")),
            val_pixel_accuracy=pooled.pixel_accuracy if pooled else None,
            val_pooled_iou=pooled.iou if pooled else None,
            val_frequency_weighted_iou=pooled.frequency_weighted_iou if pooled else None,
            collapsed=None if only is None else task.classes[only],
            trainable_parameters=last.get("trainable_parameters"),
            fitted=last.get("fitted"),
            seconds=sum(report.get("seconds", 0.0) + report.get("final_seconds", 0.0) for report in reports) or None,
            peak_memory_bytes=measured.get("peak_memory_bytes"),
            gpu_joules=sum(report.get("gpu_joules") or 0.0 for report in reports) or None,
            memory_measures=measured.get("memory_measures"),
        )


def _known(score: float | None) -> float | None:
    """Return a score; None where no tile has one."""
    return None if score is None or math.isnan(score) else score


@dataclass(frozen=True)
class ReportField:
    """A line of the table of fields.

    Attributes:
        name: In every file.
        type: ``int``, ``float``, ``str``, ``bool``, or a ``dict``.
        optional: Whether it may be null.
        shown: What it is, and where it is shown.
    """

    name: str
    type: Any
    optional: bool
    shown: Shown


def fields_of(cls: type[EpochReport] | type[FinalReport] | type[TrialSummary]) -> tuple[ReportField, ...]:
    """Return the table of a class's fields."""
    found = []
    for name, annotation in get_type_hints(cls, include_extras=True).items():
        kind, shown = get_args(annotation)
        optional = isinstance(kind, UnionType)
        found.append(ReportField(name, get_args(kind)[0] if optional else kind, optional, shown))
    return tuple(found)


EPOCH_FIELDS = fields_of(EpochReport)
FINAL_FIELDS = fields_of(FinalReport)


def shown_in(place: Place, table: Iterable[ReportField] = EPOCH_FIELDS) -> list[ReportField]:
    """Return the fields that are shown in a place, in its order."""
    return sorted((one for one in table if place in one.shown.places), key=lambda one: place in one.shown.late)


HISTORY_FIELDS = tuple(one.name for one in shown_in(HISTORY))
SCALARS = {one.shown.tensorboard: one.name for one in EPOCH_FIELDS if one.shown.tensorboard}
"""TensorBoard's tag to the field."""


def field_table() -> str:
    """Return the table of fields as docs/maintainers/events.md has it; ``python -m trainables.report`` prints it."""
    places = ("history.csv", "epochs.parquet", "`epoch` event", "trackers")
    lines = [
        f"| field | is | {' | '.join(places)} | Prometheus | TensorBoard |",
        "|---|---|:-:|:-:|:-:|:-:|---|---|",
    ]
    for one in (*EPOCH_FIELDS, *FINAL_FIELDS):
        shown = one.shown
        text = f"{shown.text}, {shown.unit}" if shown.unit else shown.text
        marks = ["x" if place in shown.places else "" for place in Place]
        named = [
            f"`{name}`" if name else "" for name in (shown.gauge and f"tilesweep_{shown.gauge}", shown.tensorboard)
        ]
        lines.append(f"| `{one.name}` | {' | '.join((text, *marks, *named))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(field_table())
