"""What a search found: the best recipe of each group, its gain, and what halving saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from rich.console import Console

from search_spaces.recipes import write_recipes
from sweep.cli.output import say
from sweep.cli.tables import Column, Sheet
from sweep.planning.plan import StudyPlan, read_plan
from sweep.records.experiment import Experiment
from sweep.records.trial_result import TrialResult
from sweep.records.trials import SEARCHED
from sweep.records.winners import winners

RECIPES_FILE = "best_recipes.toml"
LUCK = (
    "partly luck: the best of several trials is above its own mean. --confirm 3 --repeats 3 trains the best three "
    "again with new seeds and chooses by those."
)
"""What a gain is where nothing was trained again."""
ONE_TRAINING = (
    "the shared recipe was not among the best, so it was not trained again: "
    "its one training may have been lucky or not."
)
"""What a gain is where only the other recipes were."""


@dataclass(frozen=True, kw_only=True)
class GroupSummary:
    """One search's outcome.

    Attributes:
        study: What was searched.
        rows: Its trials' rows, the shared recipe first; trainings that confirm a recipe are not among them.
        shared: The shared recipe's trainings that gains are counted from: the new ones where it was confirmed too, else
            the search's own; empty until one has finished.
        won: The winner's trainings by val IoU of whole tiles: one, or several of a confirmed recipe; empty until there
            is one.
    """

    study: StudyPlan
    rows: Sequence[TrialResult]
    shared: Sequence[TrialResult]
    won: Sequence[TrialResult]

    @property
    def best(self) -> str | None:
        """The name of the search's trial with the best recipe."""
        return self.won[0].candidate if self.won else None

    @property
    def tried(self) -> int:
        """Number of trials that the best one was chosen among: those that were stopped early had no luck."""
        return sum(row.status in ("finished", "stopped") for row in self.rows)

    @property
    def best_val_iou(self) -> float | None:
        """Val IoU of the best recipe, in [0, 1]: the mean of its trainings."""
        return fmean(row.final_iou for row in self.won) if self.won else None

    @property
    def shared_val_iou(self) -> float | None:
        """Val IoU of the shared recipe, in [0, 1]: the mean of its trainings; None until one has finished."""
        return fmean(row.final_iou for row in self.shared) if self.shared else None

    @property
    def gain(self) -> float | None:
        """Val IoU of the best recipe over the shared one's; below 0 only where new trainings did not confirm it."""
        if self.best_val_iou is None or self.shared_val_iou is None:
            return None
        return self.best_val_iou - self.shared_val_iou

    @property
    def gain_text(self) -> str:
        """The gain as text, with what makes it less sure.

        Where nothing was trained again, that is the number of trials that it is the luckiest of; where the shared
        recipe was not, that its one training may have been lucky or unlucky.
        """
        if self.gain is None:
            return ""
        if not self.study.confirm:
            note = f" (luckiest of {self.tried})" if self.gain > 0.0 else ""
        else:
            note = " (shared: 1 training)" if self.shared[0].role == "baseline" else ""
        return f"{self.gain:+.3f}{note}"

    @property
    def best_values(self) -> dict[str, Any]:
        """The best recipe's values of the searched fields."""
        if not self.won:
            return {}
        return {name: getattr(self.won[0].recipe, name) for name in self.study.space}

    @property
    def epochs_run(self) -> int:
        """Epochs that its trials have run."""
        return sum(row.epochs for row in self.rows)

    @property
    def epochs_without_halving(self) -> float | None:
        """Estimated epochs of the same trials if none had been stopped; None where no trial has finished.

        A trial that was stopped would have run as long as, on average, the search's finished ones that ran longer than
        it did: most of them end by patience, long before their last epoch.
        """
        lengths = [row.epochs for row in self.rows if row.finished]
        stopped = [row.epochs for row in self.rows if row.status == "stopped"]
        if stopped and not lengths:
            return None
        return self.epochs_run + sum(
            fmean([one - epochs for one in lengths if one > epochs] or [0.0]) for epochs in stopped
        )

    @property
    def saved(self) -> float | None:
        """Share of the epochs without halving that was not run, in [0, 1], estimated; None where that is not known."""
        full = self.epochs_without_halving
        return 1 - self.epochs_run / full if full else None


def summarise(experiment: Experiment, trials: Sequence[TrialResult]) -> list[GroupSummary]:
    """Summarise every search of an experiment.

    Args:
        experiment: Whose.
        trials: Its trials' rows.
    """
    return summaries_of(read_plan(experiment).studies, trials)


def summaries_of(studies: Iterable[StudyPlan], trials: Sequence[TrialResult]) -> list[GroupSummary]:
    """Summarise searches by the rows of all trials."""
    won = winners(trials)
    return [
        GroupSummary(
            study=study,
            rows=[row for row in trials if row.role in SEARCHED and row.study == study.name],
            shared=_shared([row for row in trials if row.finished and row.study == study.name]),
            won=won.get(study.template.contest, []),
        )
        for study in studies
    ]


def _shared(finished: Sequence[TrialResult]) -> list[TrialResult]:
    """Return the shared recipe's new trainings; where there are none, the search's own."""
    own = [row for row in finished if row.role == "baseline"]
    names = {row.candidate for row in own}
    return [row for row in finished if row.role == "confirm" and row.candidate in names] or own


def write_best_recipes(experiment: Experiment, summaries: Sequence[GroupSummary]) -> list[str]:
    """Write ``best_recipes.toml``, or one file for each number of tiles where they differ.

    Returns:
        The files' paths.
    """
    files: dict[str, list[GroupSummary]] = {}
    for summary in summaries:
        if summary.best:
            tiles = len(summary.study.template.tiles)
            name = RECIPES_FILE.replace(".toml", f"-{tiles}tiles.toml") if tiles else RECIPES_FILE
            files.setdefault(name, []).append(summary)
    for name, found in files.items():
        recipes = {one.study.template.recipe.architecture: one.best_values for one in found}
        comments = {one.study.template.recipe.architecture: _origin(experiment, one) for one in found}
        experiment.write(name, write_recipes(recipes, comments).encode())
    return [experiment.path(name) for name in files]


def _origin(experiment: Experiment, summary: GroupSummary) -> str:
    gain = f", {summary.gain_text} over the shared recipe" if summary.gain_text else ""
    again = f" (mean of {len(summary.won)} new trainings)" if summary.study.confirm else ""
    return f"{experiment.name}, trial {summary.best}: val IoU {summary.best_val_iou:.3f}{again}{gain}"


def print_summaries(summaries: Sequence[GroupSummary], console: Console) -> None:
    """Show a line per search, and the epochs that halving saved."""
    console.print(Sheet("searches", COLUMNS, summaries))
    for note in gain_notes(summaries):
        say(console, "gain", note)
    say(console, "epochs", epochs_saved(summaries))


def gain_notes(summaries: Sequence[GroupSummary]) -> list[str]:
    """Say what the gains' own notes mean."""
    texts = [summary.gain_text for summary in summaries]
    notes = {"luckiest": LUCK, "shared": ONE_TRAINING}
    return [words for mark, words in notes.items() if any(mark in text for text in texts)]


def _count(state: str) -> Callable[[GroupSummary], int]:
    return lambda summary: sum(row.status == state for row in summary.rows)


def _stopped_after(summary: GroupSummary) -> str:
    ends = Counter(row.epochs for row in summary.rows if row.status == "stopped")
    return ", ".join(f"epoch {epoch}: {number}" for epoch, number in sorted(ends.items()))


COLUMNS = (
    Column(heading="search", value=lambda summary: summary.study.name),
    Column(heading="trials", value=lambda summary: len(summary.rows), format=",", right=True, priority=3),
    *(
        Column(heading=one, value=_count(one), format=",", right=True, priority=4)
        for one in ("finished", "stopped", "failed")
    ),
    Column(heading="epochs saved", value=lambda summary: summary.saved, format=".0%", right=True, priority=5),
    Column(heading="stopped after", value=_stopped_after, least=20, priority=6),
    Column(
        heading="shared recipe's val IoU",
        short="shared val IoU",
        value=lambda summary: summary.shared_val_iou,
        format=".3f",
        right=True,
        priority=2,
    ),
    Column(heading="best val IoU", value=lambda summary: summary.best_val_iou, format=".3f", right=True),
    Column(
        heading="gain",
        value=lambda summary: summary.gain,
        write=lambda summary: summary.gain_text,
        right=True,
        least=6,
        priority=2,
    ),
    Column(heading="best recipe", value=lambda summary: describe_recipe(summary.best_values), least=20, priority=2),
)
"""A line per search, in a terminal and on the page."""


def epochs_saved(summaries: Sequence[GroupSummary]) -> str:
    """Say how many epochs were run, and what halving saved, with the basis of that estimate."""
    run = sum(one.epochs_run for one in summaries)
    states = [row.status for one in summaries for row in one.rows]
    stopped, finished = states.count("stopped"), states.count("finished")
    said = f"{run:,} run"
    if not stopped:
        return f"{said}; no trial was stopped early"
    full = [one.epochs_without_halving for one in summaries]
    known = [one for one in full if one is not None]
    if len(known) < len(full):
        return (
            f"{said}; what stopping {stopped:,} trials saved is unknown: a search has no finished trial to compare with"
        )
    saved = 1 - run / sum(known) if sum(known) else 0.0
    return (
        f"{said}; about {sum(known):,.0f} if none of the {stopped:,} stopped trials had been, {saved:.0%} saved "
        f"(estimated from how long the {finished:,} finished ones ran)"
    )


def describe_recipe(values: Mapping[str, object]) -> str:
    """Write a recipe's values for people: ``learning_rate 0.001, augmentation LIGHT``."""
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in values.items()
    )
