"""The page of a whole study: its name, its answers in short lines, and what follows from them."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from sweep.charts.page import page_templates
from sweep.charts.svg import marker, symbol
from sweep.cli.output import Events, Output
from sweep.cli.terminal import Terminal
from sweep.records.studies import StudyFolder
from sweep.report.answer import QUESTIONS
from sweep.report.assemble import Page, assemble
from sweep.report.data import ReportData
from sweep.report.next_steps import next_steps
from sweep.report.picture import LOOKS, first_picture
from sweep.report.render import render_html, render_markdown
from sweep.report.subject import ReportSubject
from sweep.report.tuning import tuning_reasons
from sweep.results.gains import TuningGain
from sweep.results.search_summary import summaries_of
from sweep.results.statistics import Interval
from sweep.sealed.next_step import is_complete
from sweep.study.answer import say_answer
from tests.cases.experiments import write_experiment, write_study
from tests.commands import Run
from tests.rows import result_of


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    return write_study(tmp_path)


def _page(study: StudyFolder) -> Page:
    return assemble([ReportData.read(one) for one in study.begun])


def test_the_page_is_named_after_the_study(study: StudyFolder) -> None:
    page = _page(study)
    assert page.title == "mine" and "<title>mine · tilesweep</title>" in render_html(page)
    other = write_experiment(Path(study.storage.address), "else")
    assert assemble([ReportData.read(one) for one in (*study.begun[:1], other)]).title == "mine-phase1 and else"


def test_the_last_step_of_a_study_leads_on_and_not_back_to_it(study: StudyFolder) -> None:
    assert study.reported is None, "the page is made before it is there"
    commands = [command for _, command in _page(study).next_steps]
    storage = f"--storage {study.storage.address}"
    assert commands == [
        f"python -m sweep.predict area.tif --model mine-phase2 {storage} --out map",
        f"python -m sweep.export --model mine-phase2 {storage}",
        f"python -m sweep.next images/ --model mine-phase2 {storage} --count 10",
        f"python -m sweep.audit labels --patches {study.storage.address}/patches",
    ]
    (Path(study.storage.address) / "test_ledger.jsonl").unlink()
    assert [command for _, command in _page(study).next_steps] == [study.command()], "not all phases have read test"


def test_more_labels_are_advised_where_they_are_worth_it(study: StudyFolder) -> None:
    sources = [ReportData.read(one) for one in study.begun]
    worth: Any = type("Worth", (), {"is_worth_it": True})()
    sources[-1].board.__dict__["scalings"] = [worth]
    what, command = next_steps(sources)[2]
    patches = sources[-1].description["data"]["path"]
    assert what.startswith("Label more tiles")
    assert command == f"python -m sweep.study --patches {patches} --profile smoke"


def test_what_another_phase_of_the_page_answers_is_not_unknown(study: StudyFolder) -> None:
    page, alone = _page(study), assemble([ReportData.read(study.begun[0])])
    first = " ".join(page.chapters[0].answer.unknown)
    assert "its own best recipe" not in first and "more labelled tiles" not in first
    assert "its own best recipe" in " ".join(alone.chapters[0].answer.unknown)


def test_experiments_side_by_side_are_short_lines(study: StudyFolder) -> None:
    compared = _page(study).compared
    assert compared
    lines = compared.blocks[0].lines  # type: ignore[union-attr]
    assert len(lines) >= 3 and compared.blocks[0].listed  # type: ignore[union-attr]
    assert all(line.count(" in mine-phase") <= 2 for line in lines), "names of all that are tied are in the table"
    assert f"- {lines[1]}" in render_markdown(_page(study))


def test_no_picture_is_on_the_page_twice(study: StudyFolder) -> None:
    drawn = re.findall(r'<svg class="chart forest.*?</svg>', render_html(_page(study)), re.DOTALL)
    assert len(drawn) == len(set(drawn)) == 3


def test_val_shared_and_test_are_drawn_in_three_ways_and_the_legend_says_which(study: StudyFolder) -> None:
    assert len({LOOKS["tuned"], LOOKS["shared"], LOOKS["test"]}) == 3
    assert len({symbol(0, look) for look in ("filled", "hollow", "ringed")}) == 3
    picture = first_picture(ReportData.read(study.begun[0]))
    assert picture
    assert [key.look for key in picture.legend] == ["filled", "ringed"], "val, and test"
    assert " s0" not in marker(0, "ringed", coloured=False)


def test_the_best_of_a_search_is_the_best_of_all_that_it_was_chosen_among() -> None:
    plan: Any = type("Plan", (), {"name": "unet", "confirm": 0, "space": {}})
    plan.template = type("Template", (), {"contest": "unet"})
    rows = [
        result_of("unet-0", 0.5, role="baseline", study="unet"),
        result_of("unet-1", 0.6, role="search", study="unet"),
        *(result_of(f"unet-{number}", status="stopped", role="search", study="unet") for number in range(2, 6)),
    ]
    (summary,) = summaries_of([plan], rows)
    summary = replace(summary, won=[rows[1]])
    mean = Interval(mean=0.5, low=None, high=None)
    gain = TuningGain(summary=summary, best=mean, shared=mean, gain=mean)
    assert "The best of 6 trials, 4 of which were stopped early, is partly luck" in tuning_reasons([gain])[0]
    assert summary.gain_text.endswith("(luckiest of 6)")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("twice (--repeats 3).", "twice (<code>[--repeats 3]</code>)."),
        ("--confirm 3 --seed", "<code>[--confirm 3]</code> <code>[--seed]</code>"),
        ("use --folds; a--b", "use <code>[--folds]</code>; a--b"),
        ("do python -m sweep.score a-b.", "do <code>[python -m sweep.score] [a-b]</code>."),
        (
            "(python -m sweep.phase2 --architectures a,b-c)",
            "(<code>[python -m sweep.phase2] [--architectures] [a,b-c]</code>)",
        ),
        ("SMP U-Net + EfficientNet-Lite0", "SMP [U-Net] + [EfficientNet-Lite0]"),
        (f"1 < 2-3, a-{'b' * 30}", f"1 &lt; [2-3], a-{'b' * 30}"),
    ],
)
def test_no_word_is_broken_after_a_hyphen(text: str, html: str) -> None:
    """As a browser does; brackets stand for what stays whole."""
    for package in ("sweep.report", "sweep.patches.look.sheet"):
        made = page_templates(package).from_string("{{ text|words }}").render(text=text)
        assert re.sub(r'<span class="whole">(.*?)</span>', r"[\1]", made) == html


def test_pages_share_what_opens_pictures_large() -> None:
    shared = files("sweep.charts").joinpath("page.css").read_text()
    own = [files(package).joinpath("style.css").read_text() for package in ("sweep.report", "sweep.patches.look.sheet")]
    rules = [set(re.findall(r"^[^{}@/\n]+\{[^{}]+\}", text, re.MULTILINE)) for text in (shared, *own)]
    assert not rules[1] & rules[2] and not rules[0] & (rules[1] | rules[2])
    assert ".zoom {" in shared and not any(".zoom {" in text or "dialog {" in text for text in own)


def test_an_answer_waits_for_the_most_tiles_and_says_so(tmp_path: Path) -> None:
    third = write_experiment(tmp_path, "c", phase="phase3", ended=False, states={"smp_unet_resnet34": "running"})
    fewer = {"unet": {"tiles": ["a"], "draw": 1, "contender": "unet-1tiles"}}
    lines = [json.loads(line) for line in third.read("trials.jsonl").splitlines()]
    third.write(
        "trials.jsonl", "".join(f"{json.dumps({**one, **fewer.get(one['attempt'], {})})}\n" for one in lines).encode()
    )
    said = assemble([ReportData.read(third)]).chapters[0].answer.verdict
    assert said == "No answer yet: no model has finished training on the most tiles, 2."


def test_a_study_is_run_between_its_phases_too_and_phases_that_begin_join(study: StudyFolder) -> None:
    third = Path(study.experiment("phase3").address)
    third.rename(third.with_name("away"))
    subject = ReportSubject(study.storage, ("mine",))
    assert [one.name for one in subject.experiments()] == ["mine-phase1", "mine-phase2"] and not subject.is_run()
    with study.lease().held():
        assert subject.is_run() and not ReportSubject(study.storage, ("mine-phase1",)).is_run()
        third.with_name("away").rename(third)
        assert len(subject.experiments()) == 3


def test_while_a_study_runs_nobody_is_told_to_resume_it(study: StudyFolder) -> None:
    first = study.experiment("phase1")
    first.describe({**first.description, "ended": False})
    with study.lease().held():
        assert "--resume" not in " ".join(assemble([ReportData.read(first)]).chapters[0].answer.unknown)
    unknown = assemble([ReportData.read(first)]).chapters[0].answer.unknown
    assert [study.command() in line for line in unknown if "seed" not in line] == [True] * 3


def test_the_report_of_a_study_is_in_its_folder(study: StudyFolder, here: Run) -> None:
    assert not is_complete(study)
    done = here("report", "mine", "--storage", study.storage.address)
    assert done.returncode == 0, done.stderr
    assert is_complete(study) and f"report         {study.report}" in done.stdout
    assert not list(Path(study.storage.address).glob("compared-*"))


def test_the_terminal_asks_the_reports_questions(study: StudyFolder) -> None:
    said = io.StringIO()
    output = Output(Terminal(file=io.StringIO()), Terminal(file=said), Events(None))
    say_answer(study, _page(study), study.record, output)
    lines = said.getvalue().splitlines()
    assert [line for line in lines if line in QUESTIONS.values()] == list(QUESTIONS.values())
