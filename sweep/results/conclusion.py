"""What a sweep says at its end, by phase."""

from __future__ import annotations

from rich.console import Console

from sweep.engine.experiment import Experiment
from sweep.results.budget_curve import print_curve, write_curve
from sweep.results.leaderboard import Leaderboard
from sweep.results.search_summary import print_summaries, summarise, write_best_recipes


def conclude(experiment: Experiment, board: Leaderboard, console: Console) -> None:
    """Print what came out, and write the files that belong to it.

    Args:
        experiment: A sweep that has ended, or was stopped by a limit.
        board: Its leaderboard.
        console: Where to print.
    """
    description = experiment.description
    summaries = summarise(experiment, board.trials)
    if summaries:
        print_summaries(summaries, console)
    if description["phase"] == "phase3":
        plots = write_curve(experiment, board)
        print_curve(board.rows, console)
        board.print_notes(console)
        for plot in plots:
            console.print(f"plot           {plot}", highlight=False, soft_wrap=True)
    else:
        board.print(console)
    if summaries:
        for path in write_best_recipes(experiment, summaries):
            console.print(f"best recipes   {path}", highlight=False, soft_wrap=True)
        from sweep.engine.search.journal import dashboard_command

        command = dashboard_command(experiment, description["optuna_storage"])
        console.print(f"studies        {command}", highlight=False, soft_wrap=True)
