"""What the doctor says of memory, files, ports and tokens."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from sweep.doctor.disk import RAY, RESULTS, DiskUse, judge_place, judge_places
from sweep.doctor.finding import Check
from sweep.doctor.machine import (
    Memory,
    judge_memory,
    judge_open_files,
    judge_shared_memory,
    measure_memory,
)
from sweep.doctor.options import CheckupOptions
from sweep.doctor.ray_files import (
    check_temporary_folder,
    check_token,
    judge_reach,
    judge_token,
)
from sweep.doctor.running import run_checks
from sweep.doctor.subject import Subject
from sweep.machine.share import MemoryLimit, memory_limits
from sweep.planning.disk import size
from sweep.ray_tune.ray_folder import LONGEST, SOCKET_BYTES, default_folder, fault_of
from sweep.ray_tune.ray_token import TokenPlan, is_exposed
from tests.conftest import ROOT

GB = 10**9


@pytest.mark.parametrize(
    ("available", "limit", "outcome", "said"),
    [
        (20 * GB, None, "ok", "20.0 GB free of 32.0 GB"),
        (4 * GB, None, "warn", "--max-concurrent 1"),
        (3 * GB, None, "fail", "--profile smoke"),
        (20 * GB, 4 * GB, "warn", "the 4.0 GB that this container may use"),
    ],
)
def test_memory_is_held_against_the_trials_side_by_side(
    available: int, limit: int | None, outcome: str, said: str
) -> None:
    """Two demo trials take 1.5 + 2 x 1.8 = 5.1 GB."""
    found = judge_memory(Memory(total=32 * GB, available=available, limit=limit), "demo", 2)
    assert found.outcome == outcome
    assert said in f"{found.text} {found.fix}" and "5.1 GB for 2 trials" in found.text


@pytest.mark.parametrize(("available", "outcome"), [(2 * GB, "ok"), (GB, "fail")])
def test_a_machine_that_only_drives_a_cluster_needs_little(available: int, outcome: str) -> None:
    found = judge_memory(Memory(total=4 * GB, available=available), "paper", 0)
    assert found.outcome == outcome and "1.5 GB for its driver" in found.text


def test_a_container_s_limit_is_found_in_both_versions_of_cgroups(tmp_path: Path) -> None:
    second, first = tmp_path / "job", tmp_path / "memory" / "old" / "inner"
    second.mkdir()
    first.mkdir(parents=True)
    (second / "memory.max").write_text("max\n")
    (tmp_path / "memory.max").write_text(f"{8 * GB}\n")
    (first.parent / "memory.limit_in_bytes").write_text(f"{6 * GB}\n")
    membership = tmp_path / "cgroup"
    membership.write_text("4:memory:/old/inner\n1:cpu:/\n0::/job\n")
    assert {one.limit for one in memory_limits(tmp_path, membership)} == {8 * GB, 6 * GB}
    assert list(memory_limits(tmp_path / "none", tmp_path / "nothing")) == []


def test_what_a_container_uses_already_is_taken_off_its_limit(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(f"{8 * GB}\n")
    (tmp_path / "memory.current").write_text(f"{5 * GB}\n")
    (tmp_path / "memory.stat").write_text(f"anon {3 * GB}\ninactive_file {2 * GB}\n")
    (found,) = set(memory_limits(tmp_path, tmp_path / "nothing"))
    assert found == MemoryLimit(limit=8 * GB, used=3 * GB) and found.left == 5 * GB
    assert Memory(total=32 * GB, available=20 * GB, limit=found.limit, used=found.used).usable == 5 * GB


def test_this_machine_s_memory_is_measured() -> None:
    found = measure_memory()
    assert found.total == psutil.virtual_memory().total and 0 < found.usable <= found.total


def test_docker_s_64_mb_of_shared_memory_are_a_warning_with_the_flag() -> None:
    found = judge_shared_memory(64 * 10**6, 16 * GB)
    assert found.outcome == "warn"
    assert "4.8 GB" in found.text and "--shm-size=4.9gb" in found.fix
    assert judge_shared_memory(8 * GB, 16 * GB).outcome == "ok"
    assert judge_shared_memory(None, 16 * GB).outcome == "ok"


def test_ray_takes_at_most_ten_gigabytes_where_shared_memory_is_small() -> None:
    assert size(10 * GB) in judge_shared_memory(GB, 500 * GB).text


@pytest.mark.parametrize(("limit", "outcome"), [(512, "fail"), (2048, "warn"), (65536, "ok"), (None, "ok")])
def test_few_open_files_are_told(limit: int | None, outcome: str) -> None:
    assert judge_open_files(limit).outcome == outcome


def test_the_limit_of_open_files_is_this_process_s() -> None:
    code = "from sweep.doctor.machine import check_open_files as check; print(check(None)[0].outcome)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1500, 1500)),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.strip() == "warn"


def _place(use: str, free: int, *, used_share: float = 0.5, needed: float = 2e9, disk: int = 1) -> DiskUse:
    path = Path("/somewhere")
    return DiskUse(
        use=use, chosen_by="--storage", path=path, disk=disk, free=free, used_share=used_share, needed=needed
    )


def test_too_little_room_for_results_fails_and_for_the_rest_warns() -> None:
    short = judge_place(_place(RESULTS, GB))
    assert short and short.outcome == "fail" and "1.0 GB free in /somewhere for results" in short.text
    assert short.fix.endswith("by --storage")
    warned = [judge_place(_place(RAY, GB)), judge_place(_place("weights", GB))]
    assert [one.outcome for one in warned if one] == ["warn", "warn"]
    full = judge_place(_place(RAY, 9 * GB, used_share=0.96))
    assert full and full.outcome == "warn" and "96% full" in full.text
    assert judge_place(_place("weights", 9 * GB, used_share=0.96)) is None


def test_each_disk_is_told_once() -> None:
    (found,) = judge_places([_place(RESULTS, 5 * GB), _place(RAY, 5 * GB), _place("weights", 7 * GB, disk=2)], "demo")
    assert found.text == "5.0 GB free for results, Ray; 7.0 GB free for weights; demo takes about 2.0 GB"


def test_a_long_tmpdir_is_a_warning_that_names_the_folder_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 60)
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(long))
    (found,) = check_temporary_folder(Subject(CheckupOptions()))
    assert found.outcome == "warn" and found.fix == "export RAY_TMPDIR=/tmp"
    assert f"in place of {long}/ray: too long by" in found.text


def test_the_longest_folder_that_is_let_pass_holds_a_socket_of_ray_s() -> None:
    """Bind the longest socket that is foreseen, below the longest folder that is let pass."""
    with TemporaryDirectory(prefix="d", dir="/tmp") as base:
        room = SOCKET_BYTES - len(f"{base}//{LONGEST}")
        folder = Path(base) / ("r" * room)
        assert fault_of(folder) == ""
        assert fault_of(Path(base) / ("r" * (room + 1))).startswith("too long by 1 bytes")
        place = folder / LONGEST
        place.parent.mkdir(parents=True)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(place))
        assert place.is_socket()


def test_a_folder_that_cannot_be_written_is_none_for_ray() -> None:
    assert fault_of(Path("/proc/ray")).startswith("cannot be written")  # no right helps there, not even root's


def test_ray_s_folder_is_found_as_ray_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray._common.utils import get_default_ray_temp_dir

    for changes in ({}, {"TMPDIR": "/var/tmp"}, {"TMPDIR": "/var/tmp", "RAY_TMPDIR": "/scratch"}):
        monkeypatch.delenv("TMPDIR", raising=False)
        monkeypatch.delenv("RAY_TMPDIR", raising=False)
        for name, value in changes.items():
            monkeypatch.setenv(name, value)
        assert str(default_folder()) == get_default_ray_temp_dir()


def test_a_token_that_others_can_read_is_a_warning() -> None:
    with TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        token = Path(folder) / "auth_token"
        token.write_text("secret")
        token.chmod(0o644)
        plan = TokenPlan(source="file", path=token)
        found = judge_token(plan, joins=False)
        assert found.outcome == "warn" and found.fix == f"chmod 600 {token}"
        assert "secret" not in found.text
        token.chmod(0o600)
        assert judge_token(plan, joins=False).outcome == "ok"
        token.chmod(0o644)
        Path(folder).chmod(0o700)
        assert not is_exposed(token), "nobody else gets into its folder"


def test_a_token_that_is_missing_matters_where_a_cluster_is_joined(tmp_path: Path) -> None:
    plan = TokenPlan(source="new", path=tmp_path / "auth_token")
    assert judge_token(plan, joins=False).outcome == "ok"
    assert judge_token(plan, joins=True).outcome == "warn"


def test_a_ray_that_every_network_reaches_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", raising=False)
    assert judge_reach().outcome == "ok" and "loopback alone" in judge_reach().text
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "1")
    assert judge_reach().outcome == "warn"


@pytest.mark.parametrize(
    ("variables", "outcome"),
    [
        ({"RAY_AUTH_MODE": "disabled"}, "warn"),
        ({"RAY_AUTH_TOKEN": "x" * 64}, "ok"),
        ({"RAY_AUTH_TOKEN_PATH": "/nowhere/token"}, "fail"),
    ],
)
def test_ray_s_own_variables_count(variables: dict[str, str], outcome: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ((_, (found,)),) = run_checks([Check(name="token", run=check_token)], Subject(CheckupOptions()))
    assert found.outcome == outcome
    assert "x" * 64 not in found.text + found.fix, "the token is a secret"
