"""Notices that Ray itself has died, before Ray's core ends the driver with a dump of its own state."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil

from sweep.cli.output import Output

LOOK_SECONDS = 0.5
PEERS_SECONDS = 5.0
"""How often the processes below this one are listed: those of a dead parent are no longer found there."""
CORE = ("raylet", "gcs_server")
"""Ray's own processes without which nothing goes; children of the driver that started Ray."""
SILENT_SECONDS = 45.0
"""For which a cluster's own address may give no answer: after 60 seconds Ray's core ends the process."""
KILL_SECONDS = 3.0
"""Between the word that ends a process and the signal that does."""
DEATH_MESSAGE = "Raylet is terminated"
"""Source: ray/_private/process_watcher.py, report_raylet_error_logs."""
EXIT_CODE = 2
"""As where the storage is lost."""

Died = Callable[[str], None]


@contextmanager
def watched_local(died: Died | None) -> Iterator[None]:
    """Watch the Ray that this process has started during the block.

    Args:
        died: Told what has died, in a thread of its own, after everything else of that Ray was ended; None watches
            nothing.
    """
    core = {child.name(): child for child in psutil.Process().children() if child.name() in CORE}
    peers: dict[int, psutil.Process] = {}
    listed = 0.0

    def look() -> str:
        nonlocal listed
        if time.monotonic() - listed > PEERS_SECONDS:
            listed = time.monotonic()
            peers.update(_below())
        return next((f"{name} (process {one.pid})" for name, one in core.items() if not _lives(one)), "")

    def end(what: str) -> None:
        _end({**peers, **_below()}.values())
        assert died is not None
        died(what)

    with _watching(look, end if died else None):
        yield


@contextmanager
def watched_cluster(address: str, died: Died | None) -> Iterator[None]:
    """Watch a running cluster that this process has joined.

    Args:
        address: Its own, ``HOST:PORT``.
        died: As for ``watched_local``; nothing of the cluster is ended.
    """
    host, _, port = address.rpartition(":")
    answered = time.monotonic()

    def look() -> str:
        nonlocal answered
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=LOOK_SECONDS).close()
            answered = time.monotonic()
            time.sleep(PEERS_SECONDS)
        except OSError:
            if time.monotonic() - answered > SILENT_SECONDS:
                return f"the cluster's head at {address}"
        return ""

    with _watching(look, died):
        yield


@contextmanager
def _watching(look: Callable[[], str], died: Died | None) -> Iterator[None]:
    over = threading.Event()

    def watch() -> None:
        while died is not None and not over.wait(LOOK_SECONDS):
            what = look()
            if what and not over.is_set():
                died(what)
                return

    thread = threading.Thread(target=watch, name="ray-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _below() -> dict[int, psutil.Process]:
    with suppress(psutil.Error):
        return {one.pid: one for one in psutil.Process().children(recursive=True)}
    return {}


def _end(processes: Collection[psutil.Process]) -> None:
    """End processes: first by a word, so that what they write is whole, then without one."""
    for kind in ("terminate", "kill"):
        for process in processes:
            with suppress(psutil.Error):
                getattr(process, kind)()
        _, processes = psutil.wait_procs(processes, timeout=KILL_SECONDS)


def end_at_once(output: Output, then: Callable[[], str]) -> Died:
    """Return what ends a command whose Ray has died: a line that says so, and how to resume."""

    def died(what: str) -> None:
        line = f"Ray has died: {what} was killed, by the kernel where memory ran out, or crashed; {then()}"
        if output.console.is_terminal:
            output.console.show_cursor()  # the live table hides it
        sys.stderr.write(f"error: {line}\n")
        output.end(EXIT_CODE, (line,))
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(EXIT_CODE)  # the main thread may wait for Ray's answer for a minute

    return died


@contextmanager
def short_messages(*, own: bool) -> Iterator[None]:
    """Let Ray's messages to its driver be a line each during the block: they carry dumps of its state.

    Args:
        own: The Ray was started here: then ``end_at_once`` says that its raylet has died.
    """
    from ray._private import worker

    whole = worker.print_to_stdstream

    def short(data: dict[str, Any], ignore_prefix: bool) -> None:
        lines = [line.strip().splitlines()[0] for line in data["lines"] if line.strip()]
        kept = [line for line in lines if not (own and line.startswith(DEATH_MESSAGE))]
        if kept:
            whole({**data, "lines": kept}, ignore_prefix)

    worker.print_to_stdstream = short
    try:
        yield
    finally:
        worker.print_to_stdstream = whole
