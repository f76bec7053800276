"""The arithmetic of forward passes."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from trainables.torch_said import said_by_torch

if TYPE_CHECKING:  # functions import torch, so that a sweep's driver can ask what it says without loading it
    import torch


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Map a recipe's precision to the arithmetic of the forward pass on a device.

    ``auto`` is bfloat16 on a GPU that computes it natively, float16 on an older one, and float32 on the CPU: there a
    sweep decides by what it measures, see ``sweep.planning.precision``.
    """
    import torch

    if precision != "auto":
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def computes_bf16() -> bool:
    """Whether the CPU has instructions that multiply in bfloat16, as torch says: AVX-512's, AMX's or ARM's."""
    found = said_by_torch()["capabilities"]
    return any(found.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def cpu_fingerprint() -> str:
    """Return what decides how fast this CPU computes: torch's version, and a hash of the instructions that it has."""
    said = said_by_torch()
    found = ",".join(f"{name}={value}" for name, value in sorted(said["capabilities"].items()))
    return f"torch {said['version']}, CPU {hashlib.sha256(found.encode()).hexdigest()[:12]}"


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[None]:
    """Compute in a type during the block; float32 needs no help."""
    import torch

    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32)
