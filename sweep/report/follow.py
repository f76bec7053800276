"""``--live``: makes the report again whenever the sweep has got further, until nobody runs it any more."""

from __future__ import annotations

import time
import webbrowser
from collections.abc import Callable

from sweep.cli.output import Output, say
from sweep.report.assemble import Page
from sweep.report.live import LivePage, served
from sweep.report.render import LiveState, render_html
from sweep.report.subject import ReportSubject
from sweep.report.watching import mark
from trainables.errors import TilesweepError

LOOK_SECONDS = 5.0
SHARE = 10.0
"""Times that making the page took which pass before it may be made again, so that trials keep the processor."""
GRACE_SECONDS = 15.0
"""How long the last page waits for a browser to fetch it."""


def follow(subject: ReportSubject, first: Page, make: Callable[[], Page], output: Output, *, browse: bool) -> None:
    """Serve the report while a process runs what it is about; Ctrl-C ends that alone.

    Args:
        subject: What it is about.
        first: The page as it is now.
        make: Makes it again, and writes it.
        output: Where to say the page's address, and why it is no longer refreshed.
        browse: Open the machine's browser.
    """
    console = output.results
    if not subject.is_run():
        say(console, "live", "no process runs this sweep now, so there is nothing to refresh: the report is up to date")
        return
    live = LivePage()

    def show(page: Page, *, final: bool) -> None:
        state = LiveState(version=live.version + 1, final=final, resume=subject.resume_command() if final else "")
        live.show(render_html(page, live=state).encode(), final=final)

    show(first, final=False)
    try:
        with served(live) as address:
            say(console, "live", f"{address} follows the sweep on this machine; Ctrl-C ends that, and the report stays")
            output.events.emit("live", address=address)
            if browse:
                webbrowser.open(address)
            _refresh(subject, make, show, output)
            live.fetched.wait(GRACE_SECONDS)
            ending = (
                "was interrupted: the report has" if subject.resume_command() else "is not running any more: this is"
            )
            say(console, "live", f"the sweep {ending} its last state, and is no longer refreshed")
    except KeyboardInterrupt:
        say(console, "live", "no longer refreshed; the report has the last state")


def _refresh(subject: ReportSubject, make: Callable[[], Page], show: Callable[..., None], output: Output) -> None:
    """Show a new page for every change; the last one when nobody runs the sweep any more."""
    seen, pause = mark(subject.experiments()), LOOK_SECONDS
    running = True
    while running:
        time.sleep(pause)
        running, now = subject.is_run(), mark(subject.experiments())
        if now == seen and running:
            continue
        started = time.monotonic()
        try:
            show(make(), final=not running)
        except TilesweepError as error:
            say(output.results, "live", f"not refreshed this time: {error}")
        seen, pause = now, max(LOOK_SECONDS, SHARE * (time.monotonic() - started))
