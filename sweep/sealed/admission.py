"""Which attempts may read the test split: each contest's winner by val, once, whatever its folder is called."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from search_spaces.recipes import read_recipes
from sweep.records.experiment import Experiment
from sweep.records.store import collect, gather, scored_attempts
from sweep.records.trial_result import TrialResult
from sweep.records.weights_file import read_best_weights
from sweep.records.winners import winners
from sweep.sealed.ledger import Ledger, Reading
from sweep.sealed.next_step import next_command, resume_command
from trainables.errors import ExperimentError, LedgerError, nearest


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An attempt that is about to read the test split.

    Attributes:
        name: The attempt's name.
        checkpoint_sha256: Hash of its best-weights file.
        architecture: What was trained; empty where it is not known.
        reason: Why it reads again; empty for a first reading.
        recorded: Its reading, where a job recorded that and was killed before it wrote the files.
    """

    name: str
    checkpoint_sha256: str
    architecture: str = ""
    reason: str = ""
    recorded: Reading | None = None


def admit(
    experiment: Experiment,
    ledger: Ledger,
    *,
    attempts: Sequence[str] = (),
    recipes: Path | None = None,
    again: str = "",
) -> list[Attempt]:
    """Decide which attempts may read the test split; call it with the ledger locked.

    A reading counts for the experiment that has its name or its id, and for whoever has the same weights.

    Args:
        experiment: Whose attempts.
        ledger: Of the storage.
        attempts: Which ones; none is each contest's winner.
        recipes: Only those that were trained with one of this file's recipes.
        again: Why test is read again; empty where it is not.

    Raises:
        LedgerError: Every attempt asked for has been read before, and no reason for another reading is given.
        ExperimentError: An attempt that does not exist, has not finished, or is not its contest's winner; weights or
            scores that are damaged.
        RecipeError: A recipe file that cannot be used.
    """
    reason = again.strip()
    if again and not reason:
        raise LedgerError("--again: its reason is blank; say in words why test is read again")
    trials = {one.attempt: one for one in collect(experiment)}
    best = winners(trials.values())
    for name in attempts:
        _check_attempt(experiment, trials, best, name)
    chosen = [trials[name] for name in attempts] or [row for won in best.values() for row in won]
    if recipes:
        chosen = _with_recipes(chosen, recipes)
    if not chosen:
        fix = next_command(experiment, experiment.description, trials.values())
        raise ExperimentError(f"{experiment.address}: no finished attempt; continue with {fix}")
    before = _Before(experiment, ledger, trials, [row.attempt for row in chosen])
    admitted: list[Attempt] = []
    refused: list[str] = []
    unrecorded: list[str] = []
    for row in chosen:
        name = row.attempt
        siblings = {one.attempt for one in best[row.contest]} - {name}  # the same recipe with other seeds
        weights = hashlib.sha256(read_best_weights(experiment, name)).hexdigest()
        attempt = Attempt(name=name, checkpoint_sha256=weights, architecture=row.architecture)
        readings = before.of(attempt, row.contest, siblings)
        seen = bool(readings) or name in before.unrecorded
        if not seen or reason:
            admitted.append(replace(attempt, reason=reason if seen else ""))
        elif readings and before.broke_off(attempt, readings[-1]):
            admitted.append(replace(attempt, recorded=readings[-1]))
        elif readings:
            refused.append(_refusal(experiment, attempt, readings[0]))
        else:
            unrecorded.append(_unrecorded(ledger, name))
    if unrecorded:
        raise LedgerError(unrecorded)
    if refused and (attempts or recipes or not admitted):
        raise LedgerError(refused[0])
    return admitted


class _Before:
    """What an experiment's attempts have seen of test.

    Attributes:
        unrecorded: Those of them with scores or predictions of test that are in no line of the ledger.
    """

    def __init__(
        self,
        experiment: Experiment,
        ledger: Ledger,
        trials: Mapping[str, TrialResult],
        chosen: Sequence[str],
    ) -> None:
        self._readings = ledger.readings()
        self._name, self._run = experiment.name, experiment.description.get("id", "")
        self._contests = {name: row.contest for name, row in trials.items()}
        self._complete = scored_attempts(experiment)
        known = {one.attempt for one in self._readings if self._is_own(one)}
        self.unrecorded = scored_attempts(experiment, chosen) - known

    def _is_own(self, reading: Reading) -> bool:
        return reading.experiment == self._name or (bool(self._run) and reading.run == self._run)

    def of(self, attempt: Attempt, contest: str, siblings: set[str]) -> list[Reading]:
        """Return the readings by a contest's candidates, siblings apart, and those of the same weights anywhere.

        A second winner's reading would be a second look, too.
        """
        return [
            one
            for one in self._readings
            if one.checkpoint_sha256 == attempt.checkpoint_sha256
            or (
                self._is_own(one)
                and one.attempt not in siblings
                and self._contests.get(one.attempt, one.attempt) == contest
            )
        ]

    def broke_off(self, attempt: Attempt, reading: Reading) -> bool:
        """Whether a job recorded this reading and was killed before it wrote the scores."""
        same = (reading.attempt, reading.checkpoint_sha256) == (attempt.name, attempt.checkpoint_sha256)
        return same and self._is_own(reading) and attempt.name not in self._complete


def _refusal(experiment: Experiment, attempt: Attempt, first: Reading) -> str:
    weights = ""
    if first.checkpoint_sha256 != attempt.checkpoint_sha256 and (
        first.run != experiment.description.get("id") or first.attempt == attempt.name
    ):
        weights = ", with other weights: it was trained again since,"
    by = first.attempt if first.experiment == experiment.name else f"{first.experiment}/{first.attempt}"
    return (
        f"{attempt.name}: test was read at {first.time} (by {by}{weights} IoU {first.iou:.3f}) and is "
        f'read once per attempt; --again "REASON" reads it a second time and marks the row'
    )


def _unrecorded(ledger: Ledger, name: str) -> str:
    return (
        f"{name}: its folder holds scores or predictions of test, but that reading is not in {ledger.address}; "
        f'restore the ledger, or --again "REASON" reads test a second time and marks the row'
    )


def _check_attempt(
    experiment: Experiment, trials: Mapping[str, TrialResult], best: Mapping[str, list[TrialResult]], name: str
) -> None:
    """Refuse an attempt that may not be scored."""
    if any(one.attempt == name for one in gather(experiment).refits):
        raise ExperimentError(
            f"--attempts {name}: was trained on all tiles once the choice was made, and has no score; test is read by "
            f"{','.join(one.attempt for won in best.values() for one in won)}"
        )
    if name not in trials:
        raise ExperimentError(f"--attempts {name}: not in experiment {experiment.name}; {nearest(name, trials)}")
    row = trials[name]
    if not row.finished:
        raise ExperimentError(
            f"--attempts {name}: is {row.status}, only finished attempts are scored; "
            f"resume with {resume_command(experiment, experiment.description)}"
        )
    won = [one.attempt for one in best.get(row.contest, [])]
    if not won:
        raise ExperimentError(
            f"--attempts {name}: the choice of {row.contest} has not been made; "
            f"resume with {resume_command(experiment, experiment.description)}"
        )
    if name not in won:
        raise ExperimentError(
            f"--attempts {name}: was not the best of {row.contest} by val IoU, and test is no ground for a choice; "
            f"score {','.join(won)}"
        )


def _with_recipes(rows: Sequence[TrialResult], path: Path) -> list[TrialResult]:
    """Keep the rows that were trained with a recipe file's recipes."""
    wanted = read_recipes(path)
    kept = []
    for row in rows:
        fields = wanted.get(row.architecture)
        if fields is not None and all(getattr(row.recipe, name) == value for name, value in fields.items()):
            kept.append(row)
    if not kept:
        raise ExperimentError(f"--recipes {path}: no winner of this experiment was trained with one of its recipes")
    return kept
