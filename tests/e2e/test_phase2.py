"""Phase 2 as users type it: search, best recipes, score; and what it refuses."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

import optuna
import pyarrow.parquet as pq
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tests.conftest import WriteDataset
from tests.e2e.conftest import Run, assert_refused, start

ARCHITECTURES = "smp_unet_resnet34,unet"


@dataclass(frozen=True)
class Searched:
    """A search that has ended, one trial at a time."""

    patches: Path
    results: Path
    stdout: str

    @property
    def experiment(self) -> Path:
        return self.results / "phase2-smoke"

    @property
    def common(self) -> tuple[str, ...]:
        return ("--profile", "smoke", "--patches", str(self.patches), "--storage", str(self.results))


@pytest.fixture(scope="module")
def searched(run: Run, write_dataset: WriteDataset, tmp_path_factory: pytest.TempPathFactory) -> Searched:
    folder = tmp_path_factory.mktemp("searched")
    patches = write_dataset(folder / "patches", size=128)
    common = ("--profile", "smoke", "--patches", patches, "--storage", folder / "results")
    arguments = ("--architectures", ARCHITECTURES, "--trials", "10", "--max-concurrent", "1")
    done = run("phase2", *common, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return Searched(patches, folder / "results", done.stdout)


def _trials(experiment: Path) -> list[dict[str, object]]:
    return pq.read_table(experiment / "trials.parquet").to_pylist()


def test_every_architecture_has_the_same_budget_and_its_own_study(searched: Searched) -> None:
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
    assert f"optuna-dashboard {searched.experiment}/studies.log" in searched.stdout


def test_trials_pause_by_default_one_at_a_time_and_the_saving_is_told(searched: Searched) -> None:
    assert "paused after epoch 1" in searched.stdout
    plan = json.loads((searched.experiment / "sweep.json").read_text())["plan"]
    assert plan["halving"]["policy"] == "pause"
    run_epochs = sum(int(str(trial["epochs"])) for trial in _trials(searched.experiment))
    (line,) = [line for line in searched.stdout.splitlines() if line.startswith("epochs ")]
    assert f"{run_epochs} run; " in line
    assert "% saved (estimated from how long the" in line or "cannot be said" in line


def test_trials_that_were_given_up_leave_no_state_behind(searched: Searched) -> None:
    stopped = [row["attempt"] for row in _trials(searched.experiment) if row["status"] == "stopped"]
    assert stopped
    for attempt in stopped:
        assert (searched.experiment / str(attempt) / "best.safetensors").exists()
        assert not list((searched.experiment / str(attempt) / "state").iterdir())


def test_the_best_recipes_never_lose_to_the_shared_one(searched: Searched) -> None:
    recipes = tomllib.loads((searched.experiment / "best_recipes.toml").read_text())
    trials = _trials(searched.experiment)
    for name in ARCHITECTURES.split(","):
        own = [trial for trial in trials if trial["group"] == name and trial["status"] == "finished"]
        best = max(own, key=lambda trial: float(str(trial["val_iou"])))
        assert best["val_iou"] >= next(trial["val_iou"] for trial in own if trial["attempt"] == f"{name}-000")  # type: ignore[operator]
        stored = json.loads(str(best["recipe"]))
        assert set(recipes[name]) == {"learning_rate", "augmentation", "decoder_dropout", "bce_weight"}
        assert all(stored[field] == value for field, value in recipes[name].items())


@pytest.mark.slow
def test_the_same_seed_finds_the_same_trials_and_scores(searched: Searched, run: Run) -> None:
    arguments = ("--architectures", ARCHITECTURES, "--trials", "10", "--max-concurrent", "1", "--name", "again")
    assert run("phase2", *searched.common, *arguments).returncode == 0
    columns = ("attempt", "recipe", "status", "epochs", "best_epoch_val_iou", "val_iou")

    def kept(name: str) -> list[list[object]]:
        return [[trial[column] for column in columns] for trial in _trials(searched.results / name)]

    assert kept("again") == kept("phase2-smoke")


def test_a_search_whose_driver_is_killed_takes_the_same_decisions(searched: Searched, run: Run) -> None:
    arguments = ("--architectures", ARCHITECTURES, "--trials", "10", "--max-concurrent", "1", "--name", "killed")
    process = start("phase2", *searched.common, *arguments)
    assert process.stdout
    for line in process.stdout:
        if line.startswith("unet-002  epoch 1/"):
            process.kill()
            break
    process.wait(timeout=60)
    killed = searched.results / "killed"
    before = {path.parent.name: path.read_text() for path in killed.glob("*/reports.jsonl")}
    assert 3 < len(before) < 10
    resumed = run("phase2", "--resume", "killed", "--storage", searched.results)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    for attempt, reports in before.items():
        known = "".join(reports.splitlines(keepends=True)[:-1])  # the last one's state may not have been written
        assert (killed / attempt / "reports.jsonl").read_text().startswith(known), "an epoch was trained again"
    columns = ("attempt", "recipe", "status", "epochs", "best_epoch_val_iou", "val_iou")

    def kept(name: str) -> list[list[object]]:
        return [[trial[column] for column in columns] for trial in _trials(searched.results / name)]

    assert sorted(kept("killed")) == sorted(kept("phase2-smoke"))


def test_phase_1_and_score_take_the_best_recipes_and_score_reads_the_winners_once(searched: Searched, run: Run) -> None:
    recipes = searched.experiment / "best_recipes.toml"
    done = run("phase1", *searched.common, "--recipes", recipes, "--name", "tuned")
    assert done.returncode == 0, done.stderr
    best = tomllib.loads(recipes.read_text())
    rows = _trials(searched.results / "tuned")
    assert {str(row["attempt"]): row["learning_rate"] for row in rows} == {
        name: fields["learning_rate"] for name, fields in best.items()
    }
    loser = next(row for row in _trials(searched.experiment) if row["group"] == "unet" and row["status"] == "stopped")
    storage = ("--storage", searched.results)
    assert_refused(
        run("score", "phase2-smoke", *storage, "--attempts", loser["attempt"]), "only finished attempts are scored"
    )
    scored = run("score", "phase2-smoke", *storage, "--recipes", recipes)
    assert scored.returncode == 0, scored.stderr
    ledger = [json.loads(line) for line in (searched.results / "test_ledger.jsonl").read_text().splitlines()]
    assert len(ledger) == 2 and {line["experiment"] for line in ledger} == {"phase2-smoke"}
    assert_refused(run("score", "phase2-smoke", *storage), "test was read at", "--again")


def test_a_loser_may_not_read_test(searched: Searched, run: Run) -> None:
    finished = [row for row in _trials(searched.experiment) if row["status"] == "finished"]
    winners = {}
    for row in finished:
        best = winners.setdefault(row["contest"], row)
        if (not row["collapsed"], row["val_iou"]) > (not best["collapsed"], best["val_iou"]):
            winners[row["contest"]] = row
    losers = [row for row in finished if row not in winners.values()]
    assert losers, "the shared recipe and the best rival both finish"
    storage = ("--storage", searched.results)
    assert_refused(run("score", "phase2-smoke", *storage, "--attempts", losers[0]["attempt"]), "no ground for a choice")


@pytest.mark.slow
def test_a_limit_stops_cleanly_and_resume_goes_on(run: Run, write_dataset: WriteDataset, tmp_path: Path) -> None:
    patches = write_dataset(tmp_path / "patches")
    storage = ("--storage", tmp_path / "results")
    arguments = ("--profile", "smoke", "--patches", patches, "--max-concurrent", "1", "--trials", "8")
    done = run("phase2", *arguments, *storage, "--budget", "0.0002cpu-hours")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "stopped by --budget; nothing is lost" in done.stdout
    experiment = tmp_path / "results" / "phase2-smoke"
    before = {row["attempt"]: row for row in _trials(experiment)}
    assert len(before) > 0 and any(row["status"] != "stopped" for row in before.values())
    resumed = run("phase2", "--resume", "phase2-smoke", *storage)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    after = {row["attempt"]: row for row in _trials(experiment)}
    assert len(after) == 8 and {row["status"] for row in after.values()} <= {"finished", "stopped"}
    for name, row in before.items():
        if row["status"] == "finished":
            assert after[name]["seconds"] == row["seconds"], "was trained again"
    unbroken = run("phase2", *arguments, *storage, "--name", "unbroken")
    assert unbroken.returncode == 0
    columns = ("attempt", "status", "epochs", "recipe", "best_epoch_val_iou", "val_iou")

    def kept(name: str) -> list[list[object]]:
        return [[row[column] for column in columns] for row in _trials(tmp_path / "results" / name)]

    assert sorted(kept("phase2-smoke")) == sorted(kept("unbroken")), "a limit and a resume change no decision"


@pytest.mark.slow
def test_rungs_start_warm_from_an_earlier_experiment(run: Run, write_dataset: WriteDataset, tmp_path: Path) -> None:
    patches = write_dataset(tmp_path / "patches")
    common = ("--profile", "smoke", "--patches", patches, "--storage", tmp_path / "results")
    assert run("phase1", *common, "--architectures", "unet", "--name", "p1").returncode == 0
    arguments = ("--architectures", "unet", "--trials", "3", "--max-concurrent", "1")
    done = run("phase2", *common, *arguments, "--warm-from", "p1")
    assert done.returncode == 0, done.stdout + done.stderr
    plan = json.loads((tmp_path / "results" / "phase2-smoke" / "sweep.json").read_text())["plan"]
    assert plan["halving"]["warm_from"] == "p1" and plan["halving"]["policy"] == "stop"
    refused = run("phase2", *common, "--architectures", "smp_unet_resnet34", "--warm-from", "p1", "--trials", "2")
    assert_refused(refused, "--warm-from p1: has no curve of smp_unet_resnet34")
    assert_refused(
        run("phase2", *common, *arguments, "--warm-from", "p2"), "--warm-from p2: ", "holds no experiment 'p2'"
    )


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
        (("--halving", "pause", "--warm-from", "x"), "--warm-from x"),
        (("--measure",), "--measure: calibrates a plan"),
    ],
)
def test_impossible_requests_are_one_line(
    run: Run, dataset: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    common = ("--profile", "smoke", "--patches", dataset, "--storage", tmp_path / "results")
    assert_refused(run("phase2", *common, *arguments), said)
    assert not list((tmp_path / "results").glob("*/sweep.json")), "nothing was begun"


def test_a_plan_shows_rungs_and_what_halving_saves(run: Run, dataset: Path, tmp_path: Path) -> None:
    arguments = ("--profile", "smoke", "--patches", dataset, "--storage", tmp_path / "new", "--plan", "--measure")
    done = run("phase2", *arguments, "--trials", "20", "--architectures", ARCHITECTURES)
    assert done.returncode == 0, done.stderr
    assert "rungs at epochs 1, 2" in done.stdout
    assert "measured       unet" in done.stdout and "nothing was started" in done.stdout
    assert "40" in done.stdout and "as halving usually goes" in done.stdout
    assert not (tmp_path / "new").exists()
