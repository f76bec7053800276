"""Writes the command reference: a page a command, and one that lists them."""

from __future__ import annotations

from collections import defaultdict
from html import escape
from pathlib import Path

from docs.generator.options import Option, groups
from sweep.cli.console import Command


def write_reference(commands: list[Command], folder: Path) -> None:
    """Write the pages.

    Args:
        commands: All of them.
        folder: Where the pages go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(_overview(commands), encoding="utf-8")
    users: dict[type, list[str]] = defaultdict(list)
    for command in commands:
        for owner, _ in groups(command.options):
            users[owner].append(command.name)
    pages: dict[str, str] = {}
    for command in commands:
        page = page_name(command)
        title = f"# {command.name.split()[0]}\n" if page not in pages else ""
        pages[page] = pages.get(page, "") + title + _section(command, users)
    for page, text in pages.items():
        (folder / page).write_text(text, encoding="utf-8")


def page_name(command: Command) -> str:
    """Return the file of a command's page; subcommands share one."""
    return f"{command.name.split()[0]}.md"


def _overview(commands: list[Command]) -> str:
    rows = "".join(
        f"| [`{one.name}`]({page_name(one)}{_anchor(one)}) | {_first_line(one.description)} |\n" for one in commands
    )
    return (
        "# Commands\n\n"
        "Each is `python -m sweep.NAME`, or `tilesweep NAME` where tilesweep is installed. These "
        "pages are made from the commands' own options whenever the site is "
        "built; `--help` shows the usual options in a terminal, `--help-all` all of them.\n\n"
        f"| command | what it does |\n|---|---|\n{rows}\n"
        "Exit codes are the same for all of them: see [watching](../watching.md#exit-codes).\n"
    )


def _section(command: Command, users: dict[type, list[str]]) -> str:
    text = f"\n## {command.name}\n" if " " in command.name else ""
    level = "###" if text else "##"
    text += f"\n    python -m sweep.{_usage(command)}\n\n{_paragraphs(command.description)}\n"
    text += "\n" + "".join(f"    python -m sweep.{_example(command, *one)}\n" for one in command.examples.items())
    for owner, options in groups(command.options):
        if not options:
            continue
        others = [one for one in users[owner] if one != command.name]
        own = owner is command.options
        title = "Its own options" if own else _title(owner)
        text += f"\n{level} {title}\n\n"
        if others and not own:
            text += f"Shared with {', '.join(f'`{one}`' for one in others)}.\n\n"
        text += "| option | default | what it is for |\n|---|---|---|\n" + "".join(map(_row, options))
    return text


def _usage(command: Command) -> str:
    given = [one for _, options in groups(command.options) for one in options if one.required]
    named = [f"{one.flag} {one.value}" for one in given if one.flag.startswith("--")]
    return " ".join([command.name, *(one.flag for one in given if not one.flag.startswith("--")), *named, "[OPTIONS]"])


def _example(command: Command, arguments: str, purpose: str) -> str:
    return f"{command.name} {arguments}".rstrip() + (f"  # {purpose}" if purpose else "")


def _row(option: Option) -> str:
    typed = escape(f"{option.flag} {option.value}".strip()).replace("|", "&#124;")
    default = "required" if option.required else f"`{option.default}`" if option.default else ""
    return f'| <code class="option">{typed}</code> | {default} | {_escaped(option.text)} |\n'


def _title(owner: type) -> str:
    return _first_line(owner.__doc__ or "").rstrip(".")


def _first_line(text: str) -> str:
    return _escaped(text.strip().splitlines()[0])


def _anchor(command: Command) -> str:
    return f"#{command.name.replace(' ', '-')}" if " " in command.name else ""


def _paragraphs(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines()]
    return _escaped("\n".join(lines), table=False)


def _escaped(text: str, *, table: bool = True) -> str:
    """Return a text of the code as Markdown that shows it as it stands there."""
    for sign in ("*", "_", "<") + (("|",) if table else ()):
        text = text.replace(sign, f"\\{sign}")
    return text
