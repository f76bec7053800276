"""Pretrained weights of the profile's architectures on this machine; nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence

from sweep.doctor.finding import Finding, fail, ok, warn
from sweep.doctor.running import as_finding
from sweep.doctor.subject import Subject
from trainables.errors import WeightsError
from trainables.models.registry import get_architecture
from trainables.models.resolving import resolve
from trainables.models.weights import how_to_get


def check_weights(subject: Subject) -> Sequence[Finding]:
    """Look for each architecture's weights, and compare their checksums."""
    if subject.tiny:
        return [ok(f"{subject.profile.name} trains tiny stand-ins, which take none")]
    users: dict[str, list[str]] = {}
    for name in subject.architectures:
        users.setdefault(get_architecture(name).needs, []).append(name)
    needed = {needs: names for needs, names in users.items() if needs != "none" and not needs.startswith("own:")}
    there, findings = [], []
    for needs, names in needed.items():
        try:
            found = resolve(needs, "available", sam_checkpoint=subject.sam_checkpoint, sam_sha256=subject.sam_sha256)
        except WeightsError as error:
            findings += [as_finding(fault) for fault in error.faults]
            continue
        if found.path:
            there.append(f"{needs} for {', '.join(names)} ({found.sha256[:8]}...)")
        else:
            refuses = subject.profile.weights == "pretrained"
            findings.append(judge_missing(needs, names, refuses=refuses, offline=subject.offline))
    if there:
        findings.insert(0, ok(f"on this machine: {'; '.join(there)}"))
    return findings or [ok("the architectures need none")]


def judge_missing(needs: str, names: Sequence[str], *, refuses: bool, offline: bool) -> Finding:
    """Judge weights that are not on this machine."""
    users = ", ".join(names)
    fix = how_to_get(needs)
    if not refuses:  # such a profile fetches nothing by itself
        fix = fix.replace("run once online", "run once online with --weights pretrained")
        return warn(f"{needs} is not on this machine: {users} would start from random weights", fix)
    if offline:
        return fail(f"{needs} is not on this machine, and --offline forbids fetching it (for {users})", fix)
    return warn(f"{needs} is not on this machine: the sweep tries to fetch it (for {users})", fix)
