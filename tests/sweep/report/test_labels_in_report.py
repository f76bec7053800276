"""The report says what to label next and which labels are probably wrong, once somebody has asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sweep.records.experiment import Experiment
from sweep.records.labelling import LABEL_AUDIT_FILE, NEXT_FILE, audit_folder, keep_with
from sweep.report.blocks import Section, Table, Text
from sweep.report.data import ReportData
from sweep.report.labelling import OTHER_TILES, label_next, wrong_labels
from tests.cases.experiments import write_experiment
from trainables.errors import ExperimentError

CHOSEN = {
    "format": 1,
    "made": "2026-01-02 03:04 UTC",
    "fingerprint": "own",
    "strategy": "both",
    "windows": 120,
    "chosen": 2,
    "first": [{"name": "area_0_0", "raster": "area.tif", "x": 0, "y": 512, "size": "512x512", "entropy": 0.25}],
    "page": "/label_next/index.html",
}
AUDIT = {
    "format": 1,
    "made": "2026-01-02 03:04 UTC",
    "fingerprint": "own",
    "model": "a probe",
    "tiles": 30,
    "kinds": {"missing object": 2, "shifted mask": 1},
    "first": [{"tile": "<b>t", "split": "val", "kind": "missing object", "score": 0.9, "reason": "sure of a roof"}],
    "page": "/tiles_label_audit/label_audit.html",
}


def _experiment(tmp_path: Path, patches: Path) -> Experiment:
    experiment = write_experiment(tmp_path / "results", "e", val={"unet": (0.3, 0.4, 0.5)})
    data = {**experiment.description["data"], "fingerprint": "own", "path": str(patches)}
    experiment.describe({**experiment.description, "data": data})
    return experiment


def _keep(experiment: Experiment, file: str, values: dict[str, Any]) -> None:
    assert keep_with(experiment.storage.address, experiment.name, file, json.dumps(values).encode())


def _texts(section: Section | None) -> list[str]:
    assert section is not None
    return [line for block in section.blocks if isinstance(block, Text) for line in block.lines]


def test_nothing_is_shown_before_somebody_has_asked(tmp_path: Path) -> None:
    source = ReportData.read(_experiment(tmp_path, tmp_path / "tiles"))
    assert label_next(source) is None and wrong_labels(source) is None


def test_both_are_shown_from_beside_the_experiment(tmp_path: Path) -> None:
    experiment = _experiment(tmp_path, tmp_path / "tiles")
    _keep(experiment, NEXT_FILE, CHOSEN)
    _keep(experiment, LABEL_AUDIT_FILE, AUDIT)
    source = ReportData.read(experiment)
    sections = label_next(source), wrong_labels(source)
    (chosen,), (audit,) = map(_texts, sections)
    assert chosen.startswith("Label these 2 tiles next: chosen by both out of 120 windows")
    assert audit.startswith("3 labels probably wrong (missing object 2, shifted mask 1), of 30 tiles, by a probe")
    tables = [block for one in sections if one for block in one.blocks if isinstance(block, Table)]
    assert [cell.text for cell in tables[0].rows[0].cells] == ["area_0_0", "0.25", "area.tif", "0", "512"]
    assert [cell.text for cell in tables[1].rows[0].cells][:3] == ["<b>t", "missing object", "0.90"]


def test_a_probe_finds_wrong_labels_beside_the_dataset(tmp_path: Path) -> None:
    patches = tmp_path / "tiles"
    audit_folder(patches).mkdir()
    (audit_folder(patches) / LABEL_AUDIT_FILE).write_text(json.dumps(AUDIT))
    assert _texts(wrong_labels(ReportData.read(_experiment(tmp_path, patches))))[0].startswith(
        "3 labels probably wrong"
    )


def test_other_tiles_than_the_sweeps_are_said(tmp_path: Path) -> None:
    experiment = _experiment(tmp_path, tmp_path / "tiles")
    _keep(experiment, NEXT_FILE, {**CHOSEN, "fingerprint": "of version 2"})
    assert OTHER_TILES in _texts(label_next(ReportData.read(experiment)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "damaged"),
        (json.dumps({**AUDIT, "format": 2}).encode(), "newer tilesweep"),
        (b'{"format": 1}', "damaged"),
    ],
    ids=["no JSON", "newer", "lacks fields"],
)
def test_a_damaged_record_is_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    experiment = _experiment(tmp_path, tmp_path / "tiles")
    experiment.write(LABEL_AUDIT_FILE, content)
    with pytest.raises(ExperimentError, match=rf"{LABEL_AUDIT_FILE}.*{said}"):
        wrong_labels(ReportData.read(experiment))


def test_nothing_is_kept_with_an_experiment_that_is_not_there(tmp_path: Path) -> None:
    assert keep_with(str(tmp_path), "nobody", NEXT_FILE, b"{}") is None
