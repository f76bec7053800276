"""``python -m docs.generator``: gather the pages, write the command reference, and build ``site/``."""

from __future__ import annotations

import inspect
import io
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stdout, suppress
from pathlib import Path
from posixpath import normpath

import yaml

import tilesweep
from sweep.cli import usage
from sweep.cli.console import Command
from sweep.commands import ALL

ROOT = Path(__file__).resolve().parents[1]
REFERENCE, PYTHON = "docs/reference.md", "docs/python-reference.md"
LINK = re.compile(r"\]\(([^)\s#:]+)")
FOREIGN = re.compile(r"""<script[^>]*\ssrc=["']https?://[^>]*iframe-worker[^>]*></script>""")
"""The theme's one script from another host, which our own stands in for: the site opens offline."""
QUOTED = re.compile(r"(: |-> )'([^']*)'")
"""An annotation in a signature."""
INTRODUCTION = """# Commands

Each is `python -m sweep.NAME`, or `tilesweep NAME` where tilesweep is installed. This page is what `--help-all` shows;
`--help` shows the usual options alone. All commands have the same exit codes: see [watching](watching.md#exit-codes).
"""


def stage(root: Path, target: Path) -> None:
    """Copy the pages and the files that they link to into a folder that is laid out like the project.

    Args:
        root: The project.
        target: Where the copies go; replaced.
    """
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(root / "docs", target / "docs", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    waiting = [*root.glob("*.md"), *root.glob("docs/**/*.md")]
    while waiting:
        page = waiting.pop()
        name = page.relative_to(root)
        if not page.is_file() or ((target / name).exists() and name.parts[0] != "docs"):
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(page, target / name)
        if page.suffix == ".md":
            linked = {root / normpath(f"{name.parent}/{address}") for address in LINK.findall(page.read_text("utf-8"))}
            waiting += [one for one in linked if one.parts[len(root.parts)] != "docs"]


def reference(commands: list[Command]) -> str:
    """Return the page with all options of all commands."""
    return INTRODUCTION + "".join(f"\n## {one.name}\n\n```text\n{help_of(one)}```\n" for one in commands)


def python_reference() -> str:
    """Return the page with all that ``import tilesweep`` gives, in the words of its docstrings."""
    page = f"# Python\n\n```text\n{inspect.getdoc(tilesweep)}\n```\n\nSee [From Python](python.md).\n"
    for name in tilesweep.__all__:
        if inspect.isclass(found := getattr(tilesweep, name)):
            members = [one for one in vars(found) if not one.startswith("_") and getattr(found, one).__doc__]
            page += _entry(f"tilesweep.{name}", found, "##")
            page += "".join(_entry(f"{name}.{one}", getattr(found, one), "###") for one in members)
        elif callable(found):
            page += _entry(f"tilesweep.{name}", found, "##")
    return page


def _entry(name: str, found: object, level: str) -> str:
    """Return one section: the signature of what is called, and the docstring."""
    arguments = QUOTED.sub(r"\1\2", str(inspect.signature(found))) if inspect.isfunction(found) else ""
    signature = f"{name.rpartition('.')[2]}{arguments}\n\n" if arguments else ""
    return f"\n{level} {name}\n\n```text\n{signature}{inspect.getdoc(found)}\n```\n"


def help_of(command: Command) -> str:
    """Return what ``--help-all`` shows."""
    with redirect_stdout(io.StringIO()) as written, suppress(SystemExit):
        program = f"python -m sweep.{command.name}"
        usage.parse(command.options, ["--help-all"], program=program, examples=command.examples)
    return written.getvalue()


def make(root: Path, work: Path, site: Path) -> int:
    """Build the site, strictly: a link that leads nowhere ends it.

    Args:
        root: The project.
        work: Where gathered pages go; replaced.
        site: Where the site goes; replaced.

    Returns:
        The exit code of Zensical.
    """
    source = work / "docs-source"
    stage(root, source)
    (source / REFERENCE).write_text(reference(ALL.commands()), encoding="utf-8")
    (source / PYTHON).write_text(python_reference(), encoding="utf-8")
    settings = yaml.safe_load((root / "mkdocs.yml").read_text(encoding="utf-8"))
    config = work / "mkdocs.yml"
    config.write_text(yaml.safe_dump(settings | {"docs_dir": source.name, "site_dir": "html"}), encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", str(config)]
    if code := subprocess.run(command, check=False).returncode:
        return code
    built = work / "html"
    for page in built.rglob("*.html"):
        up = "../" * len(page.relative_to(built).parent.parts)
        text = FOREIGN.sub(f'<script src="{up}docs/assets/worker.js"></script>', page.read_text(encoding="utf-8"))
        page.write_text(text, encoding="utf-8")
    shutil.rmtree(site, ignore_errors=True)
    shutil.move(built, site)
    return 0


if __name__ == "__main__":
    sys.exit(make(ROOT, ROOT / "build" / "docs", ROOT / "site"))
