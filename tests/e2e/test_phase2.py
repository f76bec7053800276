"""Phase 2 as users type it: search, best recipes, score; and what it refuses."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from contextlib import suppress
from pathlib import Path

import optuna
import psutil
import pyarrow.parquet as pq
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tests.audit import Audit
from tests.cases.screens import Screen, run_on
from tests.commands import Run, assert_refused, start
from tests.conftest import SEARCH, WriteDataset
from tests.faults.conftest import scores
from tests.shared_sweeps import SharedSweep

ARCHITECTURES = "smp_unet_resnet34,unet"


def _trials(experiment: Path) -> list[dict[str, object]]:
    return pq.read_table(experiment / "trials.parquet").to_pylist()


def test_every_architecture_has_the_same_budget_and_its_own_study(searched: SharedSweep) -> None:
    trials = _trials(searched.experiment)
    for name in ARCHITECTURES.split(","):
        assert sum(trial["group"] == name for trial in trials) == 5
    assert {trial["max_epochs"] for trial in trials} == {4}
    storage = JournalStorage(JournalFileBackend(str(searched.experiment / "studies.log")))
    names = optuna.get_all_study_names(storage)
    assert sorted(names) == [f"phase2-smoke/{name}" for name in ARCHITECTURES.split(",")]
    for name in names:
        study = optuna.load_study(study_name=name, storage=storage)
        assert len(study.trials) == 5 and study.direction.name == "MAXIMIZE"
        assert study.trials[0].params["augmentation"] == "MEDIUM" and study.trials[0].state.name == "COMPLETE"
    assert f"optuna-dashboard {searched.experiment}/studies.log" in searched.said("phase2")


def test_trials_pause_by_default_one_at_a_time_and_the_saving_is_told(searched: SharedSweep) -> None:
    assert "paused after epoch 1" in searched.said("phase2")
    plan = json.loads((searched.experiment / "sweep.json").read_text())["plan"]
    assert plan["halving"]["policy"] == "pause"
    run_epochs = sum(int(str(trial["epochs"])) for trial in _trials(searched.experiment))
    (line,) = [line for line in searched.said("phase2").splitlines() if line.startswith("epochs ")]
    assert f"{run_epochs} run; " in line
    assert "% saved (estimated from how long the" in line or "is unknown" in line


def test_trials_that_were_given_up_leave_no_state_behind(searched: SharedSweep) -> None:
    stopped = [row["attempt"] for row in _trials(searched.experiment) if row["status"] == "stopped"]
    assert stopped
    for attempt in stopped:
        assert (searched.experiment / str(attempt) / "best.safetensors").exists()
        assert not list((searched.experiment / str(attempt) / "state").iterdir())


def test_the_best_recipes_never_lose_to_the_shared_one(searched: SharedSweep) -> None:
    recipes = tomllib.loads((searched.experiment / "best_recipes.toml").read_text())
    trials = _trials(searched.experiment)
    for name in ARCHITECTURES.split(","):
        own = [trial for trial in trials if trial["group"] == name and trial["status"] == "finished"]
        best = max(own, key=lambda trial: float(str(trial["val_iou"])))
        assert best["val_iou"] >= next(trial["val_iou"] for trial in own if trial["attempt"] == f"{name}-000")  # type: ignore[operator]
        stored = json.loads(str(best["recipe"]))
        assert set(recipes[name]) == {"learning_rate", "augmentation", "decoder_dropout", "bce_weight"}
        assert all(stored[field] == value for field, value in recipes[name].items())


def _listening(driver: int) -> set[str]:
    """Return the addresses on which a driver and the processes below it listen."""
    found = set()
    for process in (psutil.Process(driver), *psutil.Process(driver).children(recursive=True)):
        with suppress(psutil.Error):
            found |= {one.laddr.ip for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN}
    return found


def _wait_until_printed(process: subprocess.Popen[str], beginning: str) -> None:
    assert process.stdout
    assert any(line.startswith(beginning) for line in process.stdout), beginning


@pytest.mark.timeout(900)
@pytest.mark.parametrize("victim", ["raylet", pytest.param("gcs_server", marks=pytest.mark.slow)])
def test_a_search_that_loses_ray_and_then_its_driver_takes_the_same_decisions(
    searched: SharedSweep, tmp_path: Path, processes: list[subprocess.Popen[str]], victim: str
) -> None:
    audit = Audit.of(tmp_path, searched.folder / "data")
    killed = tmp_path / "results" / searched.name
    words = (*SEARCH, "--patches", searched.patches, "--storage", tmp_path / "results")
    process = start("phase2", *words, stderr=subprocess.PIPE, **audit.variables)
    processes.append(process)
    _wait_until_printed(process, "unet-000  epoch 1/")  # early: a machine may do the rest in four seconds
    below = psutil.Process(process.pid).children(recursive=True)
    assert _listening(process.pid) <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}, "no network reaches Ray"
    (core,) = [child for child in psutil.Process(process.pid).children() if child.name() == victim]
    core.kill()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2, out + err
    (line,) = err.splitlines()
    assert line.startswith(f"error: Ray has died: {victim} (process {core.pid})") and "nothing is lost" in line
    assert "state-dump" not in out and "Traceback" not in out + err
    assert [one for one in below if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []

    begun = len(list(killed.glob("*/reports.jsonl")))  # how far it came until Ray was dead is a matter of time
    process = start(*line.rpartition("resume with python -m sweep.")[2].split(), **audit.variables)
    processes.append(process)
    assert process.stdout
    assert any(len(list(killed.glob("*/reports.jsonl"))) > max(3, begun) for _ in process.stdout), begun
    process.kill()
    process.wait(timeout=60)
    before = {path.parent.name: path.read_text() for path in killed.glob("*/reports.jsonl")}
    assert 3 < len(before) < 10

    screen = Screen()  # of 80 columns and 24 lines
    resume = ("--resume", searched.name, "--storage", str(tmp_path / "results"))
    assert run_on(screen, "sweep.phase2", *resume, **audit.variables) == 0, "\n".join(screen.everything)
    for attempt, reports in before.items():
        known = "".join(reports.splitlines(keepends=True)[:-1])  # the last one's state may not have been written
        assert (killed / attempt / "reports.jsonl").read_text().startswith(known), "an epoch was trained again"
    assert scores(killed) == scores(searched.experiment)
    assert audit.opened() and not audit.of_test(searched.patches), "also after a resume"
    row = r"^(smp_unet_resnet34|unet)-00\d +(running|paused|finished|stopped) +[1-4]/4 +0\.\d{3}"
    assert any(re.search(row, "\n".join(frame), re.M) for frame in screen.frames), screen.frames[-1]
    text = "\n".join(screen.everything)
    assert re.search(r"^\d+ of 10 trials done", text, re.M) and "…" not in text, text
    assert re.search(r"^ *1=? +SMP U-Net \+ ResNet34 .* 0\.\d{3} ", text, re.M), text
    assert re.search(r"^next\s+python -m sweep\.score phase2-smoke", text, re.M), text[-500:]


def test_phase_1_takes_the_best_recipes_and_score_reads_the_winners_once(
    searched: SharedSweep, here: Run, tmp_path: Path
) -> None:
    recipes = searched.experiment / "best_recipes.toml"
    planned = here("phase1", "--profile", "smoke", "--patches", searched.patches, "--recipes", recipes, "--plan")
    assert planned.returncode == 0, planned.stderr
    for name, fields in tomllib.loads(recipes.read_text()).items():
        (line,) = [line for line in planned.stdout.splitlines() if line.startswith(f"{name} ")]
        assert f"{fields['learning_rate']:.2g}" in line
    rows = _trials(searched.experiment)
    loser = next(row for row in rows if row["group"] == "unet" and row["status"] == "stopped")
    storage = ("--storage", searched.copy(tmp_path / "results"))
    assert_refused(
        here("score", "phase2-smoke", *storage, "--attempts", loser["attempt"]), "only finished attempts are scored"
    )
    finished = [row for row in rows if row["status"] == "finished"]
    winners = {}
    for row in finished:
        best = winners.setdefault(row["contest"], row)
        if (not row["collapsed"], row["val_iou"]) > (not best["collapsed"], best["val_iou"]):
            winners[row["contest"]] = row
    losers = [row for row in finished if row not in winners.values()]
    assert losers, "the shared recipe and the best rival both finish"
    refused = here("score", "phase2-smoke", *storage, "--attempts", losers[0]["attempt"])
    assert_refused(refused, "no ground for a choice")
    scored = here("score", "phase2-smoke", *storage, "--recipes", recipes)
    assert scored.returncode == 0, scored.stderr
    ledger = [json.loads(line) for line in (tmp_path / "results" / "test_ledger.jsonl").read_text().splitlines()]
    assert len(ledger) == 2 and {line["experiment"] for line in ledger} == {"phase2-smoke"}
    assert_refused(here("score", "phase2-smoke", *storage), "test was read at", "--again")


@pytest.mark.slow
def test_rungs_start_warm_from_an_earlier_experiment(run: Run, write_dataset: WriteDataset, tmp_path: Path) -> None:
    patches = write_dataset(tmp_path / "patches")
    common = ("--profile", "smoke", "--patches", patches, "--storage", tmp_path / "results")
    assert run("phase1", *common, "--architectures", "unet", "--name", "p1").returncode == 0
    arguments = ("--architectures", "unet", "--trials", "3", "--max-concurrent", "1", "--halving", "stop")
    done = run("phase2", *common, *arguments, "--warm-from", "p1")
    assert done.returncode == 0, done.stdout + done.stderr
    plan = json.loads((tmp_path / "results" / "phase2-smoke" / "sweep.json").read_text())["plan"]
    assert plan["halving"]["warm_from"] == "p1" and plan["halving"]["policy"] == "stop"
    other = ("--architectures", "smp_unet_resnet34", "--trials", "2", "--halving", "stop")
    refused = run("phase2", *common, *other, "--warm-from", "p1")
    assert_refused(refused, "--warm-from p1: has no curve of smp_unet_resnet34")
    assert_refused(
        run("phase2", *common, *arguments, "--warm-from", "p2"), "--warm-from p2: ", "holds no experiment 'p2'"
    )


def test_a_search_begins_with_the_best_recipe_of_an_earlier_one(
    searched: SharedSweep, here: Run, run: Run, tmp_path: Path
) -> None:
    storage = Path(searched.copy(tmp_path / "results"))
    common = ("--profile", "smoke", "--patches", searched.patches, "--storage", storage, "--architectures", "unet")
    words = (*common, "--trials", "3", "--name", "again", "--warm-from", "phase2-smoke")
    rows = [row for row in _trials(storage / "phase2-smoke") if row["group"] == "unet" and row["status"] == "finished"]
    known = sorted((row for row in rows if not row["collapsed"]), key=lambda row: -float(str(row["val_iou"])))
    origins = [f"phase2-smoke/{row['attempt']}" for row in known if row["role"] != "baseline"][:1]
    planned = here("phase2", *words, "--plan")
    assert planned.returncode == 0, planned.stderr
    assert all(origin in planned.stdout for origin in origins)
    done = run("phase2", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    (study,) = json.loads((storage / "again" / "sweep.json").read_text())["plan"]["studies"]
    assert [one["origin"] for one in study["starts"]] == origins
    found = _trials(storage / "again")
    assert len(found) == 3
    journal = JournalStorage(JournalFileBackend(str(storage / "again" / "studies.log")))
    trials = optuna.load_study(study_name="again/unet", storage=journal).trials
    assert [trial.user_attrs.get("origin") for trial in trials] == [None, *origins, *[None] * (2 - len(origins))]


@pytest.mark.slow
def test_a_user_s_space_and_optuna_storage_are_used(run: Run, write_dataset: WriteDataset, tmp_path: Path) -> None:
    patches = write_dataset(tmp_path / "patches")
    (tmp_path / "my_space.py").write_text(
        "from optuna.distributions import CategoricalDistribution, FloatDistribution\n\n"
        "def space(architecture):\n"
        "    return {'clip_norm': FloatDistribution(0.5, 2.0), 'augmentation': CategoricalDistribution(('HEAVY',))}\n"
    )
    url = f"sqlite:///{tmp_path}/studies.db"
    common = ("--profile", "smoke", "--patches", patches, "--storage", tmp_path / "results", "--architectures", "unet")
    own = ("--space", tmp_path / "my_space.py", "--optuna-storage", url, "--trials", "3")
    done = run("phase2", *common, *own)
    assert done.returncode == 0, done.stdout + done.stderr
    study = optuna.load_study(study_name="phase2-smoke/unet", storage=url)
    assert [set(trial.params) for trial in study.trials] == [{"clip_norm", "augmentation"}] * 3
    assert study.trials[0].params == {"clip_norm": 0.0, "augmentation": "MEDIUM"}, "the shared recipe"
    elsewhere = ("--storage", tmp_path / "elsewhere", "--name", "phase2-smoke")
    assert_refused(run("phase2", *common, *own, *elsewhere), "holds a study 'phase2-smoke/unet' already")
    again = run("phase2", *common, "--trials", "3", "--name", "phase2-smoke")
    assert_refused(again, "--name phase2-smoke: exists with another space", "clip_norm of unet: 0.5 to 2 there")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--trials", "1"), "--trials 1: is fewer than the 2 architectures"),
        (("--trials", "5"), "ask for 4 or 6"),
        (("--grace-period", "5"), "--grace-period 5: is beyond the maximum of 4"),
        (("--reduction-factor", "1"), "--reduction-factor 1"),
        (("--max-epochs", "0"), "--max-epochs 0"),
        (("--architectures", "unet,unet"), "is named more than once"),
        (("--architectures", "unett"), "did you mean 'unet'"),
        (("--space", "nothing.py"), "--space nothing.py: is not a Python file"),
        (("--optuna-storage", "nosql://x"), "--optuna-storage nosql://x: cannot be opened"),
        (("--time", "soon"), "--time 'soon'"),
        (("--budget", "all"), "--budget 'all'"),
        (("--halving", "pause", "--warm-from", "x"), "--warm-from x: "),
        (("--measure",), "--measure: calibrates a plan"),
    ],
)
def test_impossible_requests_are_one_line(
    here: Run, dataset: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    common = ("--profile", "smoke", "--patches", dataset, "--storage", tmp_path / "results")
    assert_refused(here("phase2", *common, *arguments), said)
    assert not list((tmp_path / "results").glob("*/sweep.json")), "nothing was begun"


def test_a_plan_shows_rungs_and_what_halving_saves(here: Run, dataset: Path, tmp_path: Path) -> None:
    arguments = ("--profile", "smoke", "--patches", dataset, "--storage", tmp_path / "new", "--plan", "--measure")
    done = here("phase2", *arguments, "--trials", "20", "--architectures", ARCHITECTURES)
    assert done.returncode == 0, done.stderr
    assert "rungs at epochs 1, 2" in done.stdout
    assert "measured       unet" in done.stdout and "nothing was started" in done.stdout
    assert "40" in done.stdout and "as halving usually goes" in done.stdout
    assert not (tmp_path / "new").exists()
