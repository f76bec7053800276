"""Ray's dashboard in a real browser, opened as a user does: the address from the terminal, the token from Ray."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import CHROMIUM, needs_chromium, start


@pytest.mark.slow
@needs_chromium
def test_the_dashboard_asks_for_the_token_and_then_names_the_trial(dataset: Path, tmp_path: Path) -> None:
    browsers = pytest.importorskip("playwright.sync_api")
    (tmp_path / "long.toml").write_text("[unet]\nmax_epochs = 99999\npatience = 99999\n")
    sweep = start(
        "phase1",
        *("--profile", "smoke", "--patches", dataset, "--storage", tmp_path / "results"),
        *("--recipes", tmp_path / "long.toml"),
    )
    try:
        assert sweep.stdout
        lines = []
        while "epoch 1/" not in "".join(lines):
            lines.append(sweep.stdout.readline())
            assert lines[-1], "".join(lines)
        (address,) = re.findall(r"http://[\d.:]+", "".join(lines))
        command = [str(Path(sys.executable).with_name("ray")), "get-auth-token"]
        token = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()[-1]
        with browsers.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(f"{address}/#/actors")
            page.get_by_placeholder("Enter your authentication token").fill(token)
            assert page.get_by_text("SegmentationTrainable").count() == 0, "nothing is shown without the token"
            page.get_by_role("button", name="Submit").click()
            page.goto(f"{address}/#/actors")
            row = page.get_by_role("row").filter(has_text="SegmentationTrainable")
            row.get_by_text("unet", exact=True).wait_for(timeout=60_000)
            browser.close()
    finally:
        sweep.send_signal(signal.SIGINT)
        output = sweep.communicate(timeout=120)[0]
    assert token not in "".join(lines) + output
