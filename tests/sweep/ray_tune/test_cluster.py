"""Which cluster is meant, what goes to it, and in one line why it cannot be joined."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from ray._private.ray_constants import get_runtime_env_default_excludes
from ray._private.runtime_env.packaging import create_package
from ray._private.utils import check_version_info

from sweep.ray_tune.address import Target, could_not_join, prepare_to_join
from sweep.ray_tune.jobs import JOB_VARIABLE, require_lasting
from sweep.ray_tune.runtime_env import code_modules
from tests.conftest import ROOT
from trainables.errors import ExperimentError
from trainables.models import trust
from trainables.models.own_source import CARRIED, source_of
from trainables.models.registry import trust_typed, trusted_hashes
from trainables.models.trust import trust_hashes
from trainables.storage import Storage


@pytest.mark.parametrize(
    ("given", "variable", "address", "origin"),
    [
        ("10.0.0.1:6379", None, "10.0.0.1:6379", "--address"),
        ("10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.1:6379", "--address"),
        (None, "10.0.0.2:6379", "10.0.0.2:6379", "RAY_ADDRESS"),
        ("auto", "10.0.0.2:6379", "10.0.0.2:6379", "RAY_ADDRESS"),
        ("auto", None, "auto", "--address"),
    ],
)
def test_the_flag_counts_then_the_variable(
    given: str | None, variable: str | None, address: str, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", variable or "")
    assert Target.of(given) == Target(address=address, origin=origin)


@pytest.mark.parametrize(("given", "variable"), [(None, ""), (None, "local"), ("local", "10.0.0.2:6379")])
def test_else_a_cluster_is_started_here(given: str | None, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", variable)
    assert Target.of(given) is None


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:8265", "is no cluster's own address; .* submit a job"),
        ("ray://127.0.0.1:10001", "is no cluster's own address"),
        ("somewhere", "give auto or HOST:PORT"),
        ("127.0.0.1:1", "nothing answers there"),
    ],
)
def test_an_address_of_another_kind_is_one_line(address: str, said: str) -> None:
    with pytest.raises(ExperimentError, match=f"^RAY_ADDRESS {address}: {said}"):
        prepare_to_join(Target(address=address, origin="RAY_ADDRESS"))


def test_another_version_is_one_line_with_both() -> None:
    with pytest.raises(RuntimeError) as raised:
        check_version_info({"ray_version": "2.40.0", "python_version": "3.9.1"}, "this machine")
    said = str(could_not_join(Target(address="h:1", origin="--address"), raised.value))
    assert "\n" not in said and "Ray: 2.40.0, Python: 3.9.1, Ray: 2" in said and "install the same" in said


def test_a_machine_outside_the_cluster_is_told_apart_from_a_wrong_token() -> None:
    outside = RuntimeError("No node info found matching attributes: 'x' when trying to resolve node to connect to.")
    refused = ConnectionError("Failed to connect to Ray cluster at h:1")
    target = Target(address="h:1", origin="--address")
    assert "its token is another one" in str(could_not_join(target, refused))
    refused.__cause__ = outside
    assert "this machine is no node of that cluster" in str(could_not_join(target, refused))


def test_inside_a_job_results_must_not_lie_in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    require_lasting(Storage.open("ray_results"))
    monkeypatch.setenv(JOB_VARIABLE, json.dumps({"runtime_env": {"working_dir": "gcs://package.zip"}}))
    with pytest.raises(ExperimentError, match="is in this Ray job's own folder"):
        require_lasting(Storage.open("ray_results"))
    require_lasting(Storage.open(str(tmp_path.parent / "elsewhere")))


def test_the_code_goes_along_with_the_folder_of_a_user_s_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "my_models.py").write_text("from my_layers import build\n")
    (mine / "my_layers.py").write_text("def build(recipe, channels):\n    return 'built'\n")
    (mine / "big.pth").write_bytes(bytes(10))
    name = f"{mine / 'my_models.py'}:build"
    monkeypatch.setattr(trust, "_TRUSTED", {})
    trust_typed([name])
    hashes = trusted_hashes(["unet", name])  # what a driver tells its trials
    with code_modules(["unet", name]) as found:
        *packages, carried = map(Path, found["py_modules"])
        assert [path.name for path in packages] == ["trainables", "search_spaces", "sweep"]
        assert sorted(path.name for path in carried.rglob("*") if path.is_file()) == ["my_layers.py", "my_models.py"]
        (mine / "my_models.py").rename(tmp_path / "gone.py")
        (mine / "my_layers.py").rename(tmp_path / "gone too.py")
        assert carried.name == CARRIED
        monkeypatch.syspath_prepend(str(carried.parent))  # what Ray does on a node
        trust_hashes(hashes)
        assert source_of(name).load()(None, 1) == "built"


def test_a_job_that_brings_modules_of_its_own_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(JOB_VARIABLE, json.dumps({"runtime_env": {"py_modules": ["gcs://package.zip"]}}))
    with code_modules() as found:
        assert found == {}


def test_what_a_job_uploads_is_code_and_the_example_tiles(tmp_path: Path) -> None:
    package = tmp_path / "package.zip"
    create_package(str(ROOT), package, include_gitignore=True, excludes=get_runtime_env_default_excludes())
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
        code = sum(one.compress_size for one in archive.infolist() if not one.filename.startswith("patches/"))
    folders = {name.split("/")[0] for name in names if "/" in name}
    assert folders == {"sweep", "trainables", "search_spaces", "tilesweep", "patches"}
    beside = {name for name in names if "/" not in name and not name.startswith(".")}
    assert beside == {"LICENSE", "README.md", "constraints.txt", "pyproject.toml"}
    assert code < 3.5e6 and package.stat().st_size < 16e6
