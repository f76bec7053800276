"""A study before it trains anything, and after: its plan, what it refuses, what every command says of it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from search_spaces.profiles import get_profile
from sweep.cli.console import open_output
from sweep.cli.output import Output
from sweep.cli.usage import parse
from sweep.commands import ALL
from sweep.records.experiment import Experiment
from sweep.records.store import collect
from sweep.records.studies import PHASES, StudyFolder, StudyRecord
from sweep.results.leaderboard import Leaderboard
from sweep.sealed.ledger import Ledger
from sweep.sealed.next_step import awaits_score, is_complete, next_command, resume_command
from sweep.sealed.study_steps import step_states
from sweep.session.stored_options import to_store
from sweep.status.command import StatusOptions
from sweep.status.command import main as status
from sweep.study import driver
from sweep.study.division import Sizes
from sweep.study.finalists import Finalists, assumed, to_curve, to_search
from sweep.study.options import StudyOptions
from sweep.study.outline import StudyOutline
from sweep.study.plan_shown import budget_in_words
from tests.cases.experiments import a_reading, score_all, write_experiment
from tests.commands import Run, assert_refused
from tests.conftest import WriteDataset
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError
from trainables.invocation import call
from trainables.storage import Storage

TWO = ("smp_unet_resnet34", "unet")


@pytest.fixture
def patches(tmp_path: Path, write_dataset: WriteDataset) -> Path:
    return write_dataset(tmp_path / "tiles", train=8)


def _options(patches: Path, **more: object) -> StudyOptions:
    return StudyOptions(profile="smoke", patches=patches, architectures=TWO, **more)  # type: ignore[arg-type]


def _begin(storage: Path, **more: object) -> StudyFolder:
    opened = Storage.open(str(storage))
    opened.create()
    study = StudyFolder(opened, "mine")
    options = to_store(StudyOptions(profile="smoke", patches=storage / "patches", storage=str(storage)))
    study.save(StudyRecord(**{"options": options, "fingerprint": "f", **more}))  # type: ignore[arg-type]
    return study


def _valid(text: str) -> str:
    """See that a printed command is a command line; returns it without the storage."""
    words = shlex.split(text)
    name = words[2].removeprefix("sweep.")
    command = next(one for one in ALL.commands() if one.name == name)
    parse(command.options, words[3:], program=call(name), examples={})
    return text.partition(" --storage ")[0]


def _status(study: StudyFolder, name: str = "mine") -> tuple[str, Output]:
    output = open_output()
    with output.results.capture() as said:
        assert status(StatusOptions(name=name, storage=study.storage.address), output) == 0
    return said.get(), output


def test_the_plan_is_of_real_phases_and_every_architecture_gets_the_same(patches: Path) -> None:
    output = open_output()
    outline = StudyOutline.of(_options(patches), output.console)
    assert [trial.attempt for trial in outline.first.plan.trials] == list(TWO)
    for trials in (4, 7, 90):
        assert {study.trials for study in outline.search(trials).studies} == {trials}
    assert {trial.draw for trial in outline.curve(1).trials} == {1}
    steps = outline.steps(outline.usual, PHASES)
    assert [step.name for step in steps] == ["phase1", "score", "phase2", "score", "phase3", "score", "report"]
    assert [step.trials for step in steps] == [2, 2, 8, 2, 10, 10, None]
    costs = outline.costs(PHASES)
    assert costs.of(outline.usual) == pytest.approx(sum(step.seconds for step in steps))
    assert costs.search(20) > costs.search(10)
    only = outline.costs(PHASES[:1])
    assert only.search(90) == only.curve(3) == 0.0


def test_unlabelled_images_go_where_an_architecture_learns_from_them(patches: Path, tmp_path: Path) -> None:
    extra = tmp_path / "extra"
    (patches / "train/images").rename(extra)
    shutil.copytree(extra, patches / "train/images")
    console = open_output().console
    learning = {"searched": ("unet", "unet+unlabelled"), "curved": ("unet",)}
    outline = StudyOutline.of(_options(patches, unlabelled=extra), console, **learning)
    names = ("smp_unet_resnet34", "smp_unet_resnet34+unlabelled", "unet", "unet+unlabelled")
    assert tuple(outline.first.plan.architectures) == names
    assert outline.second.plan.architectures == ["unet", "unet+unlabelled"] and outline.second.unlabelled
    assert outline.third.plan.architectures == ["unet"] and outline.third.unlabelled is None


def test_measured_times_replace_assumed_ones(patches: Path, tmp_path: Path) -> None:
    outline = StudyOutline.of(_options(patches), open_output().console)
    first = write_experiment(tmp_path / "r", "mine-phase1")
    known = outline.calibrated(first)
    assert set(known.factors) == set(TWO)
    doubled = known.factors["unet"]
    assert known.seconds(known.curve(2)) != outline.seconds(outline.curve(2)) and doubled > 0


def test_a_plan_is_printed_and_leads_to_the_study(patches: Path, tmp_path: Path, here: Run) -> None:
    words = ("--profile", "smoke", "--patches", patches, "--architectures", "unet", "--storage", tmp_path / "r")
    done = here("study", "--plan", *words, "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    plan = next(one for one in events if one["event"] == "plan")
    assert done.returncode == 0, done.stderr
    assert [step["name"] for step in plan["steps"]][:2] == ["phase1", "score"]
    assert "--plan" not in _valid(events[-1]["next"])
    assert not (tmp_path / "r").exists(), "a plan writes nothing"
    until = here("study", "--plan", *words, "--until", "phase1").stdout
    assert "phase1" in until and "phase2" not in until


def test_a_budget_that_is_too_small_names_the_least_that_works(patches: Path, tmp_path: Path, here: Run) -> None:
    words = ("--plan", "--profile", "smoke", "--patches", patches, "--architectures", "unet")
    done = here("study", *words, "--storage", tmp_path / "r", "--budget", "1min")
    assert_refused(done, "--budget 1min: is too little", "or --until phase1")
    least = done.stderr.partition("give --budget ")[2].partition(" ")[0]
    again = here("study", *words, "--storage", tmp_path / "r", "--budget", least)
    assert again.returncode == 0 and "Phase 2 gets what the others leave" in again.stdout
    assert_refused(here("study", *words, "--budget", "soon"), "--budget 'soon': give a time such as 8h")


def test_what_a_budget_changes_is_said() -> None:
    usual = Sizes(trials=30, draws=3)
    lines = budget_in_words(usual, Sizes(trials=12, draws=2), PHASES, 3600.0)
    assert "12 trials of each architecture, where the profile has 30" in lines[1]
    assert lines[2] == "Phase 3 gets 2 draws instead of 3"
    assert not budget_in_words(usual, usual, PHASES, None)


def test_the_doctors_findings_stop_a_study_before_anything_begins(tmp_path: Path, patches: Path, here: Run) -> None:
    (patches / "val" / "masks" / "extra.png").write_bytes(b"no picture")
    words = ("--profile", "smoke", "--patches", patches, "--architectures", "unet", "--storage", tmp_path / "r")
    assert here("study", *words).returncode == 2
    assert not (tmp_path / "r" / "study-smoke").exists()
    (patches / "val" / "masks" / "extra.png").unlink()
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "test_ledger.jsonl").write_text("damaged\n")
    done = here("study", *words)
    assert done.returncode == 2 and "fail  ledger" in done.stdout and "fix: " in done.stdout
    assert _valid(done.stdout.splitlines()[-1].removeprefix("next").strip())
    assert not (tmp_path / "r" / "study-smoke").exists()


def test_names_that_are_taken_are_refused(tmp_path: Path, patches: Path, here: Run) -> None:
    write_experiment(tmp_path / "r", "mine-phase1")
    words = ("--profile", "smoke", "--patches", patches, "--storage", tmp_path / "r")
    assert_refused(here("study", *words, "--name", "mine"), "mine-phase1 exists already; choose another --name")
    _begin(tmp_path / "r")
    done = here("study", *words, "--architectures", "unet", "--name", "mine")
    assert_refused(done, "was begun with another --architectures", "resume it with python -m sweep.study --resume mine")
    changed = here("study", "--resume", "mine", "--profile", "demo", "--storage", tmp_path / "r")
    assert_refused(changed, "--profile demo: is part of the experiment")
    assert_refused(here("study", "--resume", "mine", "--storage", tmp_path / "r"), "no such folder")
    assert_refused(here("study", "--resume", "other", "--storage", tmp_path / "r"), "holds no study 'other'")
    assert_refused(here("study", "--resume", "mine", "--plan", "--storage", tmp_path / "r"), "sweep.status mine")


def test_tiles_that_changed_between_two_phases_are_refused(
    tmp_path: Path, here: Run, write_dataset: WriteDataset
) -> None:
    study = _begin(tmp_path / "r")
    write_dataset(tmp_path / "r" / "patches")
    done = here("study", "--resume", "mine", "--storage", tmp_path / "r")
    assert_refused(done, "its train and val tiles changed since the study began; bring them back")
    assert not study.begun


def test_a_phase_of_a_study_leads_back_to_the_study(tmp_path: Path) -> None:
    study = _begin(tmp_path)
    first = write_experiment(tmp_path, "mine-phase1", ended=False, states={"unet": "waiting"})
    assert _valid(resume_command(first, first.description)) == "python -m sweep.study --resume mine"
    said, output = _status(study)
    assert "phase1         unfinished" in said and "phase2         not begun" in said
    assert _valid(output.next_command) == "python -m sweep.study --resume mine"
    _, output = _status(study, "mine-phase1")
    assert _valid(output.next_command) == "python -m sweep.study --resume mine"
    alone = write_experiment(tmp_path, "other-phase1", ended=False, states={"unet": "waiting"})
    assert _valid(resume_command(alone, alone.description)) == "python -m sweep.phase1 --resume other-phase1"


def test_each_step_of_a_study_is_known_from_what_is_there(tmp_path: Path) -> None:
    study = _begin(tmp_path)
    experiments = [write_experiment(tmp_path, f"mine-{phase}", phase=phase) for phase in PHASES]
    assert step_states(study)["phase1"] == "ended, not scored yet"
    for one in experiments:
        assert _valid(next_command(one, one.description, collect(one))) == "python -m sweep.study --resume mine"
        score_all(one)
        Leaderboard(one).write()
        assert not awaits_score(one, one.description, collect(one))
    assert step_states(study)["report"] == "not made yet" and not is_complete(study)
    study.storage.write("mine/report.html", b"page")
    assert is_complete(study) and step_states(study)["report"] == "made of all phases"
    for one in experiments:
        found = _valid(next_command(one, one.description, collect(one)))
        assert found == "python -m sweep.export --model mine-phase2"
    os.utime(study.report, (1, 1))
    assert not is_complete(study), "the page does not know the scores"


def test_a_study_without_a_test_split_is_complete_without_scores(tmp_path: Path) -> None:
    study = _begin(tmp_path, without_test="test: holds no tiles")
    experiments = [write_experiment(tmp_path, f"mine-{phase}", phase=phase) for phase in PHASES]
    study.storage.write("mine/report.html", b"page")
    assert is_complete(study) and step_states(study)["phase2"] == "ended; there is no test split to score"
    assert "sweep.export" in next_command(experiments[0], experiments[0].description, collect(experiments[0]))


def test_the_same_weights_in_two_phases_are_one_reading(tmp_path: Path) -> None:
    """Phase 2 begins with the shared recipe: where that wins, Phase 1 has read test with the very same weights."""
    first, second = (write_experiment(tmp_path, f"e-{phase}", phase=phase) for phase in PHASES[:2])
    for one in (first, second):
        for trial in collect(one):
            name = f"{trial.attempt}/reports.jsonl"
            *others, last = [json.loads(line) for line in one.read(name).splitlines()]
            lines = [*others, {**last, "best_sha256": f"weights of {trial.attempt}"}]
            one.write(name, "".join(f"{json.dumps(line)}\n" for line in lines).encode())
    assert awaits_score(second, second.description, collect(second))
    for trial in collect(first):
        reading = a_reading(
            experiment=first.name,
            attempt=trial.attempt,
            data_fingerprint="f",
            checkpoint_sha256=f"weights of {trial.attempt}",
        )
        Ledger(first.storage).append([reading])
    assert not awaits_score(first, first.description, collect(first))
    assert not awaits_score(second, second.description, collect(second))


def test_who_goes_on_is_decided_by_val_alone_and_at_most_as_many_as_the_profile_searches(tmp_path: Path) -> None:
    tied = {"unet": (0.30, 0.72, 0.5), "smp_unet_resnet34": (0.31, 0.74, 0.5), "sam_vit_b_conv": (0.3, 0.7, 0.49)}
    first = write_experiment(tmp_path, "a", val=tied)
    Leaderboard(first).write()
    found = to_search(first, get_profile("smoke"))
    assert found == Finalists(names=("smp_unet_resnet34", "unet"), left_out=("sam_vit_b_conv",))
    assert to_curve(first) == Finalists(names=("smp_unet_resnet34",)), "trained once each, nobody is known to tie"
    assert assumed(get_profile("demo"), ["sam_vit_b_conv", "unet"]) == ("unet", "sam_vit_b_conv")


def test_a_run_that_was_killed_counts_until_its_last_sign_of_life(tmp_path: Path) -> None:
    study = _begin(tmp_path, begun=time.time() - 100, spent=50.0)
    with study.lease().held():
        assert 90 < study.seconds_of_killed_run(study.record) < 120
    assert study.seconds_of_killed_run(study.record) == 0.0, "nobody knows"


@pytest.mark.parametrize("content", [b"", b"{}", b'{"options": {}, "fingerprint": "f", "format": 99}', b"[1"])
def test_a_damaged_study_is_one_line(tmp_path: Path, content: bytes) -> None:
    study = _begin(tmp_path)
    study.storage.write("mine/study.json", content)
    with pytest.raises(ExperimentError, match=r"restore it|update tilesweep"):
        _ = study.record


def test_a_folder_that_only_looks_like_a_phase_is_none(tmp_path: Path) -> None:
    opened = Storage.open(str(tmp_path))
    assert StudyFolder.of(Experiment(opened, "x-phase1")) is None
    assert StudyFolder.of(Experiment(opened, "phase1-demo")) is None
    with pytest.raises(ExperimentError, match="a name starts with"):
        StudyFolder(opened, "a" * 99)


def _ready(tmp_path: Path, write_dataset: WriteDataset) -> StudyFolder:
    """Return a study with an unfinished Phase 1 on tiles that are there."""
    patches = write_dataset(tmp_path / "tiles")
    fingerprint = TuningData.read(patches).fingerprint
    study = _begin(tmp_path / "r", fingerprint=fingerprint, budget=3600.0)
    record = study.record
    study.save(replace(record, options={**record.options, "patches": str(patches)}))
    write_experiment(tmp_path / "r", "mine-phase1", ended=False, states={"unet": "waiting"})
    return study


def test_at_the_end_of_the_budget_there_is_a_report_of_what_there_is(
    tmp_path: Path, here: Run, write_dataset: WriteDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = _ready(tmp_path, write_dataset)
    given = {}
    monkeypatch.setattr(driver, "run_phase", lambda *_, **more: given.update(more) or 0)
    done = here("study", "--resume", "mine", "--storage", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    assert 0 < given["seconds"] <= 3600 and (tmp_path / "r" / "mine" / "report.md").exists()
    assert _valid(done.stdout.splitlines()[-1].removeprefix("next").strip()) == "python -m sweep.study --resume mine"
    assert study.record.begun is None and study.lease().look() is None
    assert not is_complete(study)


def test_an_interrupt_between_two_steps_says_how_to_resume(
    tmp_path: Path, here: Run, write_dataset: WriteDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = _ready(tmp_path, write_dataset)

    def interrupt(*_: object, **__: object) -> int:
        time.sleep(0.1)
        raise KeyboardInterrupt

    monkeypatch.setattr(driver, "run_phase", interrupt)
    done = here("study", "--resume", "mine", "--storage", tmp_path / "r")
    assert done.returncode == 130 and "interrupted; nothing is lost" in done.stdout
    assert _valid(done.stdout.splitlines()[-1].removeprefix("next").strip()) == "python -m sweep.study --resume mine"
    assert study.record.spent >= 0.1


def test_two_runs_of_one_study_are_one_too_many(tmp_path: Path, here: Run, write_dataset: WriteDataset) -> None:
    study = _ready(tmp_path, write_dataset)
    with study.lease().held():
        refused = here("study", "--resume", "mine", "--storage", tmp_path / "r")
    assert_refused(refused, "is being run by process")


def test_the_report_of_a_study_is_that_of_its_experiments(tmp_path: Path, here: Run) -> None:
    study = _begin(tmp_path)
    for phase in PHASES[:2]:
        write_experiment(tmp_path, f"mine-{phase}", phase=phase)
    done = here("report", "mine", "--storage", tmp_path, "--out", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    assert all(f"mine-{phase}" in (tmp_path / "page.md").read_text() for phase in PHASES[:2]) and study.begun


def test_a_study_that_runs_leads_to_watching_it(tmp_path: Path) -> None:
    study = _begin(tmp_path)
    write_experiment(tmp_path, "mine-phase1")
    with study.lease().held():
        _, output = _status(study)
    words = output.next_command
    assert _valid(words) == "python -m sweep.status mine" and words.endswith(" --watch")


def test_watching_a_study_ends_with_it_and_not_with_a_phase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = _begin(tmp_path)
    write_experiment(tmp_path, "mine-phase1")
    output, looks = open_output(), iter(range(100))

    def sleep(seconds: float) -> None:
        if next(looks) == 1:
            write_experiment(tmp_path, "mine-phase2", phase="phase2")
            stack.close()

    monkeypatch.setattr("sweep.status.command.time.sleep", sleep)
    with ExitStack() as stack, output.results.capture() as said:
        stack.enter_context(study.lease().held())
        assert status(StatusOptions(name="mine", storage=study.storage.address, watch=1.0), output) == 0
    shown = [line for line in said.get().splitlines() if line.startswith("experiment")]
    assert [line.rpartition("/")[2] for line in shown] == ["mine-phase1", "mine-phase2"]
    assert _valid(output.next_command) == "python -m sweep.study --resume mine"
