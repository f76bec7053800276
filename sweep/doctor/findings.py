"""Tells what the checks found, as lines for people or events for programs, and what to do next."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields
from textwrap import wrap

from rich.console import Console
from rich.text import Text

from sweep.cli.console import MISTAKE
from sweep.cli.output import Output
from sweep.cli.wrapping import is_command, wrapped
from sweep.doctor.finding import Check, Finding
from sweep.doctor.options import CheckupOptions
from trainables.escaping import visible
from trainables.invocation import words
from trainables.wording import counted

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
OUTCOME_WIDTH, TOPIC_WIDTH = 6, 15
INDENT = " " * (OUTCOME_WIDTH + TOPIC_WIDTH)
FIX = "fix: "
NARROWEST = 30
"""Characters that the text of a finding has at least."""


def show_findings(found: Iterable[tuple[Check, Sequence[Finding]]], options: CheckupOptions, output: Output) -> int:
    """Show every finding as it comes, then the sum and the next command.

    Returns:
        The exit code: 0, or 2 where something failed.
    """
    counts: Counter[str] = Counter()
    for check, findings in found:
        shown_topic = ""
        for finding in findings:
            counts[finding.outcome] += 1
            console = output.console if finding.outcome == "ok" else output.results
            if show_finding(finding, check, console, output, again=check.name == shown_topic):
                shown_topic = check.name
    output.results.print(summary(counts))
    output.next(command("doctor", options, CheckupOptions) if counts["fail"] else _sweep(options))
    return MISTAKE if counts["fail"] else 0


def show_finding(
    finding: Finding, check: Check, console: Console | None, output: Output, *, again: bool = False
) -> bool:
    """Say one finding on a console and as an event; returns whether people see it.

    Args:
        finding: What was found.
        check: By which check.
        console: Where people see it; None shows it to programs alone.
        output: Where programs do.
        again: The line above is of the same check, so that its name is left out.
    """
    output.events.emit("check", name=check.name, outcome=finding.outcome, found=finding.text, fix=finding.fix)
    if console is None or console.quiet or output.results.quiet:
        return False
    for line in lines(finding, "" if again else check.name, console.width):
        console.print(line, soft_wrap=True)
    return True


def lines(finding: Finding, topic: str, width: int) -> list[Text]:
    """Lay a finding out: the text in a column, and the fix below; one that is a command is not broken, to be pasted."""
    column = max(NARROWEST, width - len(INDENT) - 1)
    parts = wrap(visible(finding.text), column, break_long_words=False, break_on_hyphens=False) or [""]
    head = Text(f"{finding.outcome:{OUTCOME_WIDTH}}", style=STYLES[finding.outcome])
    laid = [head.append(f"{topic:{TOPIC_WIDTH}}{parts[0]}", style="default not bold")]
    laid += [Text(INDENT + part) for part in parts[1:]]
    if finding.fix:
        said = visible(finding.fix)
        whole = is_command(said)
        first, *others = [said] if whole else wrapped(said, column - len(FIX), indent=len(FIX))
        laid.append(Text(f"{INDENT}{FIX}", style="dim").append(first, style="default not dim"))
        laid += [Text(" " * min(len(INDENT), max(0, width - len(line))) + line) for line in others]
    return laid


def summary(counts: Counter[str]) -> str:
    """Say in a line how it stands."""
    good = f"{counts['ok']} ok"
    warnings = counted(counts["warn"], "warning")
    if counts["fail"]:
        return f"{good}, {warnings}, {counts['fail']} failed: fix what failed, then look again"
    return f"{good}, {warnings}, nothing failed: a sweep can start"


def _sweep(options: CheckupOptions) -> str:
    from sweep.cli.options import CommonOptions

    return command("study", options, CommonOptions)


def command(module: str, options: CheckupOptions, taker: type[CheckupOptions] | type) -> str:
    """Return a command with the flags that the doctor was given, as far as it takes them."""
    typed = words(module)
    defaults = {one.name: one.default for one in fields(taker)}
    for one in fields(CheckupOptions):
        value = getattr(options, one.name)
        if one.name not in defaults or one.name in ("quiet", "json") or value == defaults[one.name]:
            continue
        flag = f"--{one.name.replace('_', '-')}"
        if value is True:
            typed.append(flag)
        else:
            typed += [flag, ",".join(value) if isinstance(value, tuple) else str(value)]
    return shlex.join(typed)
