"""What a sweep says at its end, by phase."""

from __future__ import annotations

from sweep.cli.output import Output, say
from sweep.records.experiment import Experiment
from sweep.results.budget_curve import print_curve, write_curve
from sweep.results.columns import EVENT_FIELDS
from sweep.results.leaderboard import Leaderboard
from sweep.results.power_words import power_fields
from sweep.results.search_summary import print_summaries, summarise, write_best_recipes


def conclude(experiment: Experiment, board: Leaderboard, output: Output) -> None:
    """Print what came out, and write the files that belong to it.

    Args:
        experiment: A sweep that has ended, or was stopped by a limit.
        board: Its leaderboard.
        output: Where to print.
    """
    console = output.results
    _emit(board, output)
    description = experiment.description
    summaries = summarise(experiment, board.trials)
    if summaries:
        print_summaries(summaries, console)
    if description["phase"] == "phase3":
        plots = write_curve(experiment, board)
        print_curve(board.rows, console)
        board.print_notes(console)
        for plot in plots:
            say(console, "plot", str(plot))
    else:
        board.print(console)
    if summaries:
        for path in write_best_recipes(experiment, summaries):
            say(console, "best recipes", str(path))
        from sweep.search.journal import dashboard_command

        command = dashboard_command(experiment, description["optuna_storage"])
        console.print(f"studies        {command}", highlight=False, soft_wrap=True)


def _emit(board: Leaderboard, output: Output) -> None:
    """Emit the leaderboard, the answer in words, and what a reader has to know to trust it."""
    for row in board.rows:
        plain = row.to_dict()
        output.events.emit("leaderboard", **{name: plain[name] for name in EVENT_FIELDS})
    phase = board.experiment.description["phase"]
    for standing in board.standings:
        if standing.power and standing.tied:
            fields = power_fields(standing.power, phase, standing.scored)
            output.events.emit("power", tiles=standing.conditions.tiles, **fields)
    for line in board.answer:
        output.events.emit("answer", text=line)
    for note in board.notes:
        output.events.emit("note", text=note)
