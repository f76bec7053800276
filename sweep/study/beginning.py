"""How a study begins and is resumed: what is asked for, what there is already, and what is refused."""

from __future__ import annotations

from dataclasses import replace

from sweep.cli.console import MISTAKE
from sweep.cli.marks import OnResume, flag, typed
from sweep.cli.output import Output, say
from sweep.planning.limits import read_time
from sweep.ray_tune.jobs import require_lasting
from sweep.records.experiment import Experiment
from sweep.records.provenance import typed_command
from sweep.records.studies import STUDY_FILE, StudyFolder, StudyRecord, phases_until
from sweep.sealed.next_step import export_command, is_complete
from sweep.session.checks import require_folder, trust
from sweep.session.stored_options import differing, refuse_changes, restored, stored_form, to_store
from sweep.study.checkup import is_fit
from sweep.study.division import divide
from sweep.study.driver import run_study
from sweep.study.measuring import measure_first
from sweep.study.options import StudyOptions
from sweep.study.outline import StudyOutline
from sweep.study.plan_shown import show_outline, too_small
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError
from trainables.storage import Storage


def begin(options: StudyOptions, output: Output) -> int:
    """Start or resume the study that the options ask for; returns the exit code."""
    storage = Storage.open(options.storage)
    require_lasting(storage)
    if options.resume is not None:
        return resume(options, options.resume, storage, output)
    return start(options, storage, output)


def start(options: StudyOptions, storage: Storage, output: Output) -> int:
    """Plan a study, show the plan, and run it; the same command again resumes what it began.

    Raises:
        TilesweepError: What a phase or the doctor refuses, a budget that is too small, a name that is taken.
    """
    study = StudyFolder(storage, options.name) if options.name else free_study(storage, f"study-{options.profile}")
    if study.exists and not options.plan:
        return _again(study, options, output)
    require_free(study)
    budget = None if options.budget is None else read_time(options.budget, "--budget")
    phases = phases_until(options.until)
    outline = StudyOutline.of(options, output.console)
    if not options.plan:
        measure_first(outline, output.console)
    costs = outline.costs(phases)
    sizes = divide(budget, costs, outline.usual)
    if sizes is None:
        raise too_small(str(options.budget), costs, outline.usual)
    show_outline(study, outline, sizes, phases, budget, output)
    if options.plan:
        output.next(typed_command(without=("--plan",)))
        return 0
    if not is_fit(options, output):
        output.next(typed_command())
        return MISTAKE
    storage.require_writable()
    fingerprint = outline.first.data.fingerprint
    record = StudyRecord(options=to_store(options), fingerprint=fingerprint, budget=budget)
    return run_study(study, record, options, output)


def free_study(storage: Storage, base: str) -> StudyFolder:
    """Return the study ``base``, ``base-2``, ...: the first name that is free, or whose study is unfinished."""
    study, number = StudyFolder(storage, base), 1
    while study.exists and is_complete(study):
        number += 1
        study = StudyFolder(storage, f"{base}-{number}")
    return study


def require_free(study: StudyFolder) -> None:
    """Refuse a name of which experiments are there that no study began.

    Raises:
        ExperimentError: As said.
    """
    taken = [one for one in (Experiment(study.storage, study.name), *study.begun) if one.exists]
    if taken and not study.exists:
        raise ExperimentError(f"--name {study.name}: {taken[0].address} exists already; choose another --name")


def _again(study: StudyFolder, options: StudyOptions, output: Output) -> int:
    """Resume a study because the command that began it was given again.

    Raises:
        ExperimentError: It was begun otherwise, or has ended.
    """
    record = study.record
    if is_complete(study):
        raise ExperimentError(f"--name {study.name}: exists already and has ended; choose another --name")
    if names := differing(options, record.options):
        flags = ", ".join(map(flag, names))
        raise ExperimentError(
            f"--name {study.name}: was begun with another {flags}; resume it with {study.command()}, or choose another "
            f"--name"
        )
    return _resume(study, record, options, output)


def resume(options: StudyOptions, name: str, storage: Storage, output: Output) -> int:
    """Resume a study in the step where it is.

    Raises:
        TilesweepError: There is none, it has ended, its data changed, or an option would make it another one.
    """
    study = StudyFolder.find(storage, name, "--resume")
    if options.plan:
        raise ExperimentError(f"--plan: shows what has not begun; for this one see {study.status_command()}")
    record = study.record
    saved = {**record.options, "name": study.name}
    refuse_changes(options, lambda one: stored_form(getattr(options, one)) == saved.get(one))
    return _resume(study, record, options, output)


def _resume(study: StudyFolder, record: StudyRecord, options: StudyOptions, output: Output) -> int:

    if is_complete(study):
        best = study.experiment("phase2")
        raise ExperimentError(
            f"--resume {study.name}: it has ended, its report is {study.report}; take its next step: "
            f"{export_command(best, best.description)}"
        )
    given = typed(options)
    new_budget = options.budget if "budget" in given else None
    kinds = {OnResume.FIXED, OnResume.MAY_CHANGE}
    options = restored(options, record.options, kinds, f"{study.address}/{STUDY_FILE}")
    trust(options, options.architectures if "architectures" in given else ())
    if new_budget is not None:
        spent = record.spent + study.seconds_of_killed_run(record)
        record = replace(record, budget=spent + read_time(new_budget, "--budget"))
    require_folder(options.patches)
    if TuningData.read(options.patches).fingerprint != record.fingerprint:
        raise ExperimentError(
            f"{options.patches}: its train and val tiles changed since the study began; bring them back"
        )
    say(output.console, "study", f"{study.address}, resumed")
    return run_study(study, record, options, output)
