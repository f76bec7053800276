"""The Colab notebook, run as a user runs it, with a folder in place of Drive."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from tests.commands import environment
from tests.conftest import ROOT, WriteDataset
from tests.packaging.conftest import build, new_environment
from tests.rasters import draw_photos
from tests.shared_sweeps import SharedSweep
from trainables.trial_states import BEST_FILE

pytestmark = pytest.mark.packaging

NOTEBOOK = ROOT / "examples" / "colab.ipynb"
MINUTES = 900
"""Seconds that a cell may take on a busy machine."""


def _notebook(**parameters: str) -> Any:
    """Read the notebook and put values behind its first cell's, in the manner of papermill."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (place,) = (n for n, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    lines = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(lines, id="given"))
    return notebook


def _execute(folder: Path, kernel: str, variables: dict[str, str], **parameters: str) -> Any:
    """Run all cells in a new kernel; returns the notebook with its outputs."""
    notebook = _notebook(**parameters)
    client = NotebookClient(
        notebook,
        kernel_name=kernel,
        timeout=MINUTES,
        startup_timeout=MINUTES,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=variables)
    return notebook


def _outputs(notebook: Any, cell: str) -> list[Any]:
    (found,) = (one for one in notebook.cells if one.id == cell)
    return list(found.outputs)


def _said(notebook: Any, cell: str) -> str:
    return "".join(output.get("text", "") for output in _outputs(notebook, cell))


def _shown(notebook: Any, cell: str, kind: str) -> str:
    """Return what a cell displays of a MIME type."""
    return "".join(output["data"].get(kind, "") for output in _outputs(notebook, cell) if "data" in output)


def _leaderboard(notebook: Any) -> str:
    (shown,) = (one.data["text/markdown"] for one in _outputs(notebook, "leaderboard") if "text/markdown" in one.data)
    return str(shown)


def _weights(experiment: Path) -> dict[str, int]:
    """Return when each trial's best weights were written."""
    return {str(path.parent.name): path.stat().st_mtime_ns for path in experiment.glob(f"*/{BEST_FILE}")}


def _epochs(trial: Path) -> int:
    """Return how many epochs of a trial are on record."""
    return len((trial / "history.csv").read_text().splitlines()) - 1


@contextmanager
def _disconnect(when: Callable[[], bool]) -> Iterator[None]:
    """Kill the kernel and everything that it started, at once, as the end of a virtual machine does."""

    def kill() -> None:
        while not when():
            if over.wait(0.2):
                return
        (kernel,) = (one for one in psutil.Process().children() if "ipykernel_launcher" in " ".join(one.cmdline()))
        for process in [kernel, *kernel.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    over = threading.Event()
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()


def test_the_notebook_in_git_has_no_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None, cell.id


def test_a_finished_sweep_is_shown_and_not_trained_again(scored: SharedSweep, tmp_path: Path) -> None:
    experiment = scored.copy(tmp_path / "drive" / "runs") / scored.name
    before = _weights(experiment)
    notebook = _execute(tmp_path, "python3", environment(), PROFILE="smoke", DRIVE="drive", NAME=experiment.name)
    assert "SMP U-Net + ResNet34" in _leaderboard(notebook)
    assert any("image/jpeg" in output.data for output in _outputs(notebook, "leaderboard"))
    assert str(experiment / "report.html") in _said(notebook, "report")
    assert any(
        "<iframe srcdoc=" in output.data.get("text/html", "")
        for output in _outputs(notebook, "report")
        if "data" in output
    )
    for cell in ("sweep", "score", "tiles", "doctor"):
        assert not _outputs(notebook, cell), cell
    assert _weights(experiment) == before


def test_photos_become_tiles_that_are_shown_and_looked_at_before_the_sweep(tmp_path: Path) -> None:
    draw_photos(tmp_path / "photos", 16)
    given = {"PROFILE": "smoke", "DRIVE": "drive", "IMAGES": "photos", "NAME": "mine"}
    notebook = _execute(tmp_path, "python3", environment(), **given)
    assert "folders of images and masks: 6 images" in _said(notebook, "tiles")
    assert _shown(notebook, "tiles", "image/png")
    checked = re.sub(r"\x1b\[\d+m", "", _said(notebook, "doctor"))
    assert "ok    tiles" in checked and "of 256x256 pixels" in checked and "fail  " not in checked, checked
    order = [cell.id for cell in notebook.cells if cell.cell_type == "code"]
    assert order.index("tiles") < order.index("doctor") < order.index("sweep")
    assert "SMP U-Net + ResNet34" in _leaderboard(notebook)
    assert any(
        "<iframe srcdoc=" in output.data.get("text/html", "")
        for output in _outputs(notebook, "report")
        if "data" in output
    )


def test_without_tilesweep_and_its_place_the_notebook_says_what_to_fill_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = _bare(tmp_path, monkeypatch)
    with pytest.raises(CellExecutionError, match="REPOSITORY is empty: fill in the git URL"):
        _execute(tmp_path, "bare", variables, PROFILE="smoke", DRIVE="drive")


def _bare(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Make a kernel ``bare`` that has all packages but tilesweep; returns its variables."""
    python = new_environment(folder / "venv")
    kernel = folder / "jupyter" / "kernels" / "bare"
    kernel.mkdir(parents=True)
    words = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": words, "display_name": "bare", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(folder / "jupyter"))
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # Nothing is fetched: the packages that it borrows are all that the installation needs.
    return variables | {"HF_HUB_OFFLINE": "1", "PIP_NO_INDEX": "1"}


@pytest.mark.slow
@pytest.mark.timeout(3 * MINUTES)
def test_a_disconnect_costs_nothing_that_was_trained(
    write_dataset: WriteDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dataset(tmp_path / "tiles", size=128)
    variables = _bare(tmp_path, monkeypatch)
    parameters = {
        "PROFILE": "smoke",
        "DRIVE": "drive",
        "PATCHES": "tiles",
        "NAME": "colab",
        "REPOSITORY": str(build(tmp_path).wheel),
    }
    experiment = tmp_path / "drive" / "runs" / "colab"
    with _disconnect(when=lambda: len(list(experiment.glob("*/history.csv"))) > 1), pytest.raises(DeadKernelError):
        _execute(tmp_path, "bare", variables, **parameters)
    unfinished = json.loads((experiment / "sweep.json").read_text())
    trained = {name: time for name, time in _weights(experiment).items() if _epochs(experiment / name) == 2}
    assert trained and not unfinished["ended"]

    gone_on = _execute(tmp_path, "bare", variables, **parameters)
    assert "SAM ViT-B frozen + U-Net decoder" in _leaderboard(gone_on)
    assert json.loads((experiment / "sweep.json").read_text())["id"] == unfinished["id"]
    complete = _weights(experiment)
    assert len(complete) == 5 and complete.items() >= trained.items()
    lines = _said(gone_on, "sweep").splitlines()
    assert not [line for line in lines for name in trained if line.startswith(f"{name}  epoch")]

    again = _execute(tmp_path, "bare", variables, **parameters)
    assert _leaderboard(again) == _leaderboard(gone_on)
    assert not _outputs(again, "install") and not _outputs(again, "sweep") and not _outputs(again, "score")
    assert _weights(experiment) == complete
