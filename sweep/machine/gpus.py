"""How many GPUs torch can use here, without loading it where there is no driver of any."""

from __future__ import annotations

import sys
from pathlib import Path

DRIVERS = ("/dev/nvidiactl", "/proc/driver/nvidia", "/dev/kfd", "/dev/dxg", "/dev/nvhost-gpu", "/dev/nvmap")
"""One of these is there on Linux where a driver is: NVIDIA's, AMD's, that of Windows below WSL, NVIDIA's of boards."""


def gpu_count() -> int:
    """Return what ``torch.cuda.device_count`` does; to load torch only for a 0 would take two seconds."""
    if sys.platform == "linux" and "torch" not in sys.modules and not any(Path(one).exists() for one in DRIVERS):
        return 0
    import torch

    return torch.cuda.device_count()


def gpu_names() -> list[str]:
    """Return what torch calls the GPUs that it can use here."""
    if not (count := gpu_count()):
        return []
    import torch

    return [torch.cuda.get_device_name(index) for index in range(count)]
