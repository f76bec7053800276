"""Where Ray would not start by itself a sweep gives it what it lacks, or one line says what to do."""

from __future__ import annotations

import io
import os
import pwd
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweep.doctor.finding import Check
from sweep.doctor.options import CheckupOptions
from sweep.doctor.ray_files import check_temporary_folder
from sweep.doctor.running import run_checks
from sweep.doctor.subject import Subject
from sweep.machine.home import provide_home
from sweep.ray_tune import local_ray as starting
from sweep.ray_tune.ray_folder import RayFolder, choose_folder, short_temporary_folder
from sweep.ray_tune.ray_token import plan_token, ready_token
from tests.commands import Run, assert_refused
from tests.conftest import WriteDataset
from trainables.errors import ExperimentError

LONG = "job/1355700/tmp.t0016/a_scratch_folder_of_the_batch_system_with_a_long_name"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and nothing said of Ray's folder and token."""
    for name in ("RAY_TMPDIR", "TMPDIR", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS"):
        monkeypatch.setenv(name, "")  # so that what is set below is undone
        monkeypatch.delenv(name)
    found = tmp_path / "home"
    found.mkdir()
    monkeypatch.setenv("HOME", str(found))
    return found


def test_in_place_of_a_long_tmpdir_a_short_folder_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / LONG))
    found = choose_folder()
    assert found.path in (Path("/tmp/ray"), Path(f"/tmp/ray-{os.getuid()}"))
    assert found.instead_of.startswith(f"{tmp_path / LONG}/ray: too long by ")


def test_processes_of_ray_get_a_tmpdir_whose_sockets_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", f"/tmp/{'x' * 80}")
    assert short_temporary_folder() == "/tmp"
    monkeypatch.setattr("tempfile.tempdir", "/scratch/job.1355700")
    assert short_temporary_folder() is None


def test_a_tmpdir_that_will_do_is_ray_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/var/tmp")
    assert choose_folder() == RayFolder(path=Path("/var/tmp/ray"))


def test_what_another_process_of_the_same_number_left_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name) / "ray"
        folder.mkdir()
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(folder / f".tilesweep-{os.getpid()}"))
            monkeypatch.setenv("RAY_TMPDIR", name)
            assert choose_folder() == RayFolder(path=folder)
            assert [one.name for one in folder.iterdir()] == [f".tilesweep-{os.getpid()}"]


def test_a_ray_tmpdir_that_will_not_do_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/proc")
    with pytest.raises(
        ExperimentError,
        match=r"^RAY_TMPDIR /proc: /proc/ray cannot hold Ray's files: cannot be written .*; unset RAY_TMPDIR$",
    ):
        choose_folder()
    ((_, (found,)),) = run_checks([Check(name="folder", run=check_temporary_folder)], Subject(CheckupOptions()))
    assert (found.outcome, found.fix) == ("fail", "unset RAY_TMPDIR")


def test_a_token_is_made_before_ray_makes_one_that_others_can_read(home: Path) -> None:
    old = os.umask(0o022)
    try:
        assert plan_token().source == "new" and ready_token() == ""
    finally:
        os.umask(old)
    path = home / ".ray" / "auth_token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(path.read_text()) == 64 and "RAY_AUTH_TOKEN" not in os.environ
    assert [one.name for one in path.parent.iterdir()] == ["auth_token"]
    before = path.read_text()
    assert plan_token().source == "file" and ready_token() == "" and path.read_text() == before


def test_ray_takes_the_token_that_is_made() -> None:
    from ray._private.authentication.authentication_token_generator import generate_new_authentication_token

    ready_token()
    made = (Path.home() / ".ray" / "auth_token").read_text()
    assert len(generate_new_authentication_token()) == len(made)


def test_a_token_that_others_can_read_is_closed_and_said(home: Path) -> None:
    path = home / ".ray" / "auth_token"
    path.parent.mkdir()
    path.write_text("a" * 64)
    path.chmod(0o644)
    assert ready_token() == f"{path}: other users could read it; its mode is 600 now"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and path.read_text() == "a" * 64


def test_a_link_to_a_token_is_not_touched(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "shared_token"
    target.write_text("a" * 64)
    target.chmod(0o644)
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").symlink_to(target)
    assert "to end that: chmod 600" in ready_token()
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


def test_an_empty_token_is_replaced(home: Path) -> None:
    path = home / ".ray" / "auth_token"
    path.parent.mkdir()
    path.write_text("\n")
    assert ready_token() == "" and len(path.read_text()) == 64


def test_a_home_that_cannot_be_written_gets_a_token_for_this_sweep_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/proc")
    told = ready_token()
    assert told.startswith("of this sweep alone, and not kept: /proc: cannot be written")
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64 and os.environ["RAY_AUTH_TOKEN"] not in told


def test_a_home_known_from_passwd_alone_is_named_to_ray_s_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    provide_home()
    assert os.environ["HOME"] == pwd.getpwuid(os.getuid()).pw_dir


def test_a_user_without_a_home_gets_a_private_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = tmp_path / f"tilesweep-home-{os.getuid()}"
    for _ in range(2):
        monkeypatch.delenv("HOME", raising=False)
        provide_home()
        assert os.environ["HOME"] == str(folder) and Path.home() == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and f"{folder} is taken for it" in caplog.text
    monkeypatch.setenv("HOME", "")
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(ExperimentError, match=r"^HOME is unset, and .* is not yours; export HOME=FOLDER$"):
        provide_home()


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_a_named_token_that_holds_none_is_refused(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    with pytest.raises(ExperimentError, match=r"^RAY_AUTH_TOKEN_PATH .*; unset RAY_AUTH_TOKEN_PATH$"):
        plan_token()


@pytest.mark.parametrize("raised", [OSError("no room\nmore"), RuntimeError(""), SystemExit(1)])
def test_whatever_ray_raises_is_one_line(raised: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    asked: dict[str, Any] = {}

    def init(**arguments: Any) -> None:
        asked.update(arguments)
        raise raised

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(starting, "remove_leftovers", lambda _: [])
    with (
        pytest.raises(ExperimentError, match=r"^Ray does not start: .*; its logs are in .*") as said,
        starting.local_ray(Console(file=io.StringIO()), {}),
    ):
        pass
    assert "\n" not in str(said.value)
    assert asked["address"] == "local" and asked["num_cpus"] >= 1


def test_mode_disabled_makes_no_token(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert ready_token() == "" and not (home / ".ray").exists()


def test_the_command_refuses_a_folder_that_ray_cannot_use_in_one_line(
    here: Run, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    arguments = ["--profile", "smoke", "--patches", write_dataset(tmp_path / "patches"), "--architectures", "unet"]
    done = here("phase1", *arguments, "--storage", tmp_path / "results", RAY_TMPDIR="/proc")
    assert_refused(done, "RAY_TMPDIR /proc: /proc/ray cannot hold Ray")
    assert not list((tmp_path / "results").iterdir()), "nothing is left behind"
