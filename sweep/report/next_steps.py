"""What follows from several experiments: what is left to do, then what the answers are good for."""

from __future__ import annotations

from collections.abc import Sequence

from sweep.records.studies import StudyFolder
from sweep.report.data import ReportData
from sweep.report.new_labels import new_labels
from sweep.sealed.next_step import export_command, next_command, trusting
from trainables.invocation import command


def next_steps(sources: Sequence[ReportData]) -> list[tuple[str, str]]:
    """Return what for, and the command, of everything that follows.

    Args:
        sources: In the order of the phases; what another one of them has done already is left out, and what would
            continue on a dataset of which a later version is among them.
    """
    earlier = {one.earlier.experiment.name for one in new_labels(sources)}
    latest = [one for one in sources if one.experiment.name not in earlier]
    steps = [next_command(one.experiment, one.description, one.trials, reported=True) for one in latest]
    done = {source.experiment.command("status") for source in sources}
    left = [step for step in dict.fromkeys(steps) if step not in done]
    best = _best(sources)
    if left != [export_command(best.experiment, best.description)]:
        return [("Continue", step) for step in left]
    return [*_uses(best), *_more_labels(sources), *_labelling(best)]


def _best(sources: Sequence[ReportData]) -> ReportData:
    """Return the experiment whose best model is used: a study's Phase 2, else that of the last phase."""
    in_study = [one for one in sources if one.phase == "phase2" and StudyFolder.of(one.experiment)]
    return in_study[-1] if in_study else sources[-1]


def _uses(best: ReportData) -> list[tuple[str, str]]:
    words = ["--model", best.experiment.name, *trusting(best.description), *best.experiment.storage_words]
    return [
        ("Map an area with the best model", command("predict", "area.tif", *words, "--out", "map")),
        ("Write it as one file for other programs", export_command(best.experiment, best.description)),
    ]


def _more_labels(sources: Sequence[ReportData]) -> list[tuple[str, str]]:
    """Say how to sweep again with more labels, where Phase 3 says that they are worth it."""
    found = [one for one in sources if any(scaling.is_worth_it for scaling in one.board.scalings)]
    if not found:
        return []
    words = ["--patches", str(found[-1].description["data"]["path"]), "--profile", found[-1].description["profile"]]
    return [("Label more tiles, add them to the dataset, and ask again", command("study", *words))]


def _labelling(best: ReportData) -> list[tuple[str, str]]:
    """Say how to find out which tiles to label next, and which labels are wrong."""
    words = ["--model", best.experiment.name, *trusting(best.description), *best.experiment.storage_words]
    patches = str(best.description["data"]["path"])
    return [
        ("Choose the ten images to label next", command("next", "images/", *words, "--count", "10")),
        ("Find labels that are probably wrong", command("audit", "labels", "--patches", patches)),
    ]
