"""A search whose driver is killed at random moments ends as one that nobody touched."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.commands import Run, start, wait_for
from tests.conftest import WriteDataset
from tests.faults.conftest import differences, kill, trained_again, trial_workers
from tests.faults.table import Row, Tally

KILLS = 20


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("halving", ["pause", "stop"])
def test_a_search_killed_at_random_moments_ends_like_an_unbroken_one(
    run: Run,
    write_dataset: WriteDataset,
    tmp_path: Path,
    tally: Tally,
    processes: list[subprocess.Popen[str]],
    halving: str,
) -> None:
    patches = write_dataset(tmp_path / "patches")
    results = tmp_path / "results"
    arguments = ["--profile", "smoke", "--patches", patches, "--storage", results, "--max-concurrent", "1"]
    arguments += ["--trials", "20", "--max-epochs", "9", "--halving", halving]
    assert run("phase2", *arguments, "--name", "unbroken", timeout=600).returncode == 0
    dice = random.Random(halving)
    outputs = []
    kills = 0
    while kills < KILLS:
        # The same command again, or the resume command: both go on.
        again = ["--resume", "killed", "--storage", results] if kills % 2 else [*arguments, "--name", "killed"]
        processes.append(process := start("phase2", *again))
        try:
            out, _ = process.communicate(timeout=dice.uniform(2.0, 16.0))
            outputs.append(out)
            break
        except subprocess.TimeoutExpired:
            process.kill()
            outputs.append(process.communicate()[0])
            kills += 1
    else:
        done = run("phase2", "--resume", "killed", "--storage", results, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append(done.stdout)
    again_trained = trained_again(outputs)
    different = differences(results / "unbroken", results / "killed")
    tally(
        Row(
            fault=f"`kill -9` of the driver at seeded random moments, Phase 2, --halving {halving}",
            times=kills,
            again=again_trained,
            differences=different,
            note="20 trials; resumed by --resume and by the same command in turn",
        )
    )
    assert kills >= 15 and again_trained == 0 and different == 0


@pytest.mark.slow
def test_a_killed_worker_costs_no_finished_epoch(
    write_dataset: WriteDataset, tmp_path: Path, tally: Tally, processes: list[subprocess.Popen[str]]
) -> None:
    patches = write_dataset(tmp_path / "patches", size=128)
    results = tmp_path / "results"
    arguments = ("--patches", patches, "--storage", results, "--max-concurrent", "1", "--repeats", "6")
    process = start("phase1", "--profile", "smoke", *arguments, "--architectures", "sam_vit_b_unet")
    processes.append(process)
    experiment = results / "phase1-smoke"
    wait_for(lambda: len(list(experiment.glob("*/history.csv"))) >= 2)
    killed = trial_workers(process.pid)
    assert killed
    kill(*killed)
    out, _ = process.communicate(timeout=200)
    assert process.returncode == 0, out
    rows = pq.read_table(experiment / "trials.parquet").to_pylist()
    assert {row["status"] for row in rows} == {"finished"} and {row["epochs"] for row in rows} == {2}
    again = trained_again([out])
    tally(Row(fault="`kill -9` of a trial's worker", times=len(killed), again=again, note="retried"))
    assert again == 0


@pytest.mark.slow
def test_a_trial_that_keeps_crashing_is_given_up_after_max_failures(
    run: Run, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    """A worker that dies at every start: no retry helps, and the other trials are not held up by it."""
    patches = write_dataset(tmp_path / "patches")
    (tmp_path / "hook").mkdir()
    log = tmp_path / "deaths.txt"
    (tmp_path / "hook" / "sitecustomize.py").write_text(
        "import os, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'trainables.models.smp' and 'default_worker' in sys.argv[0]:\n"
        f"            open({str(log)!r}, 'a').write('x')\n"
        "            os._exit(1)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    arguments = ["--profile", "smoke", "--patches", patches, "--storage", tmp_path / "r", "--max-concurrent", "1"]
    arguments += ["--architectures", "smp_unet_resnet34,unet", "--max-failures", "1"]
    root = str(Path(__file__).resolve().parents[2])
    done = run("phase1", *arguments, PYTHONPATH=f"{tmp_path / 'hook'}:{root}")
    assert done.returncode == 1, done.stdout + done.stderr
    rows = {row["attempt"]: row for row in pq.read_table(tmp_path / "r/phase1-smoke/trials.parquet").to_pylist()}
    assert (rows["smp_unet_resnet34"]["status"], rows["unet"]["status"]) == ("failed", "finished")
    assert log.read_text() == "xx", "one start and one retry"


@pytest.mark.slow
def test_a_state_cut_short_is_passed_over_for_the_one_before_it(
    run: Run, write_dataset: WriteDataset, tmp_path: Path, tally: Tally, processes: list[subprocess.Popen[str]]
) -> None:
    """Power that fails in mid-write: the last state of a running trial is truncated, and the driver is gone."""
    patches = write_dataset(tmp_path / "patches", size=128)
    results = tmp_path / "results"
    arguments = ["--profile", "smoke", "--patches", patches, "--storage", results, "--max-concurrent", "1"]
    arguments += ["--architectures", "unet", "--trials", "3", "--max-epochs", "30", "--halving", "off"]
    assert run("phase2", *arguments, "--name", "unbroken").returncode == 0
    processes.append(process := start("phase2", *arguments, "--name", "killed"))
    folder = results / "killed" / "unet-001"
    wait_for(lambda: len(list(folder.glob("state/*.pt"))) == 2)
    process.kill()
    out, _ = process.communicate()
    *_, last = sorted(folder.glob("state/*.pt"))
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    resumed = run("phase2", "--resume", "killed", "--storage", results)
    assert resumed.returncode == 0, resumed.stderr
    log = (folder / "trial.log").read_text()
    assert f"{last.name}: truncated or changed; resuming from the state before it" in log
    again, different = trained_again([out, resumed.stdout]), differences(results / "unbroken", results / "killed")
    note = "went on from the state before it, and says so"
    tally(Row(fault="the last state is cut short", times=1, again=again, differences=different, note=note))
    assert again <= 1 and different == 0
