"""The report as a PDF, printed by this machine's own Chromium."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

from trainables.errors import ExperimentError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MARGINS = dict.fromkeys(("top", "right", "bottom", "left"), "12mm")


def find_browser() -> str | None:
    """Return this machine's Chromium or Chrome; None where it has none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def require_printer() -> str:
    """Return the browser that prints.

    Raises:
        ExperimentError: It, or the package that drives it, is not on this machine.
    """
    if find_spec("playwright") is None:
        raise ExperimentError("--pdf: needs the package playwright; install it with: pip install 'tilesweep[report]'")
    browser = find_browser()
    if browser is None:
        raise ExperimentError(
            "--pdf: needs Chromium or Chrome on this machine; install it (apt-get install chromium), or print "
            "report.html from any browser"
        )
    return browser


def to_pdf(html: str, browser: str) -> bytes:
    """Print a page.

    Args:
        html: The page; it loads nothing from elsewhere.
        browser: What ``require_printer`` returned.

    Returns:
        A PDF of A4 sheets on their long side, as the page's print style has it.

    Raises:
        ExperimentError: The browser could not print it.
    """
    from playwright.sync_api import Error, sync_playwright

    try:
        with sync_playwright() as playwright:
            running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            page = running.new_page(java_script_enabled=False)
            page.set_content(html, wait_until="load")
            printed: bytes = page.pdf(format="A4", landscape=True, print_background=True, margin=MARGINS)
            running.close()
    except Error as error:
        reason = str(error).splitlines()[0]
        raise ExperimentError(f"--pdf: {browser} could not print the page ({reason}); print it by hand") from error
    return printed
