"""``report --live``: a page for this machine alone that follows a sweep whose folder grows, and ends with it."""

from __future__ import annotations

import io
import json
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweep.cli.output import Events, Output
from sweep.cli.terminal import Terminal
from sweep.records.lease import Lease
from sweep.records.studies import StudyFolder, StudyRecord
from sweep.report import follow
from sweep.report.command import ReportOptions, main
from sweep.report.subject import ReportSubject
from tests.cases.experiments import score_all, write_experiment
from tests.cases.test_collapsed import MIXED, end
from tests.commands import CHROMIUM, needs_chromium, start, wait_for
from tests.sweep.status.made import NAME, Made
from trainables.errors import ExperimentError
from trainables.storage import Storage


class Followed:
    """A sweep that runs, and its report that follows it."""

    def __init__(self, folder: Path) -> None:
        self.made = Made(folder / "results", 3)
        self.made.describe(options={})
        self.made.trial(1, "finished", end(0.5, MIXED))
        self._events = io.StringIO()
        self._ended = threading.Event()
        self._driver = threading.Thread(target=self._drive)
        self._command = threading.Thread(target=self._follow)
        self.code: int | None = None

    def _drive(self) -> None:
        with Lease.of_driver(self.made.storage, NAME).held():
            self._ended.wait(60)

    def _follow(self) -> None:
        output = Output(Terminal(quiet=True), Terminal(quiet=True), Events(self._events))
        self.code = main(ReportOptions(storage=str(self.made.folder.parent), live=True), output)

    def begin(self) -> str:
        """Start both; returns the page's address."""
        self._driver.start()
        wait_for(lambda: (self.made.folder.parent / f".{NAME}.driver.json").exists(), 20)
        self._command.start()
        wait_for(lambda: '"live"' in self._events.getvalue(), 60)
        events = map(json.loads, self._events.getvalue().splitlines())
        return str(next(event["address"] for event in events if event["event"] == "live"))

    def end(self) -> None:
        """Let the sweep end; the command ends by itself."""
        self.made.describe(options={}, ended=True)
        self._ended.set()
        self._driver.join()

    def join(self) -> None:
        """Wait for the command."""
        self._ended.set()
        for thread in (self._command, self._driver):
            if thread.ident is not None:
                thread.join(60)


@pytest.fixture
def followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Followed]:
    monkeypatch.setattr(follow, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(follow, "SHARE", 0.0)
    monkeypatch.setattr(follow, "GRACE_SECONDS", 20.0)
    one = Followed(tmp_path)
    yield one
    one.join()


def get(address: str, **headers: str) -> tuple[int, str, Any]:
    """Return status, content and headers of an answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=10) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, "", error.headers


def test_the_page_follows_the_folder_and_ends_with_the_sweep(followed: Followed) -> None:
    address = followed.begin()
    status, content, headers = get(address)
    assert status == 200 and "1 of 3 trials have finished" in content and "This page follows the sweep." in content
    assert get(address, **{"If-None-Match": headers["ETag"]})[0] == 304
    followed.made.trial(2, "finished", end(0.6, MIXED))
    wait_for(lambda: "2 of 3 trials have finished" in get(address)[1], 30)
    assert "2 of 3 trials have finished" in (followed.made.folder / "report.html").read_text()
    followed.made.trial(3, "finished", end(0.7, MIXED))
    followed.end()
    wait_for(lambda: followed.code is not None or "this page is final" in get(address)[1], 30)
    followed.join()
    assert followed.code == 0
    kept = (followed.made.folder / "report.html").read_text()
    assert "Unfinished" not in kept and "fetch(" not in kept and "connect-src" not in kept, "the file needs no server"


def test_it_answers_this_machine_alone_and_with_nothing_but_the_page(followed: Followed) -> None:
    address = followed.begin()
    assert address.startswith("http://127.0.0.1:")
    root, token = address.rstrip("/").rsplit("/", 1)
    assert len(token) > 20
    assert get(address, Host="rebound.example")[0] == 403
    assert get(address, Host=f"rebound.example:{root.rsplit(':', 1)[1]}")[0] == 403
    assert get(address.replace("127.0.0.1", "localhost"))[0] == 200
    for path in ("/", f"/{token}", f"/{token}/sweep.json", f"/{token}/../", "/report.html"):
        assert get(root + path)[0] == 404
    headers = get(address)[2]
    assert "Access-Control-Allow-Origin" not in headers and headers["Cross-Origin-Resource-Policy"] == "same-origin"
    with pytest.raises(urllib.error.HTTPError, match="501"):
        urllib.request.urlopen(urllib.request.Request(address, data=b"x", method="POST"), timeout=10)
    followed.end()
    wait_for(lambda: followed.code is not None or "this page is final" in get(address)[1], 30)


def test_a_sweep_that_nobody_runs_is_reported_once(followed: Followed, capsys: pytest.CaptureFixture[str]) -> None:
    followed.made.describe(options={}, ended=True)
    output = Output(Terminal(), Terminal(), Events(None))
    assert main(ReportOptions(storage=str(followed.made.folder.parent), live=True), output) == 0
    assert "nothing to refresh" in capsys.readouterr().out
    with pytest.raises(ExperimentError, match="say --live, too"):
        main(ReportOptions(storage=str(followed.made.folder.parent), browse=True), output)


def test_ctrl_c_ends_it_with_a_line(tmp_path: Path) -> None:
    one = Made(tmp_path / "results", 2)
    one.describe(options={})
    one.trial(1, "finished", end(0.5, MIXED))
    with Lease.of_driver(one.storage, NAME).held():
        running = start("report", "--live", "--storage", one.folder.parent)
        assert running.stdout
        said = ""
        while "http://127.0.0.1:" not in said:
            said = running.stdout.readline()
            assert said
        running.send_signal(signal.SIGINT)
        rest = running.communicate(timeout=60)[0]
    assert running.returncode == 0 and "no longer refreshed; the report has the last state" in rest
    assert "Traceback" not in rest and "next           python -m sweep.phase1 --resume" in rest


@needs_chromium
def test_a_browser_shows_what_is_new_and_keeps_the_readers_place(followed: Followed) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the dev extra: pip install '.[dev]'")
    faults: list[str] = []
    address = followed.begin()
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 500})
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.goto(address)
        page.locator("#e0-curves details").first.evaluate("one => one.open = true")
        page.evaluate("document.getElementById('e0-cost').scrollIntoView({behavior: 'instant'})")
        place = page.locator("#e0-cost").bounding_box()["y"]
        followed.made.trial(2, "finished", end(0.6, MIXED))
        page.get_by_text("2 of 3 trials have finished").wait_for(state="attached", timeout=30_000)
        page.wait_for_load_state()
        assert page.locator("#e0-curves details").first.evaluate("one => one.open")
        assert abs(page.locator("#e0-cost").bounding_box()["y"] - place) < 5
        followed.end()
        page.get_by_text("this page is final").wait_for(timeout=30_000)
        time.sleep(0.1)
        browser.close()
    assert not faults


def test_a_sweep_that_was_interrupted_says_how_to_resume(followed: Followed) -> None:
    address = followed.begin()
    followed._ended.set()  # its driver is gone, and has not said that it ended
    looks = iter(lambda: get(address)[1], None)
    content = next(one for one in looks if "This page follows the sweep." not in one)  # the last look ends the command
    assert "Interrupted; nothing is lost. Resume it with <code>python -m sweep.phase1 --resume" in content
    assert "this page is final" not in content and "data-final" in content


def test_the_page_of_a_phase_is_final_when_its_study_has_scored_it(tmp_path: Path) -> None:
    study = StudyFolder(Storage.open(str(tmp_path)), "mine")
    study.storage.create()
    study.save(StudyRecord(options={}, fingerprint="f"))
    first = write_experiment(tmp_path, "mine-phase1")
    subject = ReportSubject(study.storage, ["mine-phase1"])
    assert not subject.is_run() and subject.resume_command().startswith("python -m sweep.study --resume mine")
    with study.lease().held():
        assert subject.is_run(), "it ended, and its study is about to score it"
        score_all(first)
        assert not subject.is_run() and not subject.resume_command()
