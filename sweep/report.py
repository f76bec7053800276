"""``python -m sweep.report``: what a sweep found, as one page that can be sent to anybody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console
from tyro.conf import arg

from sweep.console import open_console, run_command
from sweep.engine.experiment import Experiment
from sweep.engine.options import StorageOptions
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


def main(options: ReportOptions) -> int:
    """Run the command; returns its exit code."""
    # Here, so that --help answers without loading Optuna and OpenCV.
    from sweep.results.page.assemble import assemble
    from sweep.results.page.render import render_html, render_markdown
    from sweep.results.page.source import Source

    if options.out is not None and options.out.suffix.lower() not in (".html", ".htm"):
        raise ExperimentError(f"--out {options.out}: must end in .html; the Markdown is written beside it")
    names: list[str | None] = list(dict.fromkeys(options.names)) or [None]
    if len(names) > MOST_EXPERIMENTS:
        raise ExperimentError(f"{len(names)} experiments: one page shows up to {MOST_EXPERIMENTS}; name fewer")
    storage = Storage.open(options.storage)
    experiments = [Experiment.find(storage, name) for name in names]
    page = assemble([Source.read(experiment) for experiment in experiments])
    written = _write(experiments, options.out, render_html(page), render_markdown(page))
    _say(page, written, open_console())
    return 0


def _write(experiments: list[Experiment], out: Path | None, html: str, markdown: str) -> list[str]:
    """Write both files and return where they are.

    Raises:
        ExperimentError: One of them cannot be written.
    """
    if out is not None:
        beside = out.with_suffix(".md")
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(html, encoding="utf-8")
            beside.write_text(markdown, encoding="utf-8")
        except OSError as error:
            raise ExperimentError(f"--out {out}: cannot be written ({error.strerror}); choose another file") from error
        return [str(out), str(beside)]
    if len(experiments) == 1:
        storage, stem = experiments[0].storage.child(experiments[0].name), "report"
    else:
        names = "-".join(experiment.name for experiment in experiments)
        storage, stem = experiments[0].storage, f"compared-{names}"[:200]
    storage.write(f"{stem}.html", html.encode())
    storage.write(f"{stem}.md", markdown.encode())
    return [storage.path(f"{stem}.html"), storage.path(f"{stem}.md")]


def _say(page: Page, written: list[str], console: Console) -> None:
    """Print the answer, where the page is and what to do next."""
    for chapter in page.chapters:
        console.print(f"{chapter.name}: {chapter.answer.verdict}", highlight=False, soft_wrap=True)
        for what, why in chapter.answer.warnings:
            console.print(f"  {what}: {why}", highlight=False, soft_wrap=True)
    size = len(Path(written[0]).read_bytes()) / 1e6 if Path(written[0]).is_file() else 0.0
    shown = f" ({size:.1f} MB, needs nothing else: open it in a browser, or send it)" if size else ""
    console.print(f"report         {written[0]}{shown}", highlight=False, soft_wrap=True)
    console.print(f"markdown       {written[1]}", highlight=False, soft_wrap=True)
    for line in page.chapters[0].answer.unknown[:1]:
        console.print(f"next           {line}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    run_command(main, ReportOptions, prog="python -m sweep.report")
