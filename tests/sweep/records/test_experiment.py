"""Experiments: names, files and what is said when something is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.records.experiment import DESCRIPTION_FILE, Experiment, check_name
from trainables.errors import ExperimentError
from trainables.storage import Storage


@pytest.mark.parametrize("name", ["../out", "/etc", "a/b", "", ".", "..", "-x", "a\n", "ü", "a" * 101, "a\0b"])
def test_a_name_that_could_leave_the_folder_is_refused(name: str) -> None:
    with pytest.raises(ExperimentError, match="--name"):
        check_name(name)


@given(name=st.text(max_size=30))
def test_an_accepted_name_is_one_path_component(name: str) -> None:
    try:
        check_name(name)
    except ExperimentError:
        return
    assert (Path("/results") / name).parent == Path("/results")
    assert Path(name).name == name


def test_files_and_tables_round_trip(tmp_path: Path) -> None:
    experiment = Experiment(Storage.open(str(tmp_path)), "e")
    experiment.write("a/b.txt", b"hello")
    assert experiment.read("a/b.txt") == b"hello"
    table = pa.table({"x": [1, 2]})
    experiment.write_table("t.parquet", table)
    assert experiment.read_table("t.parquet").equals(table)
    assert not list(tmp_path.rglob("*.tmp"))


def test_the_most_recent_experiment_is_found_and_a_wrong_name_corrected(tmp_path: Path) -> None:
    storage = Storage.open(str(tmp_path))
    with pytest.raises(ExperimentError, match=r"sweep\.phase1"):
        Experiment.find(storage, None)
    Experiment(storage, "phase1-demo").write(DESCRIPTION_FILE, b"{}")
    assert Experiment.find(storage, None).name == "phase1-demo"
    with pytest.raises(ExperimentError, match="did you mean 'phase1-demo'"):
        Experiment.find(storage, "phase1-dmo")


@pytest.mark.parametrize(("text", "said"), [("{", "damaged"), ("[]", "damaged"), ('{"format": 99}', "newer")])
def test_a_damaged_or_newer_description_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    experiment = Experiment(Storage.open(str(tmp_path)), "e")
    experiment.write("sweep.json", text.encode())
    with pytest.raises(ExperimentError, match=said):
        _ = experiment.description


def test_a_results_folder_under_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExperimentError, match="--storage"):
        Storage.open(str(tmp_path / "file" / "results")).require_writable()


def test_an_unknown_uri_is_refused() -> None:
    with pytest.raises(ExperimentError, match="--storage nowhere://x"):
        Storage.open("nowhere://x")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_another_users_folder_is_trusted_only_when_told(tmp_path: Path) -> None:
    experiment = Experiment(Storage.open(str(tmp_path)), "e")
    experiment.write("x", b"")
    experiment.require_own(trusted=False)
    os.chown(tmp_path / "e", 12345, 12345)
    with pytest.raises(ExperimentError, match="belongs to another user"):
        experiment.require_own(trusted=False)
    experiment.require_own(trusted=True)
