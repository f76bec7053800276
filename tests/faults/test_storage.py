"""A disk that fills up, a folder that vanishes, a server that goes away: one line, exit code 2, and nothing lost."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sweep.records.experiment import LEDGER_FILE
from sweep.sealed.ledger import Ledger
from tests.commands import Run, environment, start, wait_for
from tests.conftest import ROOT, WriteDataset
from tests.faults.conftest import kill, trained_again
from tests.faults.table import Row, Tally
from trainables.storage import Storage

SMALL_DISK = """
mount -t tmpfs -o size=24m none {disk} || exit 77
({python} -c "import time; time.sleep({delay})"; dd if=/dev/zero of={disk}/others bs=1M 2>/dev/null) &
{python} -m sweep.phase1 {arguments} > {out}/first.txt 2>&1
echo $? > {out}/first.code
ls {disk}/others || exit 78
rm {disk}/others
{python} -m sweep.phase1 --resume phase1-smoke --storage {disk}/runs > {out}/second.txt 2>&1
echo $? > {out}/second.code
cp -r {disk}/runs {out}/runs
"""


def _error_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("error: ")]


@pytest.mark.slow
def test_a_disk_that_fills_up_in_mid_run(write_dataset: WriteDataset, tmp_path: Path, tally: Tally) -> None:
    """A real full filesystem, of 24 MB, in a mount namespace of its own."""
    patches = write_dataset(tmp_path / "patches", size=128)
    (tmp_path / "disk").mkdir()
    arguments = f"--profile smoke --patches {patches} --storage {tmp_path / 'disk/runs'} --max-concurrent 1"
    script = SMALL_DISK.format(
        disk=tmp_path / "disk",
        out=tmp_path,
        python=sys.executable,
        delay=12,
        arguments=f"{arguments} --architectures unet,sam_vit_b_conv --repeats 10",
    )
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "bash", "-c", script],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode in (1, 77):
        pytest.skip("mounting is not allowed here")
    first = (tmp_path / "first.txt").read_text()
    assert (tmp_path / "first.code").read_text().strip() == "2", first
    (line,) = _error_lines(first)
    assert "cannot be written" in line and "make room" in line and "--resume phase1-smoke" in line
    assert "Traceback" not in first
    second = (tmp_path / "second.txt").read_text()
    assert (tmp_path / "second.code").read_text().strip() == "0", second
    rows = pq.read_table(tmp_path / "runs/phase1-smoke/trials.parquet").to_pylist()
    assert {row["status"] for row in rows} == {"finished"} and len(rows) == 20
    again = trained_again([first, second])
    tally(Row(fault="the disk fills up", times=1, again=again, note="exit 2, one line; resumed after making room"))
    assert again == 0


@pytest.mark.slow
def test_a_storage_that_vanishes_in_mid_run_and_comes_back(
    run: Run, write_dataset: WriteDataset, tmp_path: Path, tally: Tally, processes: list[subprocess.Popen[str]]
) -> None:
    patches = write_dataset(tmp_path / "patches", size=128)
    results = tmp_path / "results"
    arguments = ["--profile", "smoke", "--patches", patches, "--storage", results, "--max-concurrent", "1"]
    process = start("phase1", *arguments, "--architectures", "unet,sam_vit_b_conv", "--repeats", "8")
    processes.append(process)
    wait_for(lambda: len(list((results / "phase1-smoke").glob("*/predictions"))) >= 2)
    results.rename(tmp_path / "unmounted")
    out, _ = process.communicate(timeout=90)
    assert process.returncode == 2 and "Traceback" not in out, out
    (line,) = _error_lines(out)
    assert str(results) in line and "--resume phase1-smoke" in line
    assert not results.exists(), "no empty folder takes its place"
    (tmp_path / "unmounted").rename(results)
    resumed = run("phase1", "--resume", "phase1-smoke", "--storage", results)
    assert resumed.returncode == 0, resumed.stderr
    again = trained_again([out, resumed.stdout])
    tally(Row(fault="the storage vanishes", times=1, again=again, note="exit 2, one line; resumed when it was back"))
    assert again == 0


APPEND = """
import sys
from sweep.sealed.ledger import Ledger, Reading
from trainables.storage import Storage
ledger = Ledger(Storage.open(sys.argv[1]))
for number in range(10_000):
    with ledger.locked():
        ledger.append([Reading(experiment="e", attempt=f"{sys.argv[2]}-{number}", checkpoint_sha256="c" * 64,
            data_fingerprint="d", test_fingerprint="t", time="now", iou=0.5, f1=0.5, tiles={"a": 0.5})])
    print(f"{sys.argv[2]}-{number}", flush=True)
"""


def test_a_ledger_whose_writer_is_killed_keeps_every_reading_it_told_of(tmp_path: Path, tally: Tally) -> None:
    kills = 12
    told: list[str] = []
    for number in range(kills):
        writer = subprocess.Popen(
            [sys.executable, "-c", APPEND, str(tmp_path), str(number)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout
        told.append(writer.stdout.readline().strip())
        time.sleep(0.013 * number)
        kill(writer.pid)
        told += writer.communicate()[0].split()
    kept = [reading.attempt for reading in Ledger(Storage.open(str(tmp_path))).readings()]
    assert set(told) <= set(kept) and len(kept) <= len(told) + kills
    assert (tmp_path / LEDGER_FILE).read_text().endswith("\n")
    note = f"{len(told)} readings told of, none lost; the chain is whole"
    tally(Row(fault="`kill -9` of a scoring job that writes the ledger", times=kills, note=note))
