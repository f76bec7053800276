"""``python -m sweep.report``: what a sweep found, as one page that can be sent to anybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import arg

from sweep.console import Command
from sweep.engine.experiment import Experiment
from sweep.engine.options import StorageOptions
from sweep.engine.output import LABEL_WIDTH, Output
from trainables.errors import ExperimentError
from trainables.storage import Storage

if TYPE_CHECKING:
    from sweep.results.page.assemble import Page

MOST_EXPERIMENTS = 8
"""A page of more would be neither small nor read."""


@dataclass(frozen=True, kw_only=True)
class ReportOptions(StorageOptions):
    """Write report.html, one page with everything in it, and report.md.

    Several experiments are put side by side, and ranked together where data, split and metric are the same.
    """

    names: Annotated[tyro.conf.Positional[tuple[str, ...]], arg(metavar="[NAME [NAME ...]]")] = ()
    """Experiments; default: the one that changed last."""

    out: Annotated[Path | None, arg(metavar="FILE.html")] = None
    """Where to write; default: report.html in the experiment's folder, compared-A-B.html beside several."""

    pdf: bool = False
    """Write report.pdf, too, printed by this machine's Chromium; needs the extra report."""


def main(options: ReportOptions, output: Output) -> int:
    """Run the command; returns its exit code."""
    # Here, so that --help answers without loading Optuna and OpenCV.
    from sweep.results.next_step import next_command
    from sweep.results.page.assemble import assemble
    from sweep.results.page.printing import require_printer, to_pdf
    from sweep.results.page.render import render_html, render_markdown
    from sweep.results.page.source import Source

    if options.out is not None and options.out.suffix.lower() not in (".html", ".htm"):
        raise ExperimentError(f"--out {options.out}: must end in .html; the Markdown is written beside it")
    names: list[str | None] = list(dict.fromkeys(options.names)) or [None]
    if len(names) > MOST_EXPERIMENTS:
        raise ExperimentError(f"{len(names)} experiments: one page shows up to {MOST_EXPERIMENTS}; name fewer")
    browser = require_printer() if options.pdf else ""
    storage = Storage.open(options.storage)
    experiments = [Experiment.find(storage, name) for name in names]
    sources = [Source.read(experiment) for experiment in experiments]
    page = assemble(sources)
    html = render_html(page)
    contents = {".html": html.encode(), ".md": render_markdown(page).encode()}
    if browser:
        contents[".pdf"] = to_pdf(html, browser)
    written = _write(experiments, options.out, contents)
    _say(page, written, len(html.encode()), output)
    last = sources[-1]
    command = next_command(last.experiment, last.description, last.trials)
    if command != last.experiment.command("report"):
        output.next(command)
    return 0


def _write(experiments: list[Experiment], out: Path | None, contents: Mapping[str, bytes]) -> dict[str, str]:
    """Write the files.

    Args:
        experiments: What they tell of.
        out: Where the page goes, the others beside it; None is the experiment's folder.
        contents: Suffix -> content.

    Returns:
        Suffix -> where the file is.

    Raises:
        ExperimentError: One of them cannot be written.
    """
    if out is not None:
        places = {suffix: out if suffix == ".html" else out.with_suffix(suffix) for suffix in contents}
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            for suffix, place in places.items():
                place.write_bytes(contents[suffix])
        except OSError as error:
            raise ExperimentError(f"--out {out}: cannot be written ({error.strerror}); choose another file") from error
        return {suffix: str(place) for suffix, place in places.items()}
    if len(experiments) == 1:
        storage, stem = experiments[0].storage.child(experiments[0].name), "report"
    else:
        names = "-".join(experiment.name for experiment in experiments)
        storage, stem = experiments[0].storage, f"compared-{names}"[:200]
    for suffix, content in contents.items():
        storage.write(f"{stem}{suffix}", content)
    return {suffix: storage.path(f"{stem}{suffix}") for suffix in contents}


def _say(page: Page, written: Mapping[str, str], size: int, output: Output) -> None:
    """Print the answer, and where the page is."""
    for chapter in page.chapters:
        output.results.print(f"{chapter.name}: {chapter.answer.verdict}", highlight=False, soft_wrap=True)
        for what, why in chapter.answer.warnings:
            output.results.print(f"  {what}: {why}", highlight=False, soft_wrap=True)
        output.events.emit("answer", text=chapter.answer.verdict)
    shown = f"{written['.html']} ({size / 1e6:.1f} MB in one file: open it in a browser, or send it)"
    output.results.print(f"report         {shown}", highlight=False, soft_wrap=True)
    output.results.print(f"markdown       {written['.md']}", highlight=False, soft_wrap=True)
    printed = {"pdf": written[".pdf"]} if ".pdf" in written else {}
    for name, place in printed.items():
        output.results.print(f"{name:{LABEL_WIDTH}}{place}", highlight=False, soft_wrap=True)
    output.events.emit("report", path=written[".html"], markdown=written[".md"], bytes=size, **printed)


COMMAND = Command(
    name="report",
    options=ReportOptions,
    main=main,
    examples={
        "": "the experiment that changed last",
        "phase1-paper phase2-paper": "two side by side",
        "phase1-paper --pdf": "also for paper",
    },
)

if __name__ == "__main__":
    COMMAND.run()
