"""What several tests of whole commands share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tyro

from sweep.cli.console import open_output
from sweep.predict.command import PredictOptions, main
from tests.commands import CHROMIUM
from tests.e2e.maps import Predict
from tests.shared_sweeps import SharedSweep

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """This machine's Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def predict(scored: SharedSweep, capsys: pytest.CaptureFixture[str]) -> Predict:
    """Return a function that runs the command in this process with the scored sweep's winner; gives what it says."""

    def command(*arguments: object, model: str = "phase1-smoke", storage: Path = scored.storage) -> str:
        words = [*map(str, arguments), "--model", model, "--storage", str(storage)]
        options = tyro.cli(PredictOptions, args=words, config=(tyro.conf.FlagCreatePairsOff,))
        assert main(options, open_output(options)) == 0
        return capsys.readouterr().out

    return command
