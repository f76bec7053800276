"""The table of fields: the files that follow from it, what is read back, and that the documentation has it."""

from __future__ import annotations

import json

import pytest

from sweep.records.shapes import ReportShape, read_lines
from sweep.records.store import EPOCHS_SCHEMA
from tests.conftest import ROOT
from tests.reports import epoch_of, final_of
from trainables.metrics import SplitScore, TileScore
from trainables.report import HISTORY_FIELDS, EpochReport, FinalReport, TrialReport, TrialSummary, field_table
from trainables.task import Task


def test_the_documentation_has_the_table() -> None:
    assert field_table() in (ROOT / "docs/maintainers/events.md").read_text(), "python -m trainables.report prints it"


def test_files_have_their_columns_in_the_order_that_old_ones_have() -> None:
    assert ",".join(HISTORY_FIELDS) == (
        "epoch,learning_rate,train_loss,val_loss,val_iou,val_f1,worst_tile,encoder_frozen,step_seconds,"
        "images_per_second,data_share,seconds,peak_memory_bytes,memory_measures,val_pixel_accuracy,"
        "val_frequency_weighted_iou"
    )
    assert EPOCHS_SCHEMA.names[-4:] == ["seconds", "peak_memory_bytes", "gpu_joules", "memory_measures"]


@pytest.mark.parametrize(
    "report",
    [
        TrialReport(epoch=epoch_of(2)),
        TrialReport(epoch=epoch_of(3, class_iou={"a": None}, gpu_joules=2.5), final=final_of(0.5)),
        TrialReport(failure="loss is nan"),
    ],
)
def test_a_line_is_read_as_it_was_written(report: TrialReport) -> None:
    line = json.dumps(report.to_dict()).encode()
    assert TrialReport.from_dict(next(read_lines(line, ReportShape))) == report


def test_a_report_is_what_the_counts_say() -> None:
    half, none = (TileScore(name=name, confusion=counts, loss=0.5) for name, counts in _COUNTS.items())
    val = SplitScore(tiles=(half, none))
    report = EpochReport.of(val, Task(), **{name: getattr(epoch_of(1), name) for name in _MEASURED})
    assert (report.val_iou, report.val_f1, report.worst_tile) == (0.25, pytest.approx(1 / 3), "none")
    assert report.tile_iou == {"half": 0.5, "none": 0.0} and report.val_pixel_accuracy == 0.5
    final = FinalReport.of(val, final_seconds=1.0)
    assert final.final_val_iou == 0.25 and final.final_tiles["half"]["confusion"] == [[1, 1], [0, 1]]
    lines = [TrialReport(epoch=epoch_of(1)).to_dict(), TrialReport(epoch=epoch_of(2), final=final).to_dict()]
    summary = TrialSummary.of(lines, Task())
    assert (summary.epochs, summary.best_epoch_val_iou, summary.val_iou, summary.seconds) == (2, 0.2, 0.25, 5.0)
    assert (summary.val_pixel_accuracy, summary.val_pooled_iou, summary.collapsed) == (0.5, 0.25, None)
    assert TrialSummary.of([], Task()).epochs == 0


_COUNTS = {"half": ((1, 1), (0, 1)), "none": ((1, 1), (1, 0))}
_MEASURED = (
    "epoch", "learning_rate", "train_loss", "encoder_frozen", "step_seconds", "images_per_second", "seconds",
    "peak_memory_bytes", "best_epoch", "best_val_iou",
)  # fmt: skip
