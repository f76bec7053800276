"""``python -m sweep.study``: all three phases, their scores and the report, as one thing that is resumed as one."""

from __future__ import annotations

from sweep.cli.console import Command
from sweep.cli.output import Output
from sweep.study.options import StudyOptions


def main(options: StudyOptions, output: Output) -> int:
    """Run the command; returns its exit code."""
    from sweep.study.beginning import begin  # here, so that --help answers without loading Ray

    return begin(options, output)


COMMAND = Command(
    name="study",
    options=StudyOptions,
    main=main,
    examples={
        "--profile demo": "minutes on a laptop",
        "--patches my_tiles/ --budget 8h": "your own tiles, an answer after a night",
        "--patches my_tiles/ --plan": "what it would do, and how long",
        "--resume study-paper": "after an interruption, wherever that was",
    },
)
