"""A study as a function: what came out of it, and its progress below a notebook's cell."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import tilesweep
from sweep.sealed.next_step import is_complete
from sweep.study.options import StudyOptions
from sweep.study.stages import write_report
from tests.cases.experiments import write_study
from tests.commands import environment
from tests.rasters import draw_photos
from tests.tilesweep.test_runs import IMAGE, blocks

PROGRESS = """
from sweep.cli.console import open_output
from sweep.observers.progress import Progress
from tests.reports import epoch_of, final_of, plan_of

progress, plan = Progress(3, 1, [], open_output().console), plan_of("unet")
progress.open()
progress.begin(plan)
progress.epoch(plan, epoch_of(1))
progress.end(plan, "finished", None, final_of(0.4))
progress.close()
print("afterwards")
"""


def test_a_study_that_is_there_is_opened(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    found = tilesweep.open_study("mine", storage=tmp_path)
    assert (found.name, found.address, found.model) == ("mine", str(tmp_path / "mine"), "mine-phase2")
    assert list(found.phases) == ["phase1", "phase2", "phase3"] and found.phases["phase1"].best["rank"] == 1
    assert list(found.answers) == ["Which model?", "How good with its own recipe?", "Would more labels help?"]
    assert found.answers["Which model?"].splitlines()[0] in found._repr_html_()
    with pytest.raises(LookupError, match="mine: has no report yet"):
        _ = found.report
    write_report(study)
    assert is_complete(study) and found.report == tmp_path / "mine" / "report.html"
    with pytest.raises(tilesweep.Error, match="did you mean 'mine'"):
        tilesweep.open_study("mien", storage=tmp_path)


def test_a_study_takes_what_its_command_takes() -> None:
    own = {name for name, one in inspect.signature(tilesweep.study).parameters.items() if one.kind is one.KEYWORD_ONLY}
    assert own <= {one.name for one in fields(StudyOptions)}


def _run(folder: Path, *cells: str) -> list[Any]:
    """Run cells in a kernel of their own; returns the outputs of each."""
    nbformat = pytest.importorskip("nbformat", reason="needs the dev extra: pip install '.[dev]'")
    from nbclient import NotebookClient

    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(made, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute(env=environment())
    return [cell.outputs for cell in made.cells]


def _printed(outputs: list[Any]) -> str:
    return "".join(one.text for one in outputs if one.output_type == "stream" and one.name == "stdout")


def test_in_a_notebook_progress_is_one_output_that_changes_in_place(tmp_path: Path) -> None:
    (outputs,) = _run(tmp_path, PROGRESS)
    shown = [one for one in outputs if one.output_type == "display_data"]
    assert len(shown) == 1, "not a line per epoch"
    text = shown[0].data["text/plain"]
    assert "1 of 3 trials done" in text and "finished" in text and "0.400" in text and "\x1b" not in text
    assert shown[0].data["text/html"].startswith("<pre ")
    assert _printed(outputs) == "afterwards\n"


@pytest.mark.slow
def test_the_whole_question_is_answered_in_a_notebook(tmp_path: Path) -> None:
    draw_photos(tmp_path / "photos", 24)
    code = blocks()[0].replace('profile="demo"', 'profile="smoke", architectures=["unet", "smp_unet_resnet34"]')
    outputs = _run(tmp_path, IMAGE, code, "found")
    said = _printed(outputs[1])
    assert "Which model?" in said and "(96, 128) ('background', 'foreground')" in said
    tables = [one.data["text/plain"] for one in outputs[1] if one.output_type == "display_data"]
    assert len(tables) == 3 and all("trials done" in one for one in tables), "a table per phase, and none of Ray's"
    assert "in all         about" in said, "the plan is still there"
    assert "Would more labels help?" in outputs[2][0].data["text/html"]
    assert (tmp_path / "ray_results/study-smoke/report.html").exists()
