"""The site: built strictly from the pages and the code, complete, and open without a network."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from docs.generator import help_of, make
from sweep.cli.console import Command
from sweep.cli.marks import REFUSED, RENAMED
from sweep.cli.usage import with_mark
from sweep.commands import ALL
from tests.commands import CHROMIUM, needs_chromium
from tests.conftest import ROOT

pytestmark = pytest.mark.packaging

pytest.importorskip("zensical", reason="needs the dev extra: pip install '.[dev]'")

COMMANDS = ALL.commands()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    assert make(ROOT, folder, folder / "site") == 0
    return folder / "site"


def test_every_page_of_the_project_is_there(site: Path) -> None:
    for page in (ROOT / "docs").glob("**/*.md"):
        assert (site / page.relative_to(ROOT).with_suffix(".html")).is_file()
    assert (site / "index.html").is_file() and (site / "CONTRIBUTING.html").is_file()
    assert (site / "docs" / "report_demo.png").is_file()


def test_a_file_that_a_page_links_to_is_there(site: Path) -> None:
    for name in ("tilesweep/examples/use_exported.py", "examples/recipes/pets.toml", "sweep/results/statistics.py"):
        assert (site / name).read_bytes() == (ROOT / name).read_bytes()


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    loading = re.compile(r"""<(?:script|img|iframe)[^>]*\ssrc=["']?(https?:)?//|<link[^>]*\shref=["']?(https?:)?//""")
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    assert not [page for page in pages if loading.search(page.read_text(encoding="utf-8"))]
    assert not [path for path in site.rglob("*.css") if re.search(r"url\(.?https?:", path.read_text(encoding="utf-8"))]


def test_every_link_inside_the_site_leads_to_a_file(site: Path) -> None:
    dead = [
        (page.name, address)
        for page in site.rglob("*.html")
        for address in re.findall(r"""\shref=["']?([^"'\s>?#]+)""", page.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:|/|[./]+$", address) and not (page.parent / address).is_file()
    ]
    assert not dead


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_reference_has_every_option_with_its_text(command: Command, site: Path) -> None:
    shown = set(re.findall(r"^\W*(--[a-z][a-z0-9-]*)", help_of(command), re.MULTILINE)) - {"--help", "--help-all"}
    typed = {one.name for one in fields(command.options) if "Positional" not in str(one.type)}
    typed = {RENAMED.get(name, name) for name in typed - with_mark(command.options, REFUSED)}
    assert {flag[2:].replace("-", "_") for flag in shown} == typed
    page = (site / "docs" / "reference.html").read_text(encoding="utf-8")
    assert f'id="{command.name.replace(" ", "-")}"' in page and not [flag for flag in shown if flag not in page]


@needs_chromium
def test_it_opens_from_the_disk_on_a_phone_for_everybody_and_is_searched_there(site: Path) -> None:
    api = pytest.importorskip("playwright.sync_api")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    asked: list[str] = []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 400, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "docs" / "maintainers" / "statistics.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        page.set_viewport_size({"width": 1280, "height": 900})
        page.keyboard.press("Control+k")
        page.locator("input").last.fill("Bonferroni")
        found = page.get_by_role("option")
        api.expect(found).to_have_count(1, timeout=60_000)
        assert "Statistics" in found.inner_text()
        for name in ("index", "docs/tutorial", "docs/troubleshooting", "docs/reference"):
            page = browser.new_page(viewport={"width": 400, "height": 900})
            page.goto((site / f"{name}.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= 400
            faults = axe.Axe().run(page).response["violations"]
            assert not [
                (one["id"], one["nodes"][0]["html"]) for one in faults if one["impact"] in ("serious", "critical")
            ]
        browser.close()
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
