"""The report of every phase, and of all three at once, on a desktop and on a phone, in light and dark."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from sweep.cli.console import open_output
from sweep.report.command import ReportOptions, main
from tests.commands import needs_chromium
from tests.shared_sweeps import SharedSweep

pytest.importorskip("playwright", reason="needs the dev extra: pip install '.[dev]'")

from playwright.sync_api import Browser, Page

pytestmark = needs_chromium
PAGES = {
    "phase1": ["phase1-smoke"],
    "phase2": ["phase2-smoke"],
    "phase3": ["phase3-smoke"],
    "all": ["phase3-smoke", "phase1-smoke", "phase2-smoke"],
}
HEADLINES = {"phase1": "No winner yet: ", "phase2": "Tuning ", "phase3": "More tiles may or may not help"}
HEIGHTS = {1280: 800, 390: 844, 320: 640}

WIDER = """() => [...document.querySelectorAll('body *')].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.width && box.right > innerWidth + 1 && !one.closest('.scroll:not(.cards)') && !one.matches('.skip');
}).map((one) => one.outerHTML.slice(0, 120))"""
CUT = "() => [...document.querySelectorAll('.cards')].filter((one) => one.scrollWidth > one.clientWidth + 1).length"
COLOURS = """() => [...document.querySelectorAll('[data-architecture]')].flatMap((one) =>
  [...(one.matches('g') ? [one] : one.querySelectorAll('svg.key, svg.interval'))].map((mark) =>
    [one.dataset.architecture, [...mark.classList].find((name) => /^s\\d$/.test(name))]))"""


@pytest.fixture(scope="module")
def pages(
    scored: SharedSweep, searched: SharedSweep, curve: SharedSweep, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Path]:
    """The page of each phase, and of all three in one storage."""
    folder = tmp_path_factory.mktemp("screens")
    for sweep in (scored, searched, curve):
        shutil.copytree(sweep.experiment, folder / "results" / sweep.name)
    shutil.copy(scored.storage / "test_ledger.jsonl", folder / "results")
    made = {}
    for name, experiments in PAGES.items():
        made[name] = folder / f"{name}.html"
        options = ReportOptions(storage=str(folder / "results"), names=tuple(experiments), out=made[name])
        assert main(options, open_output()) == 0
    return made


def opened(browser: Browser, path: Path, width: int, scheme: str = "light") -> Page:
    context = browser.new_context(viewport={"width": width, "height": HEIGHTS[width]}, color_scheme=scheme)
    page = context.new_page()
    page.goto(path.as_uri())
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_the_first_screen_has_the_answer_and_its_picture_and_nothing_is_cut_off(
    browser: Browser, pages: Mapping[str, Path], name: str, width: int, scheme: str
) -> None:
    page = opened(browser, pages[name], width, scheme)
    headline = page.locator("h1")
    assert headline.count() == 1
    said = headline.inner_text()
    found = [said.index(words) for phase, words in HEADLINES.items() if name in (phase, "all")]
    assert found == sorted(found), "in the order in which a user asks"
    chart = page.locator("svg.chart").first.bounding_box()
    assert chart and chart["y"] + min(chart["height"], 150) < HEIGHTS[width]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(WIDER) == [] and page.evaluate(CUT) == 0
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(WIDER) == [] and page.evaluate(CUT) == 0
    page.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_model_has_one_colour_and_shape_on_the_whole_page(
    browser: Browser, pages: Mapping[str, Path], name: str
) -> None:
    page = opened(browser, pages[name], 1280)
    found = {tuple(one) for one in page.evaluate(COLOURS)}
    models = {architecture for architecture, _ in found}
    assert len(found) == len(models) == len({colour for _, colour in found})
    assert models and all(colour for _, colour in found)
    page.context.close()


def test_a_phone_shows_model_and_score_and_the_rest_when_it_is_opened(
    browser: Browser, pages: Mapping[str, Path]
) -> None:
    page = opened(browser, pages["phase2"], 390)
    row = page.locator("#e0-leaderboard tbody tr").first
    assert row.locator("td.main").is_visible() and row.locator("td:visible").count() == 1
    model, score = row.locator("th").bounding_box(), row.locator("td.main").bounding_box()
    assert model and score and abs(model["y"] - score["y"]) < 20 and score["x"] > model["x"] + 100
    row.locator("summary").click()
    assert row.locator("td:visible").count() > 2 and row.locator("dt", has_text="learning rate").is_visible()
    page.context.close()
    narrow = opened(browser, pages["phase2"], 320)
    assert narrow.evaluate("document.documentElement.scrollWidth") == 320
    narrow.context.close()


def test_details_of_a_row_are_folded_on_a_desktop(browser: Browser, pages: Mapping[str, Path]) -> None:
    page = opened(browser, pages["phase2"], 1280)
    row = page.locator("#e0-searches tbody tr").first
    recipe = row.locator("dt", has_text="best recipe")
    assert not recipe.is_visible()
    row.locator("summary").click()
    assert recipe.is_visible()
    page.context.close()


def test_several_experiments_answer_in_the_users_order(browser: Browser, pages: Mapping[str, Path]) -> None:
    page = opened(browser, pages["all"], 1280)
    assert page.locator(".answers dt").all_inner_texts() == [
        "Which model?",
        "How good with its own recipe?",
        "Would more labels help?",
        "What next?",
    ]
    assert [one.get_attribute("id") for one in page.locator("article").all()] == ["e0", "e1", "e2"]
    assert page.locator("article h2.name").all_inner_texts() == ["phase1-smoke", "phase2-smoke", "phase3-smoke"]
    assert page.locator(".pictures-of-answers svg.chart").count() == 3
    page.context.close()


def test_test_readings_and_hashes_come_last_and_iou_is_explained_once(
    browser: Browser, pages: Mapping[str, Path]
) -> None:
    page = opened(browser, pages["phase1"], 1280)
    assert page.locator("article section h2").all_inner_texts()[-2:] == ["Test readings", "How it was made"]
    assert page.locator("body").inner_text().count("intersection over union") == 1
    page.context.close()
