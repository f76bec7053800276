"""When Ray itself dies a sweep says so, says how it goes on, and leaves no process behind."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import psutil
import pytest

from sweep.ray_tune import ray_watch
from sweep.ray_tune.ray_watch import watched_cluster, watched_local

PRETENDER = """
import ctypes, subprocess, sys, time
ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0)
if sys.argv[1] == "raylet": subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(flush=True)
time.sleep(60)
"""


def _pretend(name: str) -> subprocess.Popen[bytes]:
    """Start a process of a name of Ray's; the raylet has a child."""
    process = subprocess.Popen([sys.executable, "-c", PRETENDER, name], stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline()
    return process


@pytest.mark.skipif(sys.platform != "linux", reason="names a process by prctl")
@pytest.mark.parametrize("victim", ["raylet", "gcs_server"])
def test_the_death_of_either_core_process_is_noticed_and_the_rest_is_ended(victim: str) -> None:
    core = {name: _pretend(name) for name in ("raylet", "gcs_server")}
    worker = psutil.Process(core["raylet"].pid).children()[0]
    told, said = threading.Event(), []

    def died(what: str) -> None:
        said.append(what)
        told.set()

    with watched_local(died):
        time.sleep(2 * ray_watch.LOOK_SECONDS)
        assert not said
        killed = core[victim]
        started = time.monotonic()
        killed.kill()
        assert told.wait(20)
    assert said == [f"{victim} (process {killed.pid})"]
    assert time.monotonic() - started < 10, "Ray's core ends the driver after 14 seconds"
    for process in core.values():
        process.wait(5)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def test_a_ray_that_ends_in_order_is_no_death() -> None:
    said: list[str] = []
    process = _pretend("raylet")
    with watched_local(said.append):
        time.sleep(ray_watch.LOOK_SECONDS)
    process.kill()
    process.wait()
    time.sleep(3 * ray_watch.LOOK_SECONDS)
    assert said == []


def test_a_cluster_whose_head_is_silent_is_told_before_ray_s_core_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ray_watch.SILENT_SECONDS < 60, "what Ray's core waits"
    monkeypatch.setattr(ray_watch, "SILENT_SECONDS", 1.0)
    told, said = threading.Event(), []

    def died(what: str) -> None:
        said.append(what)
        told.set()

    with watched_cluster("127.0.0.1:1", died):
        assert told.wait(20)
    assert said == ["the cluster's head at 127.0.0.1:1"]


def test_messages_of_ray_are_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray._private import worker

    said: list[str] = []
    monkeypatch.setattr(worker, "print_to_stdstream", lambda data, ignore_prefix: said.extend(data["lines"]))
    dump = "Raylet is terminated. Last 20 lines of the Raylet logs:\n    [state-dump] one\n    [state-dump] two"
    node = "The node 10.0.0.2 has been marked dead:\n (1) raylet crashed"
    for own, expected in ((True, [node.splitlines()[0]]), (False, [dump.splitlines()[0], node.splitlines()[0]])):
        said.clear()
        with ray_watch.short_messages(own=own):
            for message in (dump, node):
                worker.print_to_stdstream({"lines": [message], "pid": "raylet", "is_err": False}, ignore_prefix=False)
        assert said == expected
    said.clear()
    worker.print_to_stdstream({"lines": [dump]}, ignore_prefix=False)
    assert said == [dump], "afterwards it is as before"
