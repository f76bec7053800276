"""A running Ray cluster: whether a sweep can join it, and whether its nodes answer and agree on the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sweep.checkup.clock import MEND, SKEW_SECONDS
from sweep.checkup.finding import Finding, fail, ok, warn
from sweep.checkup.probing import probe
from sweep.checkup.running import told
from sweep.checkup.subject import Subject
from sweep.engine.lease import PRESUMED_DEAD_SECONDS

CLUSTER_SECONDS = 45.0


def check_cluster(subject: Subject) -> Sequence[Finding]:
    """Join the cluster of ``--address``."""
    address = subject.options.address
    if address is None:
        return [ok("none named with --address: a sweep starts its own on this machine")]
    wanted = subject.profile.needs_gpu
    return judge_cluster(probe("cluster_probe", address, seconds=CLUSTER_SECONDS - 1), address, wants_gpu=wanted)


def judge_cluster(found: Mapping[str, Any], address: str, *, wants_gpu: bool) -> list[Finding]:
    """Judge what ``cluster_probe`` found."""
    if found["fault"]:
        return [_refused(found["fault"], " ".join(found.get("cause", "").split()), address)]
    text = f"{address}: {found['nodes']} nodes, {found['cpus']:g} CPUs, {found['gpus']:g} GPUs; same Ray and Python"
    findings = [ok(text)]
    if wants_gpu and not found["gpus"]:
        findings = [fail(f"{text}, and the profile needs a GPU", "python -m sweep.doctor --profile demo")]
    for node, skew in found["clocks"]:
        if abs(skew) > SKEW_SECONDS:
            judge = fail if abs(skew) >= PRESUMED_DEAD_SECONDS else warn
            findings.append(judge(f"the clock of node {node} differs by {skew:+.0f} s", f"{MEND}, on that node"))
    for node in found["silent"]:
        findings.append(warn(f"node {node} gave no answer: busy, or its Python lacks something", "ray list nodes"))
    return findings


def _refused(fault: str, cause: str, address: str) -> Finding:
    if "Version mismatch" in cause:
        return fail(
            f"--address {address}: {cause.partition('Version mismatch:')[2].strip()}",
            "install the same Python and ray on both: pip install ray==VERSION",
        )
    if "token" in cause.lower() or "unauthenticated" in cause.lower():
        return fail(
            f"--address {address}: the cluster does not take this machine's token",
            "ray get-auth-token on its head, then put that into ~/.ray/auth_token here",
        )
    return told(fault)
