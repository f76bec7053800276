"""Everything on an object store: a real S3 server process, and a connection to it that drops."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import boto3
import pytest

from tests.commands import Run, start, wait_for
from tests.conftest import WriteDataset
from tests.faults.conftest import trained_again
from tests.faults.table import Row, Tally
from trainables.data.tiles import TuningData
from trainables.errors import DataError

pytestmark = pytest.mark.packaging

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}
BUCKET = "bucket"


class Line:
    """A connection to a server that can be cut: a proxy on a port of its own."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._cut = False
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._cut:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            self._open.discard(end)
            end.close()

    def cut(self) -> None:
        """Drop all connections, and every new one."""
        self._cut = True
        for end in list(self._open):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def mend(self) -> None:
        """Let connections through again."""
        self._cut = False

    def close(self) -> None:
        """Stop listening."""
        self.cut()
        self._listener.close()


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """An S3 server process with an empty bucket, behind a connection that can be cut."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (tmp_path / "server.txt").open("w")
    server = subprocess.Popen(
        [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)],
        stdout=log,
        stderr=log,
        env={**os.environ, **KEYS},
    )
    try:

        def answers() -> bool:
            try:
                with urlopen(f"http://127.0.0.1:{port}/moto-api/", timeout=1):
                    return True
            except OSError:
                return False

        wait_for(answers, 30)
        boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1").create_bucket(
            Bucket=BUCKET
        )
        proxy = Line(port)
        yield proxy
        proxy.close()
    finally:
        server.terminate()
        server.wait(timeout=30)
        log.close()


def _uri(line: Line) -> str:
    return f"s3://{BUCKET}/runs?endpoint_override=127.0.0.1:{line.port}&scheme=http&region=us-east-1"


def _upload(patches: Path, line: Line) -> str:
    """Put a dataset into the bucket; returns its URI."""
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{line.port}", region_name="us-east-1")
    for path in patches.rglob("*.*"):
        client.upload_file(str(path), BUCKET, f"tiles/{path.relative_to(patches)}")
    return _uri(line).replace("/runs?", "/tiles?")


def test_tiles_in_a_bucket_are_read_once_and_are_the_same(
    write_dataset: WriteDataset, tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILESWEEP_CACHE", str(tmp_path / "cache"))
    patches = write_dataset(tmp_path / "tiles")
    uri = Path(_upload(patches, line))
    there = TuningData.read(uri)
    assert there.fingerprint == TuningData.read(patches).fingerprint and there.name == "tiles"
    copies = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.png")}
    assert len(copies) == 10, "three train and two val tiles, no test tile"
    assert TuningData.read(uri).fingerprint == there.fingerprint
    assert {path: path.stat().st_mtime_ns for path in copies} == copies
    with pytest.raises(DataError, match=r"--patches s3://bucket/nothing\?.*: holds no train or val split"):
        TuningData.read(Path(_uri(line).replace("/runs?", "/nothing?")))


def test_a_sweep_on_s3_is_stopped_resumed_and_scored_across_a_dropped_connection(
    run: Run,
    write_dataset: WriteDataset,
    tmp_path: Path,
    tally: Tally,
    line: Line,
    processes: list[subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TILESWEEP_CACHE", str(tmp_path / "cache"))
    tiles = _upload(write_dataset(tmp_path / "patches"), line)
    shutil.rmtree(tmp_path / "patches")
    storage = ["--storage", _uri(line)]
    arguments = ["--profile", "smoke", "--patches", tiles, "--max-concurrent", "1", *storage]
    seen = run("doctor", "--profile", "smoke", "--patches", tiles, *storage)
    assert "ok    tiles" in seen.stdout and "10 files of train and val" in seen.stdout, seen.stdout + seen.stderr
    first = run("phase2", *arguments, "--trials", "12", "--budget", "0.0004cpu-hours")
    assert first.returncode == 0 and "stopped by --budget; nothing is lost" in first.stdout, first.stdout + first.stderr
    stopped = run("status", *storage)
    assert "state          stopped by --budget; nothing is lost" in stopped.stdout, stopped.stdout + stopped.stderr
    assert stopped.stdout.splitlines()[-1].startswith("next           python -m sweep.phase2 --resume phase2-smoke")
    processes.append(process := start("phase2", "--resume", "phase2-smoke", *storage))
    lines: list[str] = []
    assert process.stdout
    for text in process.stdout:
        lines.append(text)
        if "  epoch " in text and len(lines) > 4 and not any("(cut)" in one for one in lines):
            lines.append("(cut)\n")
            line.cut()
            time.sleep(4)
            line.mend()
    process.wait(timeout=200)
    out = "".join(lines)
    assert "(cut)" in out and process.returncode == 0, out
    scored = run("score", *storage)
    assert scored.returncode == 0, scored.stdout + scored.stderr
    again = run("score", *storage)
    assert again.returncode == 2 and "test was read" in again.stderr
    verified = run("score", "--verify", *storage)
    assert verified.returncode == 0 and "the chain is whole; all match" in verified.stdout
    twice = trained_again([first.stdout, out])
    tally(Row(fault="S3: stopped, resumed, connection dropped for 4 s", times=1, again=twice, note="went on, scored"))
    assert twice == 0


@pytest.mark.slow
def test_an_s3_server_that_goes_away_for_good_is_one_line(
    run: Run,
    write_dataset: WriteDataset,
    tmp_path: Path,
    tally: Tally,
    line: Line,
    processes: list[subprocess.Popen[str]],
) -> None:
    patches = write_dataset(tmp_path / "patches")
    arguments = ["--profile", "smoke", "--patches", patches, "--max-concurrent", "1", "--storage", _uri(line)]
    processes.append(process := start("phase1", *arguments, "--repeats", "6"))
    lines: list[str] = []
    assert process.stdout
    for text in process.stdout:
        lines.append(text)
        if "  epoch " in text:
            break
    line.cut()
    started = time.monotonic()
    out = "".join(lines) + process.communicate(timeout=400)[0]
    seconds = time.monotonic() - started
    assert process.returncode == 2 and "Traceback" not in out, out
    (error,) = [one for one in out.splitlines() if one.startswith("error: ")]
    assert "--resume phase1-smoke" in error
    line.mend()
    resumed = run("phase1", "--resume", "phase1-smoke", "--storage", _uri(line), timeout=400)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    twice = trained_again([out, resumed.stdout])
    note = f"exit 2, one line, after {seconds:.0f} s; resumed when it was back"
    tally(Row(fault="S3: the server is gone for good", times=1, again=twice, note=note))
    assert twice == 0
