"""Prints what PyTorch says of itself and of the GPUs, as JSON; run in a process of its own."""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def look() -> dict[str, Any]:
    """Load the pair of torch and torchvision, and use both.

    Returns:
        ``seconds`` that loading took, ``torch`` and ``torchvision`` (versions), ``fault`` (a line; empty if they work
        together), ``cuda`` (what torch was built for, or None), ``archs`` (its compiled kernels) and ``devices``, each
        with ``name``, ``bytes``, ``free`` and ``capability``; ``cuda_fault`` where they cannot be used.
    """
    started = time.monotonic()
    found: dict[str, Any] = {"fault": "", "cuda_fault": "", "devices": [], "archs": []}
    try:
        import torch

        found |= {"torch": torch.__version__, "cuda": torch.version.cuda}
        import torchvision

        found |= {"torchvision": torchvision.__version__}
        boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0]])
        kept = torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8]), 0.5)
        if kept.tolist() != [0]:
            found["fault"] = "torchvision computes nonsense"
    except Exception as error:
        found["fault"] = (str(error).strip() or type(error).__name__).splitlines()[0]
        return found
    found["seconds"] = time.monotonic() - started
    found["archs"] = torch.cuda.get_arch_list()
    try:
        found["devices"] = [_device(torch, index) for index in range(torch.cuda.device_count())]
    except Exception as error:
        found["cuda_fault"] = (str(error).strip() or type(error).__name__).splitlines()[0]
    return found


def _device(torch: Any, index: int) -> dict[str, Any]:
    properties = torch.cuda.get_device_properties(index)
    free, total = torch.cuda.mem_get_info(index)
    return {"name": properties.name, "bytes": total, "free": free, "capability": [properties.major, properties.minor]}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(look()) + "\n")
