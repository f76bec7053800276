"""What Ray needs of this machine: a folder with a short name, ports, and a token that nobody else reads."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from sweep.doctor.finding import Finding, ok, warn
from sweep.doctor.subject import Subject
from sweep.ray_tune.local_ray import REACHABLE_VARIABLE, is_reachable
from sweep.ray_tune.ray_folder import VARIABLE as FOLDER_VARIABLE
from sweep.ray_tune.ray_folder import choose_folder
from sweep.ray_tune.ray_token import MODE_VARIABLE, TOKEN_VARIABLE, TokenPlan, is_exposed, plan_token


def check_temporary_folder(subject: Subject) -> Sequence[Finding]:
    """Choose the folder for Ray's files as a sweep does: one in which Ray can write, and its sockets' paths fit."""
    folder = choose_folder()
    if folder.instead_of:
        instead = f"{folder.path} is taken in place of {folder.instead_of}"
        return [warn(instead, f"export {FOLDER_VARIABLE}={shlex.quote(str(folder.path.parent))}")]
    return [ok(f"{folder.path}: can be written, and its sockets' paths fit")]


def check_ports(subject: Subject) -> Sequence[Finding]:
    """Tell who can reach the ports of a Ray that the sweep starts here."""
    return [ok("the cluster's own")] if subject.cluster else [judge_reach()]


def judge_reach() -> Finding:
    """Tell who can reach the ports of a Ray that a sweep starts here."""
    if not is_reachable():
        return ok("a sweep's own Ray listens on this machine's loopback alone")
    text = f"{REACHABLE_VARIABLE}={os.environ[REACHABLE_VARIABLE]}: Ray listens on every network of this machine"
    return warn(f"{text}, and its three ports of metrics ask for no token", f"unset {REACHABLE_VARIABLE}")


def check_token(subject: Subject) -> Sequence[Finding]:
    """Say where the token comes from, as a sweep finds or makes it, and who can read it."""
    if os.environ.get(MODE_VARIABLE, "").lower() == "disabled":
        fix = f"unset {MODE_VARIABLE}"
        return [warn(f"{MODE_VARIABLE}=disabled: whoever reaches Ray's ports can run code here", fix)]
    return [judge_token(plan_token(), joins=subject.cluster is not None)]


def judge_token(plan: TokenPlan, *, joins: bool) -> Finding:
    """Judge where a token comes from."""
    if plan.source == "given":
        return ok(f"given by {TOKEN_VARIABLE}")
    if plan.source == "file" and plan.path is not None:
        if is_exposed(plan.path):
            return warn(
                f"{plan.path}: other users of this machine can read it, and so run code as you",
                f"chmod 600 {shlex.quote(str(plan.path))}",
            )
        return ok(f"{plan.path}: nobody else can read it")
    if joins:
        where = f" to {plan.path}" if plan.source == "new" else f" here, as {TOKEN_VARIABLE}"
        return warn("none on this machine", f"copy the cluster's token (ray get-auth-token there){where}")
    if plan.source == "handed":
        return ok(f"a sweep makes one for itself alone: {plan.why}")
    return ok(f"none yet; a sweep makes one, {plan.path}, that only you can read")
