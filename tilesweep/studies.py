"""``study``: the whole question as one call, and ``open_study`` for what came out of one."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from sweep.records.studies import PHASES, StudyFolder
from tilesweep.calling import call
from tilesweep.results import Results
from trainables.storage import DEFAULT_STORAGE, Storage


def study(
    patches: str | Path = "patches",
    *,
    storage: str | Path = DEFAULT_STORAGE,
    resume: str | None = None,
    quiet: bool = False,
    **options: Any,
) -> StudyResults:
    """Answer the whole question, as ``python -m sweep.study`` does, and wait for its end.

    The doctor, the three phases, the test scores of their winners and one report. Call it in the main thread: Ctrl-C,
    or a notebook's stop button, ends it cleanly, and ``resume`` takes it up again.

    Args:
        patches: The dataset.
        storage: Folder or URI that holds studies and their experiments.
        resume: Name of an unfinished study to resume; the other options are kept as they were.
        quiet: Say only what came out.
        options: The command's other flags, such as ``profile="demo"``, ``budget="8h"`` or ``until="phase1"``.

    Returns:
        What came out.

    Raises:
        tilesweep.Error: Anything that you can fix, in a line each.
        TypeError: There is no such option.
        KeyboardInterrupt: It was interrupted; nothing is lost.
    """
    asked: dict[str, Any] = {"storage": str(storage), **options}
    asked |= {"patches": patches} if resume is None else {"resume": resume}
    events = call("study", asked, quiet=quiet)
    return open_study(str(events["study"]["name"]), storage=storage)


def open_study(name: str, *, storage: str | Path = DEFAULT_STORAGE) -> StudyResults:
    """Open a study, finished or not; it is read when something of it is asked for.

    Args:
        name: The study.
        storage: Folder or URI that holds it.

    Raises:
        tilesweep.Error: There is none; the nearest name is suggested.
    """
    return StudyResults(StudyFolder.find(Storage.open(str(storage)), name, "name"))


class StudyResults:
    """What came out of a study; a notebook shows its answers.

    Everything is read once: open a study that runs again for what it has done since.
    """

    def __init__(self, study: StudyFolder) -> None:
        self._study = study

    @property
    def name(self) -> str:
        """The study's name."""
        return self._study.name

    @property
    def address(self) -> str:
        """Its folder or URI."""
        return self._study.address

    @cached_property
    def phases(self) -> dict[str, Results]:
        """The sweeps that have begun: ``phase1``, ``phase2``, ``phase3`` to what came out of each."""
        found = {phase: self._study.experiment(phase) for phase in PHASES}
        return {phase: Results(one) for phase, one in found.items() if one.exists}

    @cached_property
    def answers(self) -> dict[str, str]:
        """Question to answer, a sentence per line, as on the report's first screen."""
        from sweep.report.assemble import assemble
        from sweep.report.data import ReportData

        sources = [ReportData.read(one, must_write=False) for one in self._study.begun]
        chapters = assemble(sources).chapters if sources else []
        return {one.answer.question: "\n".join([one.answer.verdict, *one.answer.reasons]) for one in chapters}

    @property
    def model(self) -> str:
        """What ``load`` takes for the best model: with its own recipe where Phase 2 has ended, else by Phase 1.

        Raises:
            LookupError: No phase has ended.
        """
        ended = [one for phase in ("phase2", "phase1") if (one := self._study.experiment(phase)).has_ended]
        if not ended:
            raise LookupError(f"{self.name}: no phase has ended")
        return ended[0].name

    @property
    def report(self) -> Path | str:
        """Where its report is, one HTML page: a path, or a URI where it is in a remote storage.

        Raises:
            LookupError: It has not been made yet.
        """
        if self._study.reported is None:
            raise LookupError(f"{self.name}: has no report yet, which the study makes at its end")
        place = self._study.report
        return place if "://" in place else Path(place)

    def _repr_html_(self) -> str:
        said = pd.DataFrame({"": [text.replace("\n", " ") for text in self.answers.values()]}, index=list(self.answers))
        return str(said.to_html(border=0, header=False))

    def __repr__(self) -> str:
        return f"<tilesweep.StudyResults {self.name!r}: {', '.join(self.phases) or 'nothing begun'} in {self.address}>"
