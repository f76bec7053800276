"""The doctor, before hours are spent."""

from __future__ import annotations

from collections import Counter

from sweep.cli.output import Output, say
from sweep.doctor.findings import show_finding, summary
from sweep.doctor.listing import CHECKS
from sweep.doctor.options import CheckupOptions
from sweep.doctor.running import run_checks
from sweep.doctor.subject import Subject
from sweep.study.options import StudyOptions


def is_fit(options: StudyOptions, output: Output) -> bool:
    """Say what the doctor warns of and what fails, each with its fix; returns whether nothing fails."""
    checkup = CheckupOptions(
        profile=options.profile,
        patches=options.patches,
        architectures=options.architectures,
        storage=options.storage,
        address=options.address,
        sam_checkpoint=options.sam_checkpoint,
        sam_sha256=options.sam_sha256,
        offline=options.offline,
    )
    passed_over = {
        "GPU": options.device == "cpu",
        "weights": options.weights == "random",
        "tiles": options.allow_leak,
        "experiments": True,
    }
    checks = [check for check in CHECKS if not passed_over.get(check.name)]
    counts: Counter[str] = Counter()
    for check, findings in run_checks(checks, Subject(checkup)):
        for finding in findings:
            counts[finding.outcome] += 1
            show_finding(finding, check, {"fail": output.results, "warn": output.console}.get(finding.outcome), output)
    say(output.results if counts["fail"] else output.console, "doctor", summary(counts))
    return not counts["fail"]
