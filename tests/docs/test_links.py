"""Links of the pages lead somewhere on a plain view of the project, too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.docs.pages import FENCE, PAGES, name_of

LINK = re.compile(r"\]\(([^)\s]+)\)")
BUILT = {"docs/reference.md", "docs/python-reference.md"}
"""Pages that the site alone has."""
SETTINGS = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, made as the usual viewers make them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    dead = []
    for address in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", address):
            continue
        path, _, anchor = address.partition("#")
        aim = (page.parent / path).resolve() if path else page
        if not aim.exists() or (anchor and aim.suffix == ".md" and anchor not in anchors(aim)):
            dead.append(address)
    assert not dead


@pytest.mark.parametrize(
    "package", ["trainables", "search_spaces", "sweep", "tilesweep", "benchmarks", "docs", "tests"]
)
def test_pages_that_the_code_names_exist(package: str) -> None:
    named = {
        found.groups()
        for path in (ROOT / package).rglob("*.py")
        for found in re.finditer(r"\b(docs/[a-z0-9/-]+\.md)(?:#([a-z0-9-]+))?", path.read_text(encoding="utf-8"))
    }
    assert not [
        (name, anchor)
        for name, anchor in named
        if (not (ROOT / name).is_file() and name not in BUILT) or (anchor and anchor not in anchors(ROOT / name))
    ]


def listed(nav: list[dict[str, object]]) -> list[str]:
    """Return the pages of a navigation."""
    held = [one for entry in nav for one in entry.values()]
    return [page for one in held for page in (listed(one) if isinstance(one, list) else [str(one)])]


def test_every_page_stands_in_the_navigation_once() -> None:
    pages = listed(SETTINGS["nav"])
    assert len(pages) == len(set(pages))
    assert {name_of(page) for page in PAGES} <= set(pages)
    assert not [page for page in pages if not (ROOT / page).exists() and page not in BUILT]
