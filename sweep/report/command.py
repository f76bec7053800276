"""``python -m sweep.report``: what a sweep found, as one page that can be sent to anybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import arg

from sweep.cli.console import Command
from sweep.cli.options import StorageOptions
from sweep.cli.output import Output, say
from sweep.records.experiment import Experiment
from sweep.records.map_audits import read_map_audit
from sweep.records.outputs import is_sealed, require_free, sealed, write_files
from sweep.records.studies import STUDY_REPORT_STEM, StudyFolder
from trainables.errors import ExperimentError
from trainables.storage import Storage

if TYPE_CHECKING:
    from sweep.report.assemble import Page
    from sweep.report.new_labels import NewLabels

MOST_EXPERIMENTS = 8
"""A page of more would be neither small nor read."""


@dataclass(frozen=True, kw_only=True)
class ReportOptions(StorageOptions):
    """Write report.html, one page with everything in it, and report.md.

    Several experiments are put side by side, and ranked together where data, split and metric are the same.
    """

    names: Annotated[tyro.conf.Positional[tuple[str, ...]], arg(metavar="[NAME [NAME ...]]")] = ()
    """Experiments, or a study; default: the experiment that changed last."""

    out: Annotated[Path | None, arg(metavar="FILE.html")] = None
    """Where to write; default: report.html in its folder, compared-A-B.html beside several experiments."""

    audit: Annotated[Path | None, arg(metavar="FILE.json")] = None
    """How right a map is: accuracy.json of sweep.audit map; default: what is kept with the experiment."""

    overwrite: bool = False
    """Replace files that are there and are not a report as this command wrote it."""

    live: bool = False
    """Also serve the page on this machine, and refresh it while the sweep runs; Ctrl-C ends that."""

    browse: bool = False
    """With --live: open this machine's browser."""

    pdf: bool = False
    """Write report.pdf, too, printed by this machine's Chromium; needs the extra report."""


def main(options: ReportOptions, output: Output) -> int:
    """Run the command; returns its exit code."""
    # Here, so that --help answers without loading Optuna and OpenCV.
    from sweep.report.assemble import assemble
    from sweep.report.data import ReportData
    from sweep.report.follow import follow
    from sweep.report.new_labels import new_labels
    from sweep.report.printing import require_printer, to_pdf
    from sweep.report.render import render_html, render_markdown
    from sweep.report.subject import ReportSubject
    from sweep.sealed.next_step import next_command

    if options.out is not None and options.out.suffix.lower() not in (".html", ".htm"):
        raise ExperimentError(f"--out {options.out}: must end in .html; the Markdown is written beside it")
    if options.browse and not options.live:
        raise ExperimentError("--browse: opens the page of --live; say --live, too, or open report.html yourself")
    subject = ReportSubject(Storage.open(options.storage), options.names)
    browser = require_printer() if options.pdf else ""
    if (count := len(subject.named())) > MOST_EXPERIMENTS:
        raise ExperimentError(f"{count} experiments: one page shows up to {MOST_EXPERIMENTS}; name fewer")
    experiments = subject.experiments()
    subject = subject if options.names else replace(subject, names=(experiments[0].name,))  # also when another begins
    endings = (".html", ".md", *((".pdf",) if browser else ()))
    places = _Places.of(subject.study, experiments, options.out, endings)
    places.require_free(overwrite=options.overwrite)  # before the work, and again when it is done

    audit = read_map_audit(options.audit) if options.audit else None

    def read() -> list[ReportData]:
        found = [ReportData.read(one, must_write=options.out is None) for one in subject.experiments()]
        return [replace(found[0], given_audit=audit), *found[1:]]

    def write(page: Page) -> tuple[dict[str, str], int]:
        html = render_html(page)
        contents = {".html": html.encode(), ".md": render_markdown(page).encode()}
        if browser:
            contents[".pdf"] = to_pdf(html, browser)
        contents = {ending: sealed(content, ending) for ending, content in contents.items()}
        return places.write(contents, overwrite=options.overwrite), len(contents[".html"])

    def make() -> Page:
        page = assemble(read())
        write(page)
        return page

    sources = read()
    page = assemble(sources)
    _say(page, *write(page), new_labels(sources), output)
    for source in sources:
        if not source.board.written:
            text = f"not renewed in {source.experiment.address}, which cannot be written"
            say(output.results, "tables", text)
    if options.live:
        follow(subject, page, make, output, browse=options.browse)
        sources = read()
    last = sources[-1]
    output.next(next_command(last.experiment, last.description, last.trials, reported=True))
    return 0


@dataclass(frozen=True)
class _Places:
    """Where a report's files go.

    Attributes:
        files: Ending -> file, where the user named one.
        storage: Where they go otherwise.
        names: Ending -> name there.
    """

    files: Mapping[str, Path]
    storage: Storage | None
    names: Mapping[str, str]

    @classmethod
    def of(
        cls, study: StudyFolder | None, experiments: Sequence[Experiment], out: Path | None, endings: Sequence[str]
    ) -> _Places:
        """Choose the places.

        Args:
            study: What the report is about, if that is a whole study.
            experiments: What it is about.
            out: Where the page goes, the others beside it; None is the study's or the experiment's folder.
            endings: Of the files.
        """
        if out is not None:
            return cls({one: out if one == ".html" else out.with_suffix(one) for one in endings}, None, {})
        if study:
            storage, stem = study.storage.child(study.name), STUDY_REPORT_STEM
        elif len(experiments) == 1:
            storage, stem = experiments[0].storage.child(experiments[0].name), "report"
        else:
            names = "-".join(experiment.name for experiment in experiments)
            storage, stem = experiments[0].storage, f"compared-{names}"[:200]
        return cls({}, storage, {one: f"{stem}{one}" for one in endings})

    def require_free(self, *, overwrite: bool) -> None:
        """Refuse to replace what is not a report.

        Raises:
            ExperimentError: As said.
        """
        for ending, path in self.files.items():
            require_free(path, overwrite=overwrite, ending=ending)
        for ending, name in self.names.items():
            assert self.storage
            if self.storage.is_local:
                require_free(Path(self.storage.path(name)), flag="", overwrite=overwrite, ending=ending)
            elif not overwrite and (there := self.storage.find(name)) and not is_sealed(there, ending):
                raise ExperimentError(
                    f"{self.storage.path(name)}: exists already, not as tilesweep wrote it; move it, or say --overwrite"
                )

    def write(self, contents: Mapping[str, bytes], *, overwrite: bool) -> dict[str, str]:
        """Write the files; returns ending -> where the file is.

        Raises:
            ExperimentError: Something that is not ours has come there, or a file cannot be written.
        """
        if self.storage is None:
            write_files({self.files[one]: content for one, content in contents.items()}, overwrite=overwrite)
            return {one: str(path) for one, path in self.files.items()}
        self.require_free(overwrite=overwrite)
        for ending, content in contents.items():
            self.storage.write(self.names[ending], content)
        return {one: self.storage.path(name) for one, name in self.names.items()}


def _say(page: Page, written: Mapping[str, str], size: int, brought: Sequence[NewLabels], output: Output) -> None:
    """Print the answer, what new labels brought, and where the page is."""
    for chapter in page.chapters:
        output.results.print(f"{chapter.name}: {chapter.answer.verdict}")
        output.events.emit("answer", text=chapter.answer.verdict)
    for one in brought:
        for line in one.lines:
            output.results.print(line)
        output.events.emit("new_labels", **one.fields)
    for what, why in dict.fromkeys(one for chapter in page.chapters for one in chapter.answer.warnings):
        say(output.results, "warning", f"{what}: {why}")
    shown = f"{written['.html']} ({size / 1e6:.1f} MB in one file: open it in a browser, or send it)"
    say(output.results, "report", shown)
    say(output.results, "markdown", written[".md"])
    printed = {"pdf": written[".pdf"]} if ".pdf" in written else {}
    for name, place in printed.items():
        say(output.results, name, place)
    output.events.emit("report", path=written[".html"], markdown=written[".md"], bytes=size, **printed)


COMMAND = Command(
    name="report",
    options=ReportOptions,
    main=main,
    examples={
        "": "the experiment that changed last",
        "phase1-paper phase2-paper": "two side by side",
        "--live": "a page that follows the sweep that runs",
        "phase1-paper --pdf": "also for paper",
    },
)
