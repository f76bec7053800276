"""Scoring jobs that race."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.conftest import WriteDataset
from tests.e2e.conftest import Run, start


def test_two_score_jobs_at_once_make_one_reading(run: Run, write_dataset: WriteDataset, tmp_path: Path) -> None:
    patches = write_dataset(tmp_path / "patches")
    storage = ["--storage", str(tmp_path / "results")]
    done = run("phase1", "--profile", "smoke", "--patches", patches, *storage, "--architectures", "unet")
    assert done.returncode == 0
    jobs = [start("score", *storage, stderr=subprocess.PIPE) for _ in range(3)]
    ends = [(job.communicate(timeout=120), job.returncode) for job in jobs]
    assert sorted(code for _, code in ends) == [0, 2, 2], ends
    assert len((tmp_path / "results" / "test_ledger.jsonl").read_text().splitlines()) == 1
