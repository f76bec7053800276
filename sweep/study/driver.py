"""Runs a study from the step where it is to its report: a thin driver over the phases, which stay what they are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from sweep.cli.durations import duration
from sweep.cli.interrupts import INTERRUPTED, end_on_signals
from sweep.cli.output import Output, say
from sweep.cli.terminal import Terminal
from sweep.planning.plan import read_plan
from sweep.records.experiment import Experiment
from sweep.records.lease import TakenError
from sweep.records.store import gather
from sweep.records.studies import PHASES, StudyFolder, StudyRecord, phases_until
from sweep.records.winners import winners
from sweep.sealed.next_step import awaits_score, export_command, trusting
from sweep.sealed.test_tiles import NoTestError
from sweep.session.resolve import profile_of
from sweep.session.stored_options import to_store
from sweep.study.answer import say_answer
from sweep.study.division import Sizes, divide
from sweep.study.finalists import Finalists, to_curve, to_search
from sweep.study.options import StudyOptions
from sweep.study.outline import StudyOutline, left
from sweep.study.stages import StepOutput, run_phase, run_score, write_report
from trainables.errors import ExperimentError, StorageError, TilesweepError
from trainables.models.registry import described

WORTH_A_LIMIT = 60.0
"""Seconds of a budget below which it counts as used up: what is left is then done at its smallest size, unlimited."""


@dataclass
class StudyRun:
    """One run of a study.

    Attributes:
        study: Which one.
        record: What it says of itself; written again as it changes.
        options: What it was started with, and what a resume changed.
        output: Where it says what comes out.
        began: When this run did, by the monotonic clock.
    """

    study: StudyFolder
    record: StudyRecord
    options: StudyOptions
    output: Output
    began: float

    @property
    def spent(self) -> float:
        """Seconds of all runs so far."""
        return self.record.spent + time.monotonic() - self.began

    @property
    def remaining(self) -> float | None:
        """Seconds of the budget that are left; None for no limit."""
        return None if self.record.budget is None else max(0.0, self.record.budget - self.spent)

    def write(self, *, running: bool) -> None:
        """Write how long it has taken, and whether it continues."""
        now, mono = time.time(), time.monotonic()
        self.record = replace(
            self.record,
            options=to_store(self.options),
            spent=self.record.spent + mono - self.began,
            begun=now if running else None,
        )
        self.began = mono
        self.study.save(self.record)


def run_study(study: StudyFolder, record: StudyRecord, options: StudyOptions, output: Output) -> int:
    """Take all steps that are left, alone in the study's folder.

    Returns:
        Exit code: 0 at the end or where the budget ended it, 1 where a trial failed, 130 after an interrupt.

    Raises:
        TilesweepError: What a step refuses; the study is resumed when that is fixed.
        ExperimentError: Another process runs it.
    """
    record = replace(record, spent=record.spent + study.seconds_of_killed_run(record), begun=None)
    resume = study.command(*(["--address", options.address] if options.address else []))
    try:
        with study.lease().held():
            output.events.emit("study", name=study.name, address=study.address)
            run = StudyRun(study, record, options, output, time.monotonic())
            run.write(running=True)
            try:
                code = _steps(run)
                if code == INTERRUPTED and not output.next_command:
                    _interrupted(output, resume)
                return code
            except KeyboardInterrupt:
                _interrupted(output, resume)
                return INTERRUPTED
            except TilesweepError:
                output.next(resume)
                raise
            finally:
                with suppress(StorageError):
                    run.write(running=False)
    except TakenError as error:
        raise ExperimentError(
            f"{study.address}: is being run by {error.holder}; wait for it, end it, or choose another --name"
        ) from error


def _interrupted(output: Output, resume: str) -> None:
    output.results.print("interrupted; nothing is lost")
    output.next(resume)


def _steps(run: StudyRun) -> int:
    """Take the steps one after the other; returns the exit code."""
    study, worst = run.study, 0
    wanted = phases_until(run.options.until)
    for phase in wanted:
        experiment = study.experiment(phase)
        if not experiment.has_ended:
            code = _sweep(run, phase)
            end_on_signals()  # Ray leaves others behind
            if not experiment.has_ended:
                if code != INTERRUPTED and study.begun:  # the budget has ended
                    say_answer(study, write_report(study), run.record, run.output)
                    run.output.next(study.command(*trusting(experiment.description)))
                return code
            worst = max(worst, code)
            run.write(running=True)
        trials = gather(experiment).trials
        if not winners(trials):
            run.output.results.print(f"{experiment.name}: no trial has finished, so nothing follows from it")
            run.output.next(experiment.command("status"))
            return 1
        if not run.record.without_test and awaits_score(experiment, experiment.description, trials):
            _score(run, experiment)
            run.write(running=True)
    page = write_report(study)
    say_answer(study, page, run.record, run.output)
    last = study.experiment(wanted[-1])
    if wanted[-1] == PHASES[-1]:
        best = study.experiment("phase2")
        run.output.next(export_command(best, best.description))
    else:
        run.output.next(study.command(*trusting(last.description)))
    return worst


def _sweep(run: StudyRun, phase: str) -> int:
    """Start or resume a phase."""
    study, options = run.study, run.options
    finalists = _finalists(study, phase, options)
    chosen = {"phase2": "searched", "phase3": "curved"}
    known = {chosen[phase]: finalists.names} if finalists else {}
    outline = StudyOutline.of(options, run.output.console, **known)
    first = study.experiment("phase1")
    outline = outline.calibrated(first) if first.has_ended else outline
    phases = left(study, options.until)
    sizes = _sizes(run, outline, phases)
    begun = study.experiment(phase).exists
    if finalists and not begun:
        _say_finalists(finalists, phase, run.output)
    steps = outline.steps(sizes, phases)
    number = PHASES.index(phase) + 1
    what = f"Phase {number} of {len(PHASES)}, {steps[0].what}" + ("; resumed" if begun else "")
    rest = duration(sum(step.seconds for step in steps))
    _say_step(run, phase, f"{what}; about {rest} to the end of the study")
    seconds = run.remaining
    limit = seconds if seconds is not None and seconds > WORTH_A_LIMIT else None
    names = finalists.names if finalists else ()
    return run_phase(
        study,
        phase,
        options,
        StepOutput(run.output, afterwards=lambda: sum(step.seconds for step in outline.steps(sizes, phases)[1:])),
        seconds=limit,
        architectures=names,
        sizes=sizes,
    )


def _finalists(study: StudyFolder, phase: str, options: StudyOptions) -> Finalists | None:
    """Return who takes part in Phase 2 or 3."""
    experiment = study.experiment(phase)
    if phase == "phase1":
        return None
    if experiment.exists:
        return Finalists(names=tuple(read_plan(experiment).architectures))
    if phase == "phase2":
        return to_search(study.experiment("phase1"), profile_of(options))
    return to_curve(study.experiment("phase2"))


def _sizes(run: StudyRun, outline: StudyOutline, phases: Sequence[str]) -> Sizes:
    """Choose the sizes of what has not begun by the time that is left."""
    sizes = divide(run.remaining, outline.costs(phases), outline.usual)
    if sizes is None:
        sizes = outline.usual.least
        need = duration(outline.costs(phases).needed(sizes))
        _say_step(run, "", f"the budget leaves less than the {need} that is needed; done at the smallest size")
    return sizes


def _say_finalists(finalists: Finalists, phase: str, output: Output) -> None:
    titles = ", ".join(described(name).title for name in finalists.names)
    why = "tied for the best" if len(finalists.names) > 1 else "the best"
    say(output.results, "chosen", f"{titles}: {why} by val IoU in Phase {int(phase[-1]) - 1}")
    if finalists.left_out:
        names = ", ".join(described(name).title for name in finalists.left_out)
        say(
            output.results,
            "left out",
            f"{names}: tied as well, but lower by val IoU; --repeats 3 would distinguish more",
        )
    output.events.emit("finalists", phase=phase, architectures=list(finalists.names), left_out=list(finalists.left_out))


def _say_step(run: StudyRun, step: str, text: str) -> None:
    say(run.output.console, "study", f"{text} ({duration(run.spent)} so far)")
    if step:
        run.output.events.emit("step", study=run.study.name, step=step, seconds=run.spent, text=text)


def _score(run: StudyRun, experiment: Experiment) -> None:
    """Score a phase's winners; says so and continues where there is no test split."""
    _say_step(run, "score", f"scoring {experiment.name} on the test split, once")
    try:
        run_score(experiment, run.options, StepOutput(run.output, results=Terminal(quiet=True)))
    except NoTestError as error:
        run.record = replace(run.record, without_test=str(error))
        say(run.output.results, "no test", f"{error}")
