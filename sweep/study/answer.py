"""The study's answer in a few lines, and where its report is."""

from __future__ import annotations

from sweep.cli.output import Output, say
from sweep.records.studies import StudyFolder, StudyRecord
from sweep.report.assemble import Page

REASONS = {"phase1": 2, "phase2": 1, "phase3": 1}
"""How many of a report's reasons are said here as well: of Phase 1 also what the winner reaches on test."""


def say_answer(study: StudyFolder, page: Page, record: StudyRecord, output: Output) -> None:
    """Answer the questions in the user's order.

    Args:
        study: Which one.
        page: Its report.
        record: What it says of itself.
        output: Where.
    """
    console = output.results
    for experiment, chapter in zip(study.begun, page.chapters, strict=True):
        phase = experiment.name.rpartition("-")[2]
        lines = list(dict.fromkeys([chapter.answer.verdict, *chapter.answer.reasons[: REASONS[phase]]]))
        console.print(chapter.answer.question)
        for line in lines:
            say(console, "", line)
        output.events.emit("answer", phase=phase, text=" ".join(lines))
    if record.without_test:
        say(console, "no test", "the dataset has no test split, so all scores are of the val tiles that chose")
    say(console, "report", f"{study.report} (one file: open it in a browser, or send it)")
    output.events.emit("report", path=study.report)
