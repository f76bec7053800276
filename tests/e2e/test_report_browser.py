"""The report in a real browser: the machine's own Chromium, driven by Playwright."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sweep.cli.console import open_output
from sweep.report.command import ReportOptions, main
from tests.commands import Run, assert_refused, needs_chromium
from tests.shared_sweeps import SharedSweep

pytest.importorskip("playwright", reason="needs the dev extra: pip install '.[dev]'")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

pytestmark = needs_chromium
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def report(scored: SharedSweep, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "report.html"
    assert main(ReportOptions(storage=str(scored.storage), names=("phase1-smoke",), out=out), open_output()) == 0
    return out


@pytest.fixture
def show(browser: Browser, report: Path) -> Iterator[Open]:
    """Return a function that opens the report; what the page complains of or asks for fails the test at its end."""
    faults: list[str] = []
    contexts = []

    def opened(width: int = 1280, **options: object) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request", lambda request: faults.append(request.url) if request.url[:5] not in ("file:", "data:") else 0
        )
        page.goto(report.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not faults


def first_column(page: Page, section: str) -> list[str]:
    return [text.strip() for text in page.locator(f"#e0-{section} table tbody tr th").all_inner_texts()]


def test_a_heading_sorts_its_column_by_mouse_and_by_keyboard(show: Open) -> None:
    page = show()
    before = first_column(page, "test")
    heading = page.locator("#e0-test thead th", has_text="model")
    heading.get_by_role("button").click()
    assert first_column(page, "test") == sorted(before, key=str.lower)
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").press("Enter")
    assert first_column(page, "test") == sorted(before, key=str.lower, reverse=True)
    assert heading.get_attribute("aria-sort") == "descending"
    other = page.locator("#e0-test thead th", has_text="test IoU")
    other.get_by_role("button").click()
    values = [float(text) for text in page.locator("#e0-test tbody tr td:nth-child(4)").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    assert heading.get_attribute("aria-sort") is None and other.get_attribute("aria-sort") == "descending"


def test_an_architecture_can_be_switched_off_everywhere(show: Open) -> None:
    page = show()
    assert page.locator('[data-architecture="unet"]:visible').count() > 8
    page.get_by_text("Show only some models").click()
    page.get_by_label("U-Net from scratch", exact=True).uncheck()
    assert page.locator('[data-architecture="unet"]:visible').count() == 0
    assert page.locator('[data-architecture="smp_unet_resnet34"]:visible').count() > 8
    page.get_by_label("U-Net from scratch", exact=True).check()
    assert page.locator('[data-architecture="unet"]:visible').count() > 8


def test_hovering_a_point_says_its_value_and_a_picture_opens_large(show: Open) -> None:
    page = show()
    page.locator("#e0-curves svg.chart .mark").first.hover()
    assert "epoch" in page.locator("#tip").inner_text()
    page.locator("#e0-pictures .zoom:visible").last.click()
    assert page.locator("#large").is_visible() and page.locator("#large p").inner_text().startswith("Errors of ")
    shown = page.locator("#e0-pictures img.large:visible").last.get_attribute("src")
    assert page.locator("#large img").get_attribute("src") == shown
    page.keyboard.press("Escape")
    assert not page.locator("#large").is_visible()


def test_without_javascript_everything_can_be_read(show: Open) -> None:
    page = show(java_script_enabled=False)
    for section in ("leaderboard", "test", "curves", "tiles", "pictures", "cost", "origin"):
        assert page.locator(f"#e0-{section}").is_visible()
    assert not page.locator(".filter").is_visible()  # it could do nothing
    assert page.locator("thead button").count() == 0
    assert page.locator("#e0-curves svg.chart").count() == 3


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_never_scrolls_sideways(show: Open, width: int) -> None:
    page = show(width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    boxes = page.locator(".scroll")
    assert boxes.count() > 5
    for box in boxes.all():
        assert box.get_attribute("tabindex") == "0" and box.get_attribute("role") == "region"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_serious_fault(show: Open, scheme: str, width: int) -> None:
    page = show(width, color_scheme=scheme, bypass_csp=True)  # axe itself is a script of another's
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    found = Axe().run(page).response["violations"]
    assert not [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]


def test_light_and_dark_differ_and_paper_has_no_controls(show: Open) -> None:
    colours = [
        show(color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    assert colours[0] != colours[1]
    page = show(color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator(".filter").is_visible() and not page.locator("nav").first.is_visible()
    assert page.pdf()[:4] == b"%PDF"


def test_the_policy_lets_no_other_script_run(show: Open, report: Path, tmp_path: Path) -> None:
    """Were a name ever to become markup, its script would still not run."""
    page = show()
    assert page.evaluate("typeof compare") == "function"  # the page's own does
    page.close()
    changed = tmp_path / "changed.html"
    changed.write_text(report.read_text().replace("</body>", "<script>window.broken = 1</script></body>"))
    page = show(java_script_enabled=True).context.new_page()
    page.goto(changed.as_uri())
    assert page.evaluate("typeof window.broken") == "undefined"


def test_it_is_printed_as_a_pdf_beside_the_page(scored: SharedSweep, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "sheet.html"
    done = run("report", "phase1-smoke", "--storage", scored.storage, "--out", out, "--pdf")
    assert done.returncode == 0, done.stdout + done.stderr
    printed = out.with_suffix(".pdf")
    assert f"pdf            {printed}" in done.stdout
    content = printed.read_bytes()
    assert content.startswith(b"%PDF") and content.count(b"/Type /Page\n") > 2


def test_a_machine_without_chromium_says_so_before_it_writes(scored: SharedSweep, here: Run, tmp_path: Path) -> None:
    out = tmp_path / "sheet.html"
    done = here("report", "phase1-smoke", "--storage", scored.storage, "--out", out, "--pdf", PATH=str(tmp_path))
    assert_refused(done, "--pdf: needs Chromium or Chrome", "apt-get install chromium")
    assert not out.exists()
