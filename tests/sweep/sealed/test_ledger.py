"""The ledger: append-only, chained, one writer at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sweep.records.experiment import LEDGER_FILE
from sweep.sealed.ledger import FIRST, Ledger, Reading
from tests.cases.experiments import a_reading
from trainables.errors import LedgerError
from trainables.storage import Storage


def _ledger(folder: Path) -> Ledger:
    return Ledger(Storage.open(str(folder)))


def test_a_new_storage_has_no_readings(tmp_path: Path) -> None:
    assert _ledger(tmp_path).readings() == []


def test_lines_are_chained_from_the_first_on(tmp_path: Path) -> None:
    ledger = _ledger(tmp_path)
    ledger.append([a_reading("unet")])
    ledger.append([a_reading("sam"), a_reading("unet", reason="again")])
    readings = ledger.readings()
    assert [reading.attempt for reading in readings] == ["unet", "sam", "unet"]
    assert readings[0].previous == FIRST
    assert len({reading.previous for reading in readings}) == 3
    assert [reading.reason for reading in ledger.of("e")["unet"]] == ["", "again"]
    assert ledger.of("another") == {}


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_changed_line_is_noticed(tmp_path: Path, line: int) -> None:
    ledger = _ledger(tmp_path)
    ledger.append([a_reading("a"), a_reading("b"), a_reading("c")])
    path = tmp_path / LEDGER_FILE
    lines = path.read_text().splitlines()
    lines[line] = json.dumps({**json.loads(lines[line]), "iou": 0.99}, sort_keys=True)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(LedgerError, match=f"line {line + 1} was changed"):
        ledger.readings()


@pytest.mark.parametrize("line", [0, 1])
def test_a_line_that_was_changed_and_sealed_anew_is_noticed_by_the_next(tmp_path: Path, line: int) -> None:
    ledger = _ledger(tmp_path)
    ledger.append([a_reading("a"), a_reading("b"), a_reading("c")])
    path = tmp_path / LEDGER_FILE
    lines = path.read_text().splitlines()
    forged = Reading(**{**json.loads(lines[line]), "iou": 0.99})
    lines[line] = forged.after(forged.previous).line()
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(LedgerError, match=f"line {line + 2} does not follow"):
        ledger.readings()


def test_a_removed_line_is_noticed(tmp_path: Path) -> None:
    ledger = _ledger(tmp_path)
    ledger.append([a_reading("a"), a_reading("b")])
    path = tmp_path / LEDGER_FILE
    path.write_text(path.read_text().splitlines()[1] + "\n")
    with pytest.raises(LedgerError, match="line 1"):
        ledger.append([a_reading("c")])


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    (tmp_path / LEDGER_FILE).write_text('{"experiment": \n')
    with pytest.raises(LedgerError, match="line 1 is damaged"):
        _ledger(tmp_path).readings()


def test_a_second_job_does_not_get_in(tmp_path: Path) -> None:
    with (
        _ledger(tmp_path).locked(),
        pytest.raises(LedgerError, match="another scoring job"),
        _ledger(tmp_path).locked(timeout=0.1),
    ):
        pass
