"""Gathers what the site shows into one folder that is laid out like the project.

A page's links are the same on a plain view of the project and on the site: the README is the first page, the guides
lie in ``docs/``, and a file or folder that a page links to becomes a page that shows it.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

TOP_PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
LINK = re.compile(r"(?<!!)(\[(?:[^\]\[]|\[[^\]]*\])*\]\()([^)\s#]+)(#[^)\s]*)?\)")
PICTURES = {".png", ".jpg", ".svg"}
LANGUAGES = {".py": "python", ".toml": "toml", ".json": "json", ".yaml": "yaml", ".ipynb": "json", ".sh": "bash"}
MOST_CHARACTERS = 200_000


def stage(root: Path, target: Path) -> None:
    """Copy all pages and what they show, and make pages of the files that they link to.

    Args:
        root: The project.
        target: Where it goes; replaced.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    waiting = [*TOP_PAGES]
    waiting += sorted(path.relative_to(root).as_posix() for path in (root / "docs").glob("*.md"))
    done: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in done:
            continue
        done.add(name)
        text, linked = _page(root, name)
        waiting += linked
        place = target / page_of(root, name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    for path in (root / "docs").rglob("*"):
        if path.suffix in {*PICTURES, ".css", ".js"}:
            _copy(root, path, target)
    for path in (root / "patches").glob("*.png"):
        _copy(root, path, target)


def page_of(root: Path, name: str) -> str:
    """Return the page that shows a file or folder of the project."""
    if (root / name).is_dir():
        return f"{name}/README.md"
    return name if name.endswith(".md") else f"{name}.md"


def _copy(root: Path, path: Path, target: Path) -> None:
    place = target / path.relative_to(root)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, place)


def _page(root: Path, name: str) -> tuple[str, list[str]]:
    """Return a page's text with its links set right, and the files of the project that it links to."""
    path = root / name
    if path.is_dir():
        readme = path / "README.md"
        text = readme.read_text(encoding="utf-8") if readme.exists() else _listing(path)
        name = f"{name}/README.md"
    elif path.suffix == ".md":
        text = path.read_text(encoding="utf-8")
    else:
        return _shown(path, name), []
    linked: list[str] = []

    def right(match: re.Match[str]) -> str:
        opening, address, anchor = match[1], match[2], match[3] or ""
        if re.match(r"[a-z]+:", address):
            return match[0]
        aim = normpath((PurePosixPath(name).parent / address).as_posix())
        if not (root / aim).exists():
            return match[0]  # MkDocs says so
        if PurePosixPath(aim).suffix in PICTURES:
            return match[0]
        linked.append(aim)
        return f"{opening}{relpath(page_of(root, aim), PurePosixPath(name).parent.as_posix())}{anchor})"

    return LINK.sub(right, text), linked


def _shown(path: Path, name: str) -> str:
    text = path.read_text(encoding="utf-8", errors="replace")[:MOST_CHARACTERS]
    return f"---\nsearch:\n  exclude: true\n---\n# {name}\n\n````{LANGUAGES.get(path.suffix, 'text')}\n{text}\n````\n"


def _listing(folder: Path) -> str:
    names = sorted(one.name for one in folder.iterdir() if one.name[0] not in "._")
    return f"# {folder.name}/\n\n" + "".join(f"- [{name}]({name})\n" for name in names)
