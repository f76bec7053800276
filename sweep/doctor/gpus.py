"""PyTorch, and the GPUs as the driver and as PyTorch see them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sweep.doctor.finding import Finding, fail, ok, warn
from sweep.doctor.packages import constraints_file, install_command
from sweep.doctor.probing import ProbeError
from sweep.doctor.subject import Subject
from sweep.planning.disk import size
from trainables.invocation import call

VISIBLE = "CUDA_VISIBLE_DEVICES"
HELD_SHARE = 0.5
"""Of a GPU's memory: more than this held by others is worth a word."""


def check_torch(subject: Subject) -> Sequence[Finding]:
    """Load torch and torchvision, and use both."""
    return [judge_torch(subject.torch())]


def judge_torch(found: Mapping[str, Any]) -> Finding:
    """Judge what ``torch_probe`` found."""
    if found["fault"]:
        pair = f"torch {found.get('torch', 'missing')} with torchvision {found.get('torchvision', 'not loaded')}"
        return fail(f"{pair}: {found['fault']}", install_command(constraints_file(None)))
    build = f"built for CUDA {found['cuda']}" if found["cuda"] else "built for the CPU"
    return ok(
        f"torch {found['torch']} ({build}) with torchvision {found['torchvision']}, {found['seconds']:.1f} s to load"
    )


@dataclass(frozen=True, kw_only=True)
class Driver:
    """What NVIDIA's driver says.

    Attributes:
        version: The driver's; empty where there is none.
        cuda: The newest CUDA that it speaks, such as (13, 0).
        cards: Names of the GPUs.
    """

    version: str = ""
    cuda: tuple[int, int] = (0, 0)
    cards: tuple[str, ...] = ()


def ask_driver() -> Driver:
    """Ask NVIDIA's driver; one that is not there has no cards."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return Driver()
    try:
        speaks = pynvml.nvmlSystemGetCudaDriverVersion()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return Driver(
            version=pynvml.nvmlSystemGetDriverVersion(),
            cuda=(speaks // 1000, speaks % 1000 // 10),
            cards=tuple(pynvml.nvmlDeviceGetName(handle) for handle in handles),
        )
    except pynvml.NVMLError:
        return Driver()
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def check_gpu(subject: Subject) -> Sequence[Finding]:
    """Compare the driver's GPUs with PyTorch's, and both with the profile."""
    try:
        found = subject.torch()
    except ProbeError:
        found = {"fault": "the check of torch says why"}
    if found["fault"]:
        return [warn("not looked at: torch does not load", "fix torch first")]
    profile, away = subject.profile, subject.cluster is not None
    place = "trials run on the cluster" if away else f"{profile.name} runs on the CPU"
    wanted = profile.needs_gpu and not away
    return judge_gpus(ask_driver(), found, os.environ.get(VISIBLE), place, wanted=wanted)


def judge_gpus(
    driver: Driver, found: Mapping[str, Any], visible: str | None, place: str, *, wanted: bool
) -> Sequence[Finding]:
    """Judge GPUs.

    Args:
        driver: What the driver says.
        found: What ``torch_probe`` found.
        visible: ``CUDA_VISIBLE_DEVICES``; None where it is not set.
        place: Where trials run without one, in words.
        wanted: Whether a sweep refuses to start without one.
    """
    seen = found["devices"]
    if seen:
        cards = [_judge_card(index, card, found["archs"], driver) for index, card in enumerate(seen)]
        hidden = visible is not None and len(seen) < len(driver.cards)
        return cards + ([ok(f"{VISIBLE}={visible} shows {len(seen)} of {len(driver.cards)}")] if hidden else [])
    if not driver.cards:
        if wanted:
            return [fail("none; the profile needs one, and takes days on the CPU", f"{call('doctor')} --profile demo")]
        return [ok(f"none; {place}")]
    there = f"{len(driver.cards)} x {driver.cards[0]}, but PyTorch sees none"
    judge = fail if wanted else warn
    if visible is not None:
        return [judge(f"{there}: {VISIBLE}={visible!r} hides them", f"unset {VISIBLE}")]
    if found.get("cuda") is None:
        return [judge(f"{there}: this torch is built for the CPU", install_command(constraints_file(None)))]
    speaks = ".".join(map(str, driver.cuda))
    if driver.cuda[0] < int(found["cuda"].partition(".")[0]):
        return [
            judge(
                f"{there}: driver {driver.version} speaks CUDA {speaks}, torch is built for {found['cuda']}",
                f"update the driver, or install a torch that is built for CUDA {driver.cuda[0]}",
            )
        ]
    reason = found["cuda_fault"] or "it does not say why"
    return [judge(f"{there}: {reason}", "python -c 'import torch; torch.zeros(1).cuda()'")]


def _judge_card(index: int, card: Mapping[str, Any], archs: Sequence[str], driver: Driver) -> Finding:
    major, minor = card["capability"]
    summary = f"{index}: {card['name']}, {size(card['free'])} free of {size(card['bytes'])}, capability {major}.{minor}"
    if not supported((major, minor), archs):
        kinds = ", ".join(archs)
        return fail(f"{summary}, for which this torch has no kernels ({kinds})", "install a torch that is built for it")
    if card["free"] < HELD_SHARE * card["bytes"]:
        return warn(f"{summary}: other programs hold the rest", f"nvidia-smi, or choose others with {VISIBLE}")
    return ok(
        f"{summary}; driver {driver.version}, CUDA {'.'.join(map(str, driver.cuda))}" if driver.version else summary
    )


def supported(capability: tuple[int, int], archs: Sequence[str]) -> bool:
    """Whether compiled kernels run on a GPU.

    Kernels of the same major version and no newer minor one run, and portable code (``compute_``) of any older version
    is translated. Source: CUDA C++ Programming Guide, "Binary Compatibility" and "PTX Compatibility".

    Args:
        capability: The GPU's, such as (9, 0).
        archs: Such as ``sm_80``, ``sm_90a`` (which runs on that one alone), ``compute_120``; empty if not known.
    """
    if not archs:
        return True
    for arch in archs:
        match = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", arch)
        if match is None:
            return True  # another maker's names, such as gfx90a
        built = (int(match[2]), int(match[3]))
        if match[4] == "a":
            runs = built == capability
        elif match[1] == "sm" or match[4] == "f":
            runs = built[0] == capability[0] and built <= capability
        else:
            runs = built <= capability
        if runs:
            return True
    return False
