"""The steps of a study, each by the function of the command that takes it alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from sweep.cli.options import SweepOptions
from sweep.cli.output import Output
from sweep.phase1.command import Phase1Options
from sweep.phase1.command import main as phase1
from sweep.phase2.command import Phase2Options
from sweep.phase2.command import main as phase2
from sweep.phase3.command import Phase3Options
from sweep.phase3.command import main as phase3
from sweep.records.experiment import Experiment
from sweep.records.outputs import sealed
from sweep.records.studies import STUDY_REPORT_STEM, StudyFolder
from sweep.report.assemble import Page, assemble
from sweep.report.data import ReportData
from sweep.report.render import render_html, render_markdown
from sweep.score.command import ScoreOptions
from sweep.score.command import main as score
from sweep.sealed.next_step import RECIPES_FILE
from sweep.study.division import Sizes
from sweep.study.options import StudyOptions, for_phase, of_these

RUN: Mapping[str, tuple[type[SweepOptions], Callable[[Any, Output], int]]] = {
    "phase1": (Phase1Options, phase1),
    "phase2": (Phase2Options, phase2),
    "phase3": (Phase3Options, phase3),
}


class StepOutput(Output):
    """What a step of a study says: what comes next is said by the study, unless the step was stopped.

    Args:
        whole: What the study says.
        results: Where its results go in place of the study's.
        afterwards: Estimates the seconds of the steps that follow, with what is known by then.
    """

    def __init__(
        self, whole: Output, results: Console | None = None, afterwards: Callable[[], float] | None = None
    ) -> None:
        super().__init__(whole.console, results or whole.results, whole.events)
        self.afterwards = afterwards
        self._whole = whole

    def next(self, command: str) -> None:
        """Say nothing: the study continues by itself."""

    def resume(self, command: str) -> None:
        """Say which command resumes the study."""
        self.next_command = command
        self._whole.next(command)


def run_phase(
    study: StudyFolder,
    phase: str,
    options: StudyOptions,
    output: Output,
    *,
    seconds: float | None,
    architectures: tuple[str, ...] = (),
    sizes: Sizes | None = None,
) -> int:
    """Start a phase, or resume it.

    Args:
        study: Which one.
        phase: Its phase.
        options: The study's.
        output: Where to say what comes out.
        seconds: That it may take; None for no limit.
        architectures: Who takes part in Phase 2 or 3.
        sizes: Of Phase 2 or 3.

    Returns:
        As ``run_sweep``.

    Raises:
        TilesweepError: As that.
    """
    experiment = study.experiment(phase)
    kind, main = RUN[phase]
    limit: dict[str, Any] = {} if seconds is None else {"time": f"{max(1.0, seconds):.0f}s"}
    if experiment.exists:
        again = for_phase(options, resumed=True)
        if not experiment.description["data"].get("unlabelled"):
            again["unlabelled"] = None  # of another phase
        return main(kind(**again, **limit, resume=experiment.name), output)
    given: dict[str, Any] = {**for_phase(options), **limit, "name": experiment.name}
    if phase == "phase1":
        return main(kind(**given | {"repeats": options.repeats, "no_probes": options.no_probes}), output)
    assert sizes
    given |= of_these(options, architectures)
    if phase == "phase2":
        warm_from = options.warm_from or study.experiment("phase1").name
        given |= {"trials": sizes.trials * len(architectures), "refit": options.refit, "warm_from": warm_from}
        return main(kind(**given), output)
    with _recipes(study.experiment("phase2")) as recipes:
        return main(kind(**given | {"draws": sizes.draws, "recipes": recipes, "no_probes": options.no_probes}), output)


@contextmanager
def _recipes(experiment: Experiment) -> Iterator[Path]:
    """Give the file of Phase 2's best recipes; one in a remote storage is copied for as long."""
    if experiment.storage.is_local:
        yield Path(experiment.path(RECIPES_FILE))
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / RECIPES_FILE
        copy.write_bytes(experiment.read(RECIPES_FILE))
        yield copy


def run_score(experiment: Experiment, options: StudyOptions, output: Output) -> None:
    """Score the winners of a phase that have not read the test split.

    Raises:
        TilesweepError: As ``sweep.score``; ``NoTestError`` where there is no test split.
    """
    scoring = ScoreOptions(
        name=experiment.name,
        storage=options.storage,
        patches=options.patches,
        device=options.device,
        address=options.address,
        trust_code=options.trust_code,
    )
    score(scoring, output)


def write_report(study: StudyFolder) -> Page:
    """Write one page of all phases that have begun into the study's folder; returns what is on it."""
    page = assemble([ReportData.read(one) for one in study.begun])
    for text, ending in ((render_markdown(page), ".md"), (render_html(page), ".html")):
        study.storage.write(f"{study.name}/{STUDY_REPORT_STEM}{ending}", sealed(text.encode(), ending))
    return page
