"""A running Ray cluster: whether a sweep can join it, and whether its nodes answer and agree on the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sweep.doctor.clock import MEND, SKEW_SECONDS
from sweep.doctor.finding import Finding, fail, ok, warn
from sweep.doctor.probing import probe
from sweep.doctor.running import as_finding
from sweep.doctor.subject import Subject
from sweep.records.lease import PRESUMED_DEAD_SECONDS
from trainables.invocation import call
from trainables.wording import counted

CLUSTER_SECONDS = 60.0


def check_cluster(subject: Subject) -> Sequence[Finding]:
    """Join the cluster that a sweep would join."""
    if subject.cluster is None:
        return [ok("none named with --address: a sweep starts its own on this machine")]
    address = subject.cluster.address
    found = probe("sweep.ray_tune.cluster_probe", address, seconds=CLUSTER_SECONDS - 5)
    folder = subject.storage.root if subject.storage.is_local else ""
    return judge_cluster(found, address, folder=folder, wants_gpu=subject.profile.needs_gpu)


def judge_cluster(
    found: Mapping[str, Any], address: str, *, folder: str = "", wants_gpu: bool = False
) -> list[Finding]:
    """Judge what ``cluster_probe`` found; the folder is empty for a storage that every node reaches."""
    if found["fault"]:
        return [_refused(found, address)]
    nodes = counted(found["nodes"], "node")
    text = f"{address}: {nodes}, {found['cpus']:g} CPUs, {found['gpus']:g} GPUs; same Ray and Python"
    findings = [ok(text)]
    if wants_gpu and not found["gpus"]:
        findings = [fail(f"{text}, and the profile needs a GPU", f"{call('doctor')} --profile demo")]
    if folder and found["nodes"] > 1:
        shared = "--storage s3://bucket/path, or a folder on a disk that all nodes share"
        findings.append(warn(f"all {found['nodes']} nodes must see the folder {folder} under that name", shared))
    for node, skew in found["clocks"]:
        if abs(skew) > SKEW_SECONDS:
            judge = fail if abs(skew) >= PRESUMED_DEAD_SECONDS else warn
            findings.append(judge(f"the clock of node {node} differs by {skew:+.0f} s", f"{MEND}, on that node"))
    for node in found["silent"]:
        findings.append(warn(f"node {node} gave no answer: busy, or its Python lacks something", "ray list nodes"))
    return findings


def _refused(found: Mapping[str, Any], address: str) -> Finding:
    cause = " ".join(found["cause"].split())
    if "Version mismatch" in cause:
        return fail(
            f"--address {address}: {cause.partition('Version mismatch:')[2].strip()}",
            "install the same Python and the same ray on both, such as pip install ray==VERSION",
        )
    if "AuthToken" in found["stderr"] or "token" in cause:
        return fail(
            f"--address {address}: the cluster does not take this machine's token, or there is none here",
            "ray get-auth-token on the cluster's head, then put it into ~/.ray/auth_token here",
        )
    return as_finding(found["fault"])
