"""Pretrained weights reach every node once, whole, and through the storage alone."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT
from trainables.errors import StorageError, WeightsError
from trainables.models.node_weights import FOLDER, fetch_to_node, upload
from trainables.models.weights import Weights, load_tensors
from trainables.storage import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    made = Storage.open(str(tmp_path / "results"))
    made.create()
    return made


@pytest.fixture
def weights(tmp_path: Path) -> Weights:
    path = tmp_path / "driver" / "model.pth"
    path.parent.mkdir()
    torch.save({"layer": torch.arange(6.0)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Weights(kind="imagenet", needs="imagenet-resnet34", path=str(path), sha256=digest)


@pytest.fixture
def other_node(weights: Weights, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The cache of a machine that has not got the driver's file; the storage has."""
    assert upload([weights], storage) == [weights.path]
    Path(weights.path).unlink()
    monkeypatch.setenv("TILESWEEP_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache" / "weights"


def test_a_file_is_brought_once(weights: Weights, storage: Storage) -> None:
    none = Weights(kind="random", needs="imagenet-resnet34")
    assert upload([weights, weights, none], storage) == [weights.path]
    assert upload([weights], storage) == []
    assert storage.files(FOLDER) == [weights.sha256]


def test_one_that_was_cut_short_is_brought_again(weights: Weights, storage: Storage) -> None:
    storage.write(f"{FOLDER}/{weights.sha256}", b"half")
    assert upload([weights], storage) == [weights.path]


def test_a_machine_that_has_the_file_copies_nothing(weights: Weights, storage: Storage) -> None:
    assert fetch_to_node(weights, storage) is weights
    assert fetch_to_node(weights, None) is weights
    assert not (Path(os.environ["TILESWEEP_CACHE"]) / "weights" / weights.sha256).exists()


def test_another_machine_loads_the_same_tensors(weights: Weights, storage: Storage, other_node: Path) -> None:
    found = fetch_to_node(weights, storage)
    assert Path(found.path) == other_node / weights.sha256 and found.sha256 == weights.sha256
    assert torch.equal(load_tensors(found)["layer"], torch.arange(6.0))


def test_another_file_at_the_same_path_is_not_taken(weights: Weights, storage: Storage, other_node: Path) -> None:
    Path(weights.path).write_bytes(b"another model")
    assert Path(fetch_to_node(weights, storage).path).parent == other_node


def test_a_damaged_copy_is_fetched_anew(weights: Weights, storage: Storage, other_node: Path) -> None:
    copy = Path(fetch_to_node(weights, storage).path)
    copy.write_bytes(b"damaged")
    assert load_tensors(fetch_to_node(weights, storage)).keys() == {"layer"}


def test_what_is_damaged_or_gone_in_the_storage_is_told(weights: Weights, storage: Storage, other_node: Path) -> None:
    storage.write(f"{FOLDER}/{weights.sha256}", b"damaged")
    with pytest.raises(WeightsError, match="is damaged; delete it"):
        fetch_to_node(weights, storage)
    storage.delete(f"{FOLDER}/{weights.sha256}")
    with pytest.raises(StorageError, match="cannot be read"):
        fetch_to_node(weights, storage)
    assert not [path for path in other_node.iterdir() if path.suffix != ".lock"], "nothing half-written stays"


def test_trials_that_start_together_fetch_once(weights: Weights, storage: Storage, other_node: Path) -> None:
    """Each says when the file that it got was written."""
    code = (
        "import sys; from pathlib import Path; from trainables.models.node_weights import fetch_to_node; "
        "from trainables.models.weights import Weights; from trainables.storage import Storage; "
        "weights = Weights(kind='imagenet', path=sys.argv[1], sha256=sys.argv[2]); "
        "found = fetch_to_node(weights, Storage.open(sys.argv[3])); "
        "print(Path(found.path).stat().st_mtime_ns)"
    )
    command = [sys.executable, "-c", code, weights.path, weights.sha256, storage.address]
    trials = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    times = {trial.communicate(timeout=120)[0] for trial in trials}
    assert len(times) == 1 and times.pop().strip().isdigit()
