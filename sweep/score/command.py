"""``python -m sweep.score``: the job that scores the test split, once per attempt, as the ledger admits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import arg

from sweep.cli.console import Command
from sweep.cli.counting import WindowProgress
from sweep.cli.options import AddressOptions, DeviceOptions, Names, RecipeOptions, StorageOptions, TrustOptions
from sweep.cli.output import Output, say
from sweep.ray_tune.cluster import joins, ray_cluster
from sweep.ray_tune.ray_watch import end_at_once
from sweep.records.experiment import Experiment
from sweep.records.provenance import typed_command
from sweep.records.store import gather
from sweep.sealed.admission import admit
from sweep.sealed.audit import audit, show_audit
from sweep.sealed.ledger import Ledger
from sweep.sealed.next_step import next_command
from sweep.sealed.scoring import predictor, score_attempts
from sweep.session.leaks import record_leaks
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError
from trainables.models.trust import trust_everything
from trainables.storage import Storage


@dataclass(frozen=True, kw_only=True)
class ScoreOptions(AddressOptions, DeviceOptions, StorageOptions, RecipeOptions, TrustOptions):
    """Score the test split with each winner's best-by-val weights: once, recorded in the ledger.

    Phase 1: every attempt. Phase 2: each architecture's best trial. Phase 3: every budget and draw.
    """

    name: Annotated[tyro.conf.Positional[str | None], arg(metavar="NAME")] = None
    """The experiment; default: the one that changed last."""

    attempts: Names = ()
    """Which attempts; default: each contest's winner by val IoU that has not been scored."""

    patches: Annotated[Path | None, arg(metavar="DIR|URI")] = None
    """Where the dataset is now; default: where it was when the sweep ran."""

    again: Annotated[str, arg(metavar="REASON")] = ""
    """Score attempts a second time; the reason goes into the ledger and the leaderboard marks the row."""

    verify: bool = False
    """Score nothing: say whether the ledger is whole and matches the weights and tiles on disk."""


def _check_data(experiment: Experiment, patches: Path) -> None:
    """Refuse a dataset that is not the one that the sweep trained on; note leaks that were found since."""
    data = TuningData.read(patches)
    if data.fingerprint != experiment.description["data"]["fingerprint"]:
        raise ExperimentError(
            f"{patches}: not the dataset that the sweep trained on (its train and val tiles differ); "
            f"name the right one with --patches"
        )
    record_leaks(experiment, data)


def score(options: ScoreOptions, output: Output) -> None:
    """Run the job.

    Raises:
        TilesweepError: See ``admit``; also a dataset that changed since the sweep.
    """
    # Here, so that --help answers without loading OpenCV and Optuna.
    from sweep.results.conclusion import conclude
    from sweep.results.leaderboard import Leaderboard

    experiment = Experiment.find(Storage.open(options.storage), options.name)
    description = experiment.description
    patches = options.patches or Path(description["data"]["path"])
    ledger = Ledger(experiment.storage)
    with ledger.locked():
        admitted = admit(experiment, ledger, attempts=options.attempts, recipes=options.recipes, again=options.again)
        _check_data(experiment, patches)
        with (
            WindowProgress(output.console) as progress,
            predictor(options.address, options.device, progress, trust_code=options.trust_code) as predict,
        ):
            score_attempts(experiment, ledger, admitted, patches, predict, output)
    board = Leaderboard(experiment)
    board.write()
    conclude(experiment, board, output)
    say(output.results, "ledger", ledger.address)
    output.next(next_command(experiment, description, board.trials))


def verify(options: ScoreOptions, output: Output) -> int:
    """Compare the ledger with what is on disk; returns 0 when everything matches, else 1."""
    storage = Storage.open(options.storage)
    if options.name is not None:
        Experiment.find(storage, options.name)
    checks = audit(storage, options.name, options.patches)
    code = show_audit(checks, Ledger(storage), output)
    last = next((check.experiment for check in reversed(checks) if check.reading), None)
    if code:
        output.results.print("bring back what differs, then look again")
        output.next(typed_command())
    elif last is None:
        output.next(typed_command(without=("--verify",)))
    else:
        experiment = Experiment(storage, last)
        output.next(next_command(experiment, experiment.description, gather(experiment).trials))
    return code


def main(options: ScoreOptions, output: Output) -> int:
    """Run the command; returns its exit code."""
    if options.trust_code:
        trust_everything()
    if options.verify:
        return verify(options, output)
    if not joins(options.address):
        score(options, output)
        return 0
    died = end_at_once(output, lambda: "what was read is in the ledger: then run the same command again")
    with ray_cluster(options.address, output.console, died=died):
        score(options, output)
    return 0


COMMAND = Command(
    name="score",
    options=ScoreOptions,
    main=main,
    examples={
        "": "the winners of the experiment that changed last",
        "phase2-paper": "those of this one",
        "--verify": "score nothing: is the ledger whole?",
    },
)
