"""The page of a sample in a real browser: labelled by keys and clicks, saved, taken in; and what it looks like."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sweep.audit.masks.page.drawing import draw_label_page
from sweep.audit.masks.page.pictures import finding_pictures
from tests.commands import Run, needs_chromium
from tests.sweep.audit.maps.maps import UTM, halves, write_map
from tests.sweep.audit.masks.test_label_findings import audit, probabilities, squares, tile

pytest.importorskip("playwright", reason="needs the dev extra: pip install '.[dev]'")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

pytestmark = needs_chromium
POINTS = 20


@pytest.fixture
def area(tmp_path: Path, here: Run) -> Path:
    """A map of which a sample was drawn."""
    path = write_map(tmp_path / "area_mask.tif", halves(), **UTM)
    image = write_map(tmp_path / "area.tif", np.stack([halves() * 200 + 20] * 3), **UTM)
    assert here("audit", "map", path, "--image", image, "--sample", POINTS).returncode == 0
    return path


@pytest.fixture(params=[390, 1280])
def page(request: pytest.FixtureRequest, browser: Browser, area: Path) -> Iterator[Page]:
    """Its page, as wide as a phone or a screen; what it complains of or asks for fails the test at its end."""
    faults: list[str] = []
    context = browser.new_context(viewport={"width": request.param, "height": 900}, accept_downloads=True)
    opened = context.new_page()
    opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "request", lambda one: None if one.url.startswith(("file:", "data:", "blob:")) else faults.append(one.url)
    )
    opened.goto((area.parent / "area_mask_audit" / "sheet.html").as_uri())
    yield opened
    context.close()
    assert not faults


def test_points_are_labelled_by_keys_and_clicks_and_the_file_is_taken_in(page: Page, area: Path, here: Run) -> None:
    page.locator(".point").first.focus()
    for _ in range(POINTS - 1):
        page.keyboard.press("1")
    page.locator(".point").last.get_by_label("foreground").check()
    assert page.locator("#progress").text_content() == f"{POINTS} of {POINTS} labelled"
    page.locator(".point").nth(3).focus()
    page.keyboard.press("0")  # cannot tell
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save sample.csv").click()
    saving.value.save_as(area.parent / "area_mask_audit" / "sample.csv")
    done = here("audit", "map", area)
    assert done.returncode == 0 and "1 point of which nobody could tell" in " ".join(done.stdout.split()), done.stderr


def test_labels_outlive_the_page(page: Page) -> None:
    page.locator(".point").nth(2).get_by_label("foreground").check()
    page.reload()
    assert page.locator(".point").nth(2).get_by_label("foreground").is_checked()
    page.get_by_label("only those left").check()
    assert page.locator(".point:visible").count() == POINTS - 1


def test_the_page_is_accessible_and_no_wider_than_the_screen(page: Page) -> None:
    assert not Axe().run(page).response["violations"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_of_labels_is_accessible_and_no_wider_than_the_screen(
    width: int, browser: Browser, tmp_path: Path
) -> None:
    truth = squares(3)
    mask = np.where(np.arange(len(truth)) < 96, truth, 0).astype(np.uint8)
    tiles = [
        (tile(f"t{number}", squares(number), squares(number)), probabilities(squares(number))) for number in (1, 2)
    ]
    found = audit([*tiles, (tile("wrong", truth, mask), probabilities(truth))])
    assert found.findings
    pictures = [finding_pictures(tile("wrong", truth, mask), found.predicted["wrong"], one) for one in found.findings]
    where = dict.fromkeys(("t1", "t2", "wrong"), "train")
    path = tmp_path / "labels.html"
    path.write_text(draw_label_page("tiles", found, pictures, where, "a probe"), encoding="utf-8")
    shown = browser.new_context(viewport={"width": width, "height": 900}).new_page()
    shown.goto(path.as_uri())
    assert not Axe().run(shown).response["violations"]
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
