"""Draws a page: HTML by templates, and Markdown of its words and tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

from markupsafe import Markup

from sweep.charts.page import page_script, page_style, page_templates, policy
from sweep.charts.svg import marker
from sweep.report.answer import IOU, Answer
from sweep.report.assemble import Page
from sweep.report.blocks import Facts, Section, Table, Text
from trainables.escaping import markdown_cell


@dataclass(frozen=True, kw_only=True)
class LiveState:
    """What a page that is served says of itself.

    Attributes:
        version: Of its content.
        final: Whether it will not change any more.
        resume: The command that resumes what was interrupted; empty where all has ended, or runs.
    """

    version: int
    final: bool
    resume: str = ""


def render_html(page: Page, *, live: LiveState | None = None) -> str:
    """Return the page as one HTML file, without anything outside of it.

    Args:
        page: What it shows.
        live: Of a page that is served: it asks its own server for newer versions. None for a file.
    """
    style = page_style() + _asset("style.css")
    script = page_script(_asset("script.js") + (_asset("live.js") if live else ""))
    return (
        page_templates("sweep.report")
        .get_template("page.html")
        .render(
            page=page,
            style=Markup(style),  # both are ours, and neither holds a closing tag
            script=Markup(script),
            policy=policy(script, asks_its_server=live is not None),
            live=live,
            marker=marker,
            iou=IOU,
        )
    )


def _asset(name: str) -> str:
    return files("sweep.report").joinpath(name).read_text(encoding="utf-8")


def render_markdown(page: Page) -> str:
    """Return words, tables and facts as Markdown, for a README; charts and pictures are left out."""
    lines: list[str] = []
    if page.compared:
        lines += [f"# {markdown_cell(page.title)}", ""]
        for one in page.findings:
            lines += [f"**{one.question}** {markdown_cell(one.verdict)}", ""]
        lines += ["**What next?**", "", *(f"- {what}: `{command}`" for what, command in page.next_steps), ""]
        lines += _section(page.compared)
    for chapter in page.chapters:
        lines += [f"# {markdown_cell(chapter.name)} on {markdown_cell(chapter.data)}", "", *_answer(chapter.answer)]
        for section in chapter.sections:
            lines += _section(section)
    return "\n".join(lines)


def _answer(answer: Answer) -> list[str]:
    lines = [f"**{markdown_cell(answer.verdict)}**", ""]
    lines += [text for line in answer.reasons for text in (markdown_cell(line), "")]
    lines += [f"- **{markdown_cell(what)}**: {markdown_cell(why)}" for what, why in answer.warnings]
    if answer.unknown:
        lines += ["", "Not known yet:", "", *(f"- {markdown_cell(line)}" for line in answer.unknown)]
    return [*lines, ""]


def _section(section: Section) -> list[str]:
    lines = []
    for block in section.blocks:
        if isinstance(block, Text):
            said = [markdown_cell(line) for line in block.lines]
            lines += (
                [*(f"- {line}" for line in said), ""]
                if block.listed
                else [text for line in said for text in (line, "")]
            )
        elif isinstance(block, Table) and not block.folded:
            lines += [*_table(block), ""]
        elif isinstance(block, Facts):
            lines += [*(f"- {markdown_cell(term)}: {markdown_cell(text)}" for term, text in block.items), ""]
    return [f"## {section.title}", "", *lines] if lines else []


def _table(table: Table) -> Iterable[str]:
    yield markdown_cell(table.caption)
    yield ""
    yield f"| {' | '.join(markdown_cell(name) for name in table.columns)} |"
    yield f"| {' | '.join('--:' if name in table.numeric else '---' for name in table.columns)} |"
    for row in table.rows:
        yield f"| {' | '.join(markdown_cell(cell.text) for cell in row.cells)} |"
    for note in table.notes:
        yield ""
        yield markdown_cell(note)
