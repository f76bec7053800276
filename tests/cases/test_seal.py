"""Test is read as the ledger says: once, on what it says, with the numbers that it says, and by no other door."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from PIL import Image

from sweep.cli.console import open_output
from sweep.predict.command import COMMAND as PREDICT
from sweep.records.experiment import LEDGER_FILE, Experiment
from sweep.records.lease import Lease
from sweep.results.leaderboard import Leaderboard
from sweep.score.command import COMMAND as SCORE
from sweep.sealed.known_test import note_sweep
from sweep.sealed.ledger import FIRST, Ledger
from tests.cases.finished import ATTEMPT, finished_experiment, run_here
from tests.conftest import WriteDataset
from tests.models import write_best
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError, LedgerError, StorageError
from trainables.locks import UnusableLockError, lock_file
from trainables.storage import Storage

Say = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Path:
    """A dataset that no test changes."""
    return write_dataset(tmp_path_factory.mktemp("data") / "patches")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, tiles: Path) -> Path:
    """A storage with a finished and scored experiment, that no test changes."""
    storage = tmp_path_factory.mktemp("scored") / "r"
    best = write_best(tmp_path_factory.mktemp("weights") / "best.safetensors", tiles, "unet")
    finished_experiment(storage, tiles, best)
    assert run_here(SCORE, "mine", "--storage", storage) == 0
    return storage


@pytest.fixture
def scored(template: Path, tmp_path: Path) -> Path:
    """A storage with a finished and scored experiment."""
    return Path(shutil.copytree(template, tmp_path / "r"))


@pytest.fixture
def other(tiles: Path, tmp_path: Path) -> Path:
    """The same train and val tiles with other test tiles."""
    patches = Path(shutil.copytree(tiles, tmp_path / "other"))
    for path in (patches / "test/masks").iterdir():
        Image.open(path).transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(path)
    return patches


def _score(storage: Path, *arguments: object, name: str = "mine") -> int:
    return run_here(SCORE, name, "--storage", storage, *arguments)


def _verify(storage: Path, *arguments: object) -> int:
    return run_here(SCORE, "--verify", "--storage", storage, *arguments)


def _lines(storage: Path) -> list[dict[str, Any]]:
    path = storage / LEDGER_FILE
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _rewrite(storage: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change every line of a ledger and chain them anew, as one who knows how would."""
    previous, texts = FIRST, []
    for line in _lines(storage):
        change(line)
        line |= {"previous": previous, "seal": ""}
        line["seal"] = hashlib.sha256(json.dumps(line, sort_keys=True).encode()).hexdigest()
        texts.append(json.dumps(line, sort_keys=True))
        previous = hashlib.sha256(texts[-1].encode()).hexdigest()
    (storage / LEDGER_FILE).write_text("".join(f"{text}\n" for text in texts))


def _edit_scores(storage: Path, **changes: Any) -> None:
    path = storage / "mine/test_scores.parquet"
    table = pq.read_table(path)
    rows = [{**row, **changes} for row in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


def test_a_sound_reading_matches(scored: Path, capsys: Say) -> None:
    assert _verify(scored) == 0
    out = capsys.readouterr().out
    assert "the chain is whole; all match what is on disk" in out
    assert Ledger(Storage.open(str(scored))).last_hash in out


# Completing a reading that was recorded and not written


def test_a_broken_off_reading_is_completed_with_the_same_numbers(scored: Path) -> None:
    before = pq.read_table(scored / "mine/test_scores.parquet").to_pylist()
    (scored / "mine/test_scores.parquet").unlink()
    recorded = _lines(scored)
    assert _verify(scored) == 1
    assert _score(scored) == 0
    assert _lines(scored) == recorded and _verify(scored) == 0
    assert pq.read_table(scored / "mine/test_scores.parquet").to_pylist() == before


def test_it_is_not_completed_on_other_test_tiles(scored: Path, other: Path, capsys: Say) -> None:
    recorded = _lines(scored)
    (scored / "mine/test_scores.parquet").unlink()
    capsys.readouterr()
    assert _score(scored, "--patches", other) == 2
    said = capsys.readouterr()
    assert "read other test tiles than those of" in said.err and "IoU" not in said.out + said.err
    assert _lines(scored) == recorded and not (scored / "mine/test_scores.parquet").exists()
    assert _score(scored, "--patches", other, "--again", "other tiles") == 0
    first, second = _lines(scored)
    assert second["reason"] == "other tiles" and second["test_fingerprint"] != first["test_fingerprint"]


def test_it_is_not_completed_with_other_numbers_than_recorded(scored: Path, capsys: Say) -> None:
    _rewrite(scored, lambda line: line.update(iou=0.999, tiles=dict.fromkeys(line["tiles"], 0.999)))
    (scored / "mine/test_scores.parquet").unlink()
    capsys.readouterr()
    assert _score(scored) == 2
    assert "the ledger says IoU 0.999000" in capsys.readouterr().err
    assert not (scored / "mine/test_scores.parquet").exists()


# One reading, whatever the folder is called


@pytest.mark.parametrize("way", ["copied", "renamed", "renamed and its id changed"])
def test_a_folder_by_another_name_buys_no_first_reading(way: str, scored: Path, capsys: Say) -> None:
    if way == "copied":
        shutil.copytree(scored / "mine", scored / "theirs")
    else:
        (scored / "mine").rename(scored / "theirs")
    if way.endswith("changed"):
        experiment = Experiment(Storage.open(str(scored)), "theirs")
        experiment.describe({**experiment.description, "id": "2" * 32})
        (scored / "theirs/test_scores.parquet").unlink()
        shutil.rmtree(scored / "theirs" / ATTEMPT / "predictions/test")
    before = _lines(scored)
    capsys.readouterr()
    assert _score(scored, name="theirs") == 2
    assert "test was read at" in capsys.readouterr().err and _lines(scored) == before
    assert _score(scored, "--again", "under another name", name="theirs") == 0
    assert [line["reason"] for line in _lines(scored)] == ["", "under another name"]


def test_the_reading_goes_with_the_folder(scored: Path, capsys: Say) -> None:
    (scored / "mine").rename(scored / "theirs")
    assert _verify(scored) == 0
    assert "mine/unet (now theirs)" in capsys.readouterr().out
    (row,) = Leaderboard(Experiment(Storage.open(str(scored)), "theirs")).rows
    assert row.test_iou == pytest.approx(_lines(scored)[0]["iou"])


def test_a_copy_whose_scores_are_gone_shows_the_recorded_reading(scored: Path) -> None:
    shutil.copytree(scored / "mine", scored / "theirs")
    (scored / "theirs/test_scores.parquet").unlink()
    before = _lines(scored)
    assert _score(scored, name="theirs") == 0 and _lines(scored) == before and _verify(scored) == 0


# Two records of one fact


@pytest.mark.parametrize("field", ["iou", "f1", "tiles"])
def test_a_rewritten_ledger_differs_from_the_scores(field: str, scored: Path, capsys: Say) -> None:
    _rewrite(scored, lambda line: line.update({field: dict.fromkeys(line[field], 0.9) if field == "tiles" else 0.9}))
    assert _verify(scored) == 1
    assert "1 of 1 readings do not match" in capsys.readouterr().out


@pytest.mark.parametrize("field", ["iou", "f1", "confusion", "tile"])
def test_edited_scores_differ_from_the_ledger(field: str, scored: Path) -> None:
    _edit_scores(scored, **{field: {"confusion": [[9, 9], [9, 9]], "tile": "t6"}.get(field, 0.99)})
    assert _verify(scored) == 1


def test_a_ledger_that_is_gone_is_not_laundered(scored: Path, capsys: Say) -> None:
    (scored / LEDGER_FILE).unlink()
    assert _verify(scored) == 1
    for left in ("scores", "predictions"):
        if left == "predictions":
            (scored / "mine/test_scores.parquet").unlink()
            assert _verify(scored) == 1
        capsys.readouterr()
        assert _score(scored) == 2
        assert "holds scores or predictions of test, but that reading is not in" in capsys.readouterr().err
        assert not _lines(scored)
    assert _score(scored, "--again", "the ledger was lost") == 0
    assert [line["reason"] for line in _lines(scored)] == ["the ledger was lost"]


def test_scores_of_another_training_under_the_same_name_need_a_line_of_their_own(scored: Path, capsys: Say) -> None:
    experiment = Experiment(Storage.open(str(scored)), "mine")
    experiment.describe({**experiment.description, "id": "2" * 32})
    capsys.readouterr()
    assert _verify(scored) == 1 and "no line in the ledger" in capsys.readouterr().out


def test_a_blank_reason_is_none(scored: Path, capsys: Say) -> None:
    before = _lines(scored)
    capsys.readouterr()
    assert _score(scored, "--again", " \t") == 2
    assert "its reason is blank" in capsys.readouterr().err and _lines(scored) == before


def test_folders_that_are_no_experiments_are_passed_over(scored: Path) -> None:
    for name in ("my notes", "-x", "empty", "ä"):
        (scored / name).mkdir()
    (scored / "my notes/test_scores.parquet").write_text("mine")
    assert _verify(scored) == 0


@pytest.mark.parametrize("content", [b"", b"no table", "columns", "types", "nulls"])
def test_odd_scores_are_a_line_and_nothing_is_recorded(content: bytes | str, scored: Path, capsys: Say) -> None:
    path = scored / "mine/test_scores.parquet"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        columns: dict[str, list[Any]] = {
            "columns": {"attempt": ["unet"]},
            "types": {"attempt": ["unet"], "tile": ["a"], "iou": ["high"], "f1": [[1]]},
            "nulls": {"attempt": [None], "tile": ["a"], "iou": [None], "f1": [1.0]},
        }[content]
        pq.write_table(pa.table(columns), path)
    before = _lines(scored)
    capsys.readouterr()
    assert _score(scored, "--again", "why not") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "test_scores.parquet: damaged: " in line
    with pytest.raises(ExperimentError, match="damaged: "):
        Leaderboard(Experiment(Storage.open(str(scored)), "mine"))
    assert _lines(scored) == before
    assert _verify(scored) == 1
    path.unlink()  # as the line says
    assert _score(scored) == 0 and _verify(scored) == 0


# The ledger's lines


def test_a_ledger_of_the_first_version_is_read_continued_and_verified(scored: Path) -> None:
    for name in ("scores_sha256", "test_pixels", "test_files"):
        _rewrite(scored, lambda line, name=name: line.pop(name))  # type: ignore[misc]
    (first,) = Ledger(Storage.open(str(scored))).readings()
    assert first.line() == (scored / LEDGER_FILE).read_text().rstrip("\n")  # byte by byte what that version wrote
    assert _verify(scored) == 0
    assert _score(scored, "--again", "more") == 0
    assert len(Ledger(Storage.open(str(scored))).readings()) == 2 and _verify(scored) == 0


@pytest.mark.parametrize(
    "change",
    [{"iou": "high"}, {"tiles": []}, {"experiment": 5}, {"kind": "note"}, {"kind": 3}, {"more": 1}, {"attempt": None}],
)
def test_lines_of_other_types_are_damaged_though_they_are_chained(change: dict[str, Any], scored: Path) -> None:
    _rewrite(scored, lambda line: line.update(change))
    with pytest.raises(LedgerError, match="line 1 is damaged"):
        Ledger(Storage.open(str(scored))).readings()


def test_a_deep_line_is_damaged(scored: Path, capsys: Say) -> None:
    (scored / LEDGER_FILE).write_text("[" * 200_000 + "\n")
    capsys.readouterr()
    assert _score(scored) == 2 and "line 1 is damaged" in capsys.readouterr().err


# Test tiles outside a reading


def test_a_sweep_whose_val_is_known_test_is_noted(scored: Path, tiles: Path, tmp_path: Path, capsys: Say) -> None:
    patches = Path(shutil.copytree(tiles, tmp_path / "swapped"))
    for kind in ("images", "masks"):
        shutil.rmtree(patches / "val" / kind)
        shutil.copytree(patches / "test" / kind, patches / "val" / kind)
    picture = patches / "val/images/t6.png"
    Image.open(picture).save(picture, compress_level=1)  # another file of the same pixels
    experiment = Experiment(Storage.open(str(scored)), "second")
    capsys.readouterr()
    for _ in range(2):
        note_sweep(experiment, TuningData.read(patches), open_output())
        said = "val tiles of second are test tiles that mine was scored on: 2 (t6, t7)"
        assert said in capsys.readouterr().out
    note_sweep(experiment, TuningData.read(tiles), open_output())
    assert capsys.readouterr().out == ""
    ledger = Ledger(Storage.open(str(scored)))
    (note,) = ledger.notes()
    assert (note.text, note.experiment) == (said, "second")
    assert len(ledger.readings()) == 1 and _verify(scored) == 0 and said in capsys.readouterr().out
    assert _score(scored, "--again", "after a note") == 0 and len(ledger.lines()) == 3


def test_predictions_of_known_test_tiles_are_noted(scored: Path, tiles: Path, tmp_path: Path, capsys: Say) -> None:
    predict = ("--model", "mine", "--storage", scored, "--out")
    assert run_here(PREDICT, tiles / "val/images", *predict, tmp_path / "val") == 0
    assert len(_lines(scored)) == 1
    assert run_here(PREDICT, tiles / "test/images", *predict, tmp_path / "test") == 0
    said = "predict --model mine predicts test tiles that mine was scored on: 2 (t6.png, t7.png)"
    assert said in capsys.readouterr().out
    assert [line.get("text") for line in _lines(scored)] == [None, said]


# Locks


@pytest.mark.parametrize("planted", ["folder", "link", "file", "hard link"])
def test_what_lies_where_a_lock_belongs_is_left_alone(planted: str, scored: Path, tmp_path: Path, capsys: Say) -> None:
    lock, precious = scored / f"{LEDGER_FILE}.lock", tmp_path / "precious.txt"
    lock.unlink(missing_ok=True)
    precious.write_text("keep me")
    {
        "folder": lambda: lock.mkdir(),
        "link": lambda: lock.symlink_to(precious),
        "file": lambda: lock.write_text("keep me"),
        "hard link": lambda: lock.hardlink_to(precious),
    }[planted]()
    capsys.readouterr()
    assert _score(scored) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{lock}: is " in line and "where an empty lock file belongs; remove it" in line
    assert precious.read_text() == "keep me" and (planted == "folder" or lock.read_text() == "keep me")


def test_a_lock_is_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    for _ in range(2):
        with lock_file(path), pytest.raises(Exception, match=r"a\.lock"), lock_file(path, timeout=0):
            pass
    path.write_text("123\nhost\n")  # a holder's mark, where a filesystem knows no locks
    with lock_file(path), pytest.raises(Exception, match="could not be acquired"), FileLock(path, timeout=0):
        pass
    with pytest.raises(UnusableLockError, match="is a folder"), lock_file(tmp_path):
        pass


def test_a_planted_lock_of_a_lease_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lease, "_critical_section", lambda _: tmp_path)
    with pytest.raises(StorageError, match="is a folder or a device"), Lease(Storage.open(str(tmp_path)), "x").held():
        pass


def test_a_storage_that_cannot_be_written_is_a_line(scored: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    def refuse(path: Path, timeout: float = -1) -> object:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("sweep.sealed.ledger.lock_file", refuse)
    capsys.readouterr()
    assert _score(scored) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be written (Read-only file system), so no reading could be recorded" in line
    assert _verify(scored) == 0


def test_a_reading_records_its_tiles_once(scored: Path) -> None:
    assert _score(scored, "--again", "more") == 0
    first, second = _lines(scored)
    assert set(first["test_files"]) == set(first["test_pixels"]) == {"t6", "t7"}
    assert "test_files" not in second and "test_pixels" not in second
