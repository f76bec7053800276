"""What the doctor says of a running Ray cluster."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from sweep.doctor.cluster import check_cluster, judge_cluster
from sweep.doctor.options import CheckupOptions
from sweep.doctor.subject import Subject
from tests.commands import environment, wait_for

AT = "10.0.0.1:6379"


def _found(**changes: Any) -> dict[str, Any]:
    found = {"fault": "", "cause": "", "stderr": "", "nodes": 2, "cpus": 8.0, "gpus": 2.0, "clocks": [], "silent": []}
    return {**found, **changes}


def test_a_cluster_that_takes_a_sweep_is_told_with_its_size() -> None:
    (found,) = judge_cluster(_found(), AT, wants_gpu=True)
    assert found.outcome == "ok" and "2 nodes, 8 CPUs, 2 GPUs; same Ray and Python" in found.text


def test_a_folder_of_one_machine_is_a_warning_on_several_nodes() -> None:
    _, warning = judge_cluster(_found(), AT, folder="/home/me/results")
    assert warning.outcome == "warn" and "/home/me/results" in warning.text and "s3://" in warning.fix
    assert len(judge_cluster(_found(nodes=1), AT, folder="/home/me/results")) == 1


def test_a_profile_that_needs_gpus_fails_without() -> None:
    (found,) = judge_cluster(_found(gpus=0.0), AT, wants_gpu=True)
    assert found.outcome == "fail" and found.fix == "python -m sweep.doctor --profile demo"


def test_nodes_with_another_time_and_nodes_that_are_silent_are_named() -> None:
    clocks = [["10.0.0.2", 0.01], ["10.0.0.3", 12.0], ["10.0.0.4", -3600.0]]
    found = judge_cluster(_found(clocks=clocks, silent=["10.0.0.5"]), AT)
    assert [one.outcome for one in found] == ["ok", "warn", "fail", "warn"]
    assert "10.0.0.3 differs by +12 s" in found[1].text and "-3600 s" in found[2].text
    assert "10.0.0.5 gave no answer" in found[3].text


def test_another_version_is_told_with_both_sides() -> None:
    """The text is Ray's own, from its check of versions."""
    from ray._private.utils import check_version_info

    with pytest.raises(RuntimeError) as caught:
        check_version_info({"ray_version": "2.50.0", "python_version": "3.10.1"}, "node 1")
    fault = "--address a:1: no Ray cluster answers there; start one"
    (found,) = judge_cluster(_found(fault=fault, cause=str(caught.value)), AT)
    assert found.outcome == "fail" and "Ray: 2.50.0" in found.text and "Python: 3.10.1" in found.text
    assert "pip install ray==" in found.fix


@pytest.mark.parametrize(
    ("address", "said"), [("127.0.0.1:1", "nothing answers there"), ("nonsense", "give auto or HOST:PORT")]
)
def test_where_no_cluster_is_it_fails_in_a_line(address: str, said: str) -> None:
    (found,) = check_cluster(Subject(CheckupOptions(address=address)))
    assert found.outcome == "fail" and said in found.text + found.fix
    assert "\n" not in found.text + found.fix


def test_without_an_address_there_is_nothing_to_join() -> None:
    (found,) = check_cluster(Subject(CheckupOptions()))
    assert found.outcome == "ok"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A little cluster with a token; this process knows the token."""
    with TemporaryDirectory(prefix="d", dir="/tmp") as name:
        folder, port = Path(name), _free_port()
        (folder / "token").write_text("0123456789abcdef" * 4)
        (folder / "wrong").write_text("fedcba9876543210" * 4)
        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(folder / "token"))
        ray = [str(Path(sys.executable).parent / "ray"), "start", "--block", "--head", "--num-cpus", "1"]
        ports = ["--port", str(port), "--dashboard-port", str(_free_port()), "--ray-client-server-port"]
        with (folder / "log").open("w") as log:
            node = subprocess.Popen(
                [*ray, *ports, str(_free_port()), "--temp-dir", name], env=environment(), stdout=log, stderr=log
            )
        try:
            wait_for(lambda: "--block" in (folder / "log").read_text() or node.poll() is not None, 180)
            assert node.poll() is None, (folder / "log").read_text()
            yield f"127.0.0.1:{port}"
        finally:
            node.terminate()
            node.wait(timeout=120)


@pytest.mark.slow
def test_a_real_cluster_is_joined_with_its_token_alone(head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Subject(CheckupOptions(address=head))
    (found,) = check_cluster(subject)
    assert found.outcome == "ok" and "1 node, 1 CPUs, 0 GPUs; same Ray and Python" in found.text
    from os import environ

    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", environ["RAY_AUTH_TOKEN_PATH"].replace("token", "wrong"))
    (found,) = check_cluster(subject)
    assert found.outcome == "fail" and "does not let us in" in found.text
    assert "fedcba" not in found.text + found.fix and "ray get-auth-token" in found.fix


def test_the_doctor_means_the_cluster_that_a_sweep_would_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    (found,) = check_cluster(Subject(CheckupOptions()))
    assert found.outcome == "fail" and "nothing answers there" in found.text + found.fix
    (found,) = check_cluster(Subject(CheckupOptions(address="local")))
    assert found.outcome == "ok"
