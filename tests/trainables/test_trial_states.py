"""What a trial goes on from: the newest whole state."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from trainables.storage import Storage
from trainables.trial_states import FOLDER, TrialStates


def _states(folder: Path) -> TrialStates:
    return TrialStates(Storage.open(str(folder)))


def test_the_newest_state_comes_back_and_old_ones_go(tmp_path: Path) -> None:
    states = _states(tmp_path)
    assert states.newest() == (None, [])
    for epoch in (1, 2, 3):
        states.save(epoch, {"epoch": epoch, "weights": torch.full((3,), float(epoch))})
    found, damaged = _states(tmp_path).newest()
    assert found is not None and found["epoch"] == 3 and torch.equal(found["weights"], torch.full((3,), 3.0))
    assert damaged == []
    assert len(list((tmp_path / FOLDER).iterdir())) == 2
    states.keep_last()
    assert len(list((tmp_path / FOLDER).iterdir())) == 1
    states.clear()
    assert states.newest() == (None, [])


@pytest.mark.parametrize("how", ["truncated", "flipped", "empty"])
def test_a_damaged_state_is_passed_over_and_said(tmp_path: Path, how: str) -> None:
    states = _states(tmp_path)
    states.save(1, {"epoch": 1})
    states.save(2, {"epoch": 2})
    newest = max((tmp_path / FOLDER).iterdir())
    data = newest.read_bytes()
    middle = len(data) // 2
    newest.write_bytes(
        {
            "truncated": data[:middle],
            "flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
            "empty": b"",
        }[how]
    )
    found, damaged = states.newest()
    assert found == {"epoch": 1}
    assert len(damaged) == 1 and newest.name in damaged[0] and "the state before it" in damaged[0]


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "epoch-00009-notes.txt").write_text("mine")
    states = _states(tmp_path)
    states.save(1, {"epoch": 1})
    states.keep_last()
    assert (tmp_path / FOLDER / "epoch-00009-notes.txt").read_text() == "mine"
