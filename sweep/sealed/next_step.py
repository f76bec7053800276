"""What to do next with an experiment: one command, ready to be pasted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sweep.records.experiment import Experiment
from sweep.records.store import TEST_SCORES_FILE, gather
from sweep.records.studies import PHASES, StudyFolder
from sweep.records.trial_result import TrialResult
from sweep.records.trials import read_reports
from sweep.records.winners import winners
from sweep.sealed.ledger import Ledger
from trainables.data.manifest import Manifest
from trainables.errors import DataError, ExperimentError, LedgerError
from trainables.invocation import command
from trainables.models.probe_names import is_probe, learns_unlabelled
from trainables.models.trust import FLAG, trusts

FOLLOWING = {"phase1": "phase2", "phase2": "phase3"}
"""Phase -> the one that asks the next question."""
REPORT_FILE = "report.html"
LEADERBOARD_FILE = "leaderboard.parquet"
RECIPES_FILE = "best_recipes.toml"
_OURS = re.compile(r"(python -m sweep\.|python -m sweep |tilesweep )(phase[123])\b")


def resume_command(experiment: Experiment, description: Mapping[str, Any], *words: str) -> str:
    """Return the command that resumes an unfinished experiment, or the whole study that it is a phase of.

    Args:
        experiment: Which one.
        description: Its phase and, where its architectures are files, their code.
        words: Flags that the command needs beside those.
    """
    words = (*trusting(description), *words)
    if study := StudyFolder.of(experiment):
        return study.command(*words)
    return experiment.command(description["phase"], *words, "--resume")


def trusting(description: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the flag that lets an experiment's own architectures run, where this command's user allowed them already.

    Whoever looks at somebody else's experiment is not led to run its code: the command that refuses it says what to do.
    """
    code = description.get("code")
    return (FLAG,) if isinstance(code, dict) and code and all(trusts(name) for name in code) else ()


def next_command(
    experiment: Experiment,
    description: Mapping[str, Any],
    trials: Iterable[TrialResult],
    *,
    reported: bool = False,
) -> str:
    """Return what comes next for an experiment that nobody runs.

    Args:
        experiment: Which one.
        description: What it says of itself.
        trials: Its trials.
        reported: Its report has just been made, wherever.

    Returns:
        To resume it, to sweep again where no trial finished, to score it where there are test tiles, to report it. Then
        the next phase with the architectures that are at the top, or the state of that phase where it was begun on the
        same tiles. After the last phase, to export the best model.
    """
    if not description["ended"]:
        return resume_command(experiment, description)
    trials = list(trials)
    if not winners(trials):
        return _same_again(description)
    study = StudyFolder.of(experiment)
    if study and not (has_all_scores(study) if reported else is_complete(study)):
        return study.command(*trusting(description))
    try:
        unscored = awaits_score(experiment, description, trials)
    except LedgerError:
        return experiment.command("score", "--verify")
    if unscored and not has_no_test(experiment, description):
        return experiment.command("score", *trusting(description))
    if not reported and not (study or _is_reported(experiment)):
        return experiment.command("report")
    best = study.experiment("phase2") if study else experiment  # with its own recipe, on all train tiles
    return _next_phase(experiment, description) or export_command(best, description)


def has_no_test(experiment: Experiment, description: Mapping[str, Any]) -> bool:
    """Whether there is no test split: its study found none, or the dataset is on this machine and has none.

    A sweep asks, so the manifest, or whether there is such a folder, says so; that folder is not looked into.
    """
    if (study := StudyFolder.of(experiment)) and study.record.without_test:
        return True
    patches = Path(str(description["data"]["path"]))
    try:
        manifest = Manifest.read(patches) if patches.is_dir() else None
    except DataError:
        return False
    if manifest:
        return not manifest.splits.get("test")
    return patches.is_dir() and not (patches / "test").is_dir()


def awaits_score(experiment: Experiment, description: Mapping[str, Any], trials: Iterable[TrialResult]) -> bool:
    """Whether a winner of an experiment has not read the test split.

    Raises:
        LedgerError: The ledger is damaged.
    """
    trials = list(trials)
    readings = Ledger(experiment.storage).readings()
    run = description.get("id", "")
    read = {one.attempt for one in readings if one.experiment == experiment.name or (run and one.run == run)}
    elsewhere = {
        one.checkpoint_sha256 for one in readings if one.data_fingerprint == description["data"]["fingerprint"]
    }
    contests = {one.attempt: one.contest for one in trials}
    for contest, won in winners(trials).items():
        winning = {one.attempt for one in won}
        before = {attempt for attempt in read if contests.get(attempt, attempt) == contest}
        unread = [attempt for attempt in winning if not before - (winning - {attempt})]  # scoring admits just these
        if any(not (elsewhere and _weights_of(experiment, attempt) in elsewhere) for attempt in unread):
            return True
    return False


def _weights_of(experiment: Experiment, attempt: str) -> str:
    """Return the hash of an attempt's weights; empty where it is not known, as of earlier versions.

    The same training in two phases is one reading of test.
    """
    reports = read_reports(experiment, attempt)
    return str(reports[-1].get("best_sha256", "")) if reports else ""


def has_all_scores(study: StudyFolder) -> bool:
    """Whether all phases of a study have ended, and their winners have read test where there is a test split."""
    return all(is_done(study, study.experiment(phase)) for phase in PHASES)


def is_done(study: StudyFolder, phase: Experiment) -> bool:
    """Whether a phase of a study has ended, and its winners have read test where there is a test split."""
    if not phase.has_ended:
        return False
    try:
        without = study.record.without_test
        return bool(without) or not awaits_score(phase, phase.description, gather(phase).trials)
    except LedgerError:
        return False


def is_complete(study: StudyFolder) -> bool:
    """Whether all phases of a study have ended and its report is younger than their last reading of test."""
    phases = [study.experiment(phase) for phase in PHASES]
    if (made := study.reported) is None or not all(one.has_ended for one in phases):
        return False
    return all(made >= (one.changed(TEST_SCORES_FILE) or 0.0) for one in phases)


def _is_reported(experiment: Experiment) -> bool:
    """Whether a report was made after the last reading of test."""
    made, scored = experiment.changed(REPORT_FILE), experiment.changed(TEST_SCORES_FILE)
    return made is not None and (scored is None or made >= scored)


def _next_phase(experiment: Experiment, description: Mapping[str, Any]) -> str:
    """Return the command of the phase that follows, or of its state where it was begun; empty where there is none."""
    if (phase := FOLLOWING.get(description["phase"])) is None or StudyFolder.of(experiment):
        return ""
    for name in experiment.storage.names():
        with suppress(ExperimentError):
            other = Experiment(experiment.storage, name)
            if other.exists and _subject(other.description) == (phase, description["data"]["fingerprint"]):
                return other.command("status")
    words = ["--profile", description["profile"], "--patches", description["data"]["path"], *trusting(description)]
    if chosen := tied_at_the_top(experiment):
        words += ["--architectures", ",".join(chosen)]
    if any(map(learns_unlabelled, chosen)):
        words += ["--unlabelled", description["data"]["unlabelled"]["path"]]
    recipes = RECIPES_FILE if description["phase"] == "phase2" and experiment.has(RECIPES_FILE) else ""
    if recipes and experiment.storage.is_local:
        words += ["--recipes", experiment.path(recipes)]
    return command(phase, *words, *experiment.storage_words)


def _subject(description: Mapping[str, Any]) -> tuple[str, str]:
    return description["phase"], description["data"]["fingerprint"]


def tied_at_the_top(experiment: Experiment) -> list[str]:
    """Return the trained architectures that the leaderboard cannot tell from its best one; the best one first.

    Where a probe is better than all that is trained, the best of these.
    """
    if not experiment.has(LEADERBOARD_FILE):
        return []
    rows = experiment.read_table(LEADERBOARD_FILE).to_pylist()
    ranked = [row for row in rows if row["rank"] is not None and not is_probe(row["architecture"])]
    chosen = [row["architecture"] for row in ranked if row["rank"] == 1 or row["tied"]]
    return list(dict.fromkeys(chosen or [row["architecture"] for row in ranked[:1]]))


def export_command(experiment: Experiment, description: Mapping[str, Any]) -> str:
    """Return the command that makes one file of an experiment's best model."""
    return command("export", "--model", experiment.name, *trusting(description), *experiment.storage_words)


def _same_again(description: Mapping[str, Any]) -> str:
    """Return the command that started an experiment, without the name, which is taken; never another program's."""
    try:
        text = str(description.get("provenance", {}).get("command", ""))
        words = shlex.split(text) if _OURS.match(text) else []
    except ValueError:  # a quote without an end
        words = []
    if not words:
        return command(description["phase"], "--profile", description["profile"])
    kept = []
    for before, word in zip(["", *words], words, strict=False):
        if word not in ("--name", FLAG) and before != "--name" and not word.startswith("--name="):
            kept.append(word)
    return shlex.join(kept)
