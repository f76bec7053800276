"""Colour spaces, local equalisation and JPEG on (B, 3, S, S) float tensors of 0..255, as OpenCV defines them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

GRID = 8
"""Cells per side of the local histogram equalisation."""
_TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
_WHITE = (0.950456, 1.0, 1.088754)
"""The reference white D65."""
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
# Tables K.1 and K.2 of the JPEG standard (ITU-T T.81).
_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)


def rgb_to_hsv(pixels: Tensor) -> Tensor:
    """Return hue in [0, 180), saturation and value in [0, 255]: (B, 3, S, S)."""
    red, green, blue = pixels.unbind(1)
    value, which = pixels.max(dim=1)
    spread = value - pixels.amin(dim=1)
    safe = torch.where(spread == 0, 1.0, spread)
    hue = torch.where(
        which == 0, (green - blue) / safe, torch.where(which == 1, 2 + (blue - red) / safe, 4 + (red - green) / safe)
    )
    saturation = 255 * spread / torch.where(value == 0, 1.0, value)
    return torch.stack([torch.remainder(30 * hue, 180), saturation, value], dim=1)


def hsv_to_rgb(pixels: Tensor) -> Tensor:
    """Invert ``rgb_to_hsv``."""
    hue, saturation, value = pixels.unbind(1)
    spread = value * saturation / 255

    def channel(shift: float) -> Tensor:
        place = torch.remainder(shift + hue / 30, 6)
        return value - spread * torch.minimum(place, 4 - place).clamp(0, 1)

    return torch.stack([channel(5), channel(3), channel(1)], dim=1)


def _mix(matrix: Tensor, pixels: Tensor) -> Tensor:
    return torch.einsum("ij,bjhw->bihw", matrix.to(pixels), pixels)


def rgb_to_lab(pixels: Tensor) -> Tensor:
    """Return CIE L*a*b*: L* scaled to [0, 255], a* and b* plus 128."""
    linear = pixels / 255
    linear = torch.where(linear > 0.04045, ((linear + 0.055) / 1.055).pow(2.4), linear / 12.92)
    xyz = _mix(torch.tensor(_TO_XYZ), linear) / linear.new_tensor(_WHITE).view(1, 3, 1, 1)
    root = torch.where(xyz > 0.008856, xyz.clamp_min(1e-12).pow(1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = root.unbind(1)
    return torch.stack([(116 * y - 16) * 2.55, 500 * (x - y) + 128, 200 * (y - z) + 128], dim=1)


def lab_to_rgb(pixels: Tensor) -> Tensor:
    """Invert ``rgb_to_lab``, clipped to [0, 255]."""
    lightness, a, b = pixels.unbind(1)
    y = (lightness / 2.55 + 16) / 116
    root = torch.stack([y + (a - 128) / 500, y, y - (b - 128) / 200], dim=1)
    xyz = torch.where(root > 0.206893, root.pow(3), (root - 16 / 116) / 7.787)
    linear = _mix(torch.linalg.inv(torch.tensor(_TO_XYZ)), xyz * pixels.new_tensor(_WHITE).view(1, 3, 1, 1))
    linear = linear.clamp(0, 1)
    return 255 * torch.where(linear > 0.0031308, 1.055 * linear.clamp_min(1e-12).pow(1 / 2.4) - 0.055, 12.92 * linear)


def equalise_locally(values: Tensor, limits: Tensor) -> Tensor:
    """Equalise contrast-limited histograms of 8 by 8 cells, blended between cells.

    Args:
        values: (B, S, S) in [0, 255]; S a multiple of 8.
        limits: (B,) clip limits: times the mean bin, how high a bin may be.

    Returns:
        (B, S, S) in [0, 255].

    Source: Zuiderveld 1994, "Contrast Limited Adaptive Histogram Equalization", as OpenCV does it.
    """
    batch, side, _ = values.shape
    cell = side // GRID
    levels = values.round().clamp(0, 255).long()
    cells = levels.view(batch, GRID, cell, GRID, cell).transpose(2, 3).reshape(batch, GRID * GRID, cell * cell)
    counts = torch.zeros(batch, GRID * GRID, 256, device=values.device)
    counts.scatter_add_(2, cells, torch.ones((), device=values.device).expand_as(cells))
    clip = (limits * (cell * cell / 256)).floor().clamp_min(1).view(-1, 1, 1)
    excess = (counts - clip).clamp_min(0).sum(2, keepdim=True)
    share = (excess / 256).floor()
    left = excess - 256 * share  # one more for so many bins, evenly apart
    step = (256 / left.clamp_min(1)).floor().clamp_min(1)
    bins = torch.arange(256, device=values.device)
    extra = (bins % step == 0) & (bins < left * step)
    tables = (counts.clamp_max(clip) + share + extra).cumsum(2) * (255 / (cell * cell))
    tables = tables.round().clamp(0, 255)

    place = torch.arange(side, device=values.device) / cell - 0.5
    low = place.floor()
    weight = place - low
    first, second = low.clamp(0, GRID - 1).long(), (low + 1).clamp(0, GRID - 1).long()
    flat = tables.view(batch, -1)

    def looked_up(rows: Tensor, columns: Tensor) -> Tensor:
        index = ((rows[:, None] * GRID + columns[None, :]) * 256)[None] + levels
        return flat.gather(1, index.view(batch, -1)).view(batch, side, side)

    upper = torch.lerp(looked_up(first, first), looked_up(first, second), weight[None, None, :])
    lower = torch.lerp(looked_up(second, first), looked_up(second, second), weight[None, None, :])
    return torch.lerp(upper, lower, weight[None, :, None])


def compress(pixels: Tensor, qualities: Tensor) -> Tensor:
    """Lose what JPEG with halved chroma loses.

    Args:
        pixels: (B, 3, S, S) in [0, 255]; S a multiple of 16.
        qualities: (B,) in [1, 100].

    Returns:
        (B, 3, S, S) in [0, 255].
    """
    side = pixels.shape[-1]
    scale = torch.where(qualities < 50, 5000 / qualities, 200 - 2 * qualities).view(-1, 1, 1, 1)
    mixed = _mix(torch.tensor(_TO_YCC), pixels.round())
    chroma = F.avg_pool2d(mixed[:, 1:], 2)
    luma = _quantise(mixed[:, :1] - 128, pixels.new_tensor(_LUMA), scale) + 128
    chroma = F.interpolate(
        _quantise(chroma, pixels.new_tensor(_CHROMA), scale), size=(side, side), mode="bilinear", align_corners=False
    )
    back = _mix(torch.linalg.inv(torch.tensor(_TO_YCC)), torch.cat([luma, chroma], dim=1))
    return back.round().clamp(0, 255)


def _quantise(plane: Tensor, table: Tensor, scale: Tensor) -> Tensor:
    """Round the cosine transform of each block of 8 by 8 to multiples of a quality's table."""
    batch, channels, height, width = plane.shape
    steps = ((table * scale.view(-1, 1, 1) + 50) / 100).floor().clamp(1, 255).view(batch, 1, 1, 1, 8, 8)
    basis = _cosines().to(plane)
    blocks = plane.view(batch, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    coefficients = basis @ blocks @ basis.T
    restored = basis.T @ ((coefficients / steps).round() * steps) @ basis
    return restored.transpose(3, 4).reshape(batch, channels, height, width)


def _cosines() -> Tensor:
    """Return the orthonormal (8, 8) discrete cosine transform."""
    k = torch.arange(8.0)
    basis = torch.cos(math.pi / 8 * (k[None, :] + 0.5) * k[:, None]) / 2
    basis[0] /= math.sqrt(2)
    return basis


def blur(pixels: Tensor, size: int) -> Tensor:
    """Blur by OpenCV's Gaussian of an odd size in pixels, edges mirrored."""
    sigma = 0.3 * ((size - 1) * 0.5 - 1) + 0.8
    taps = torch.arange(size, device=pixels.device) - size // 2
    kernel = torch.exp(-(taps**2) / (2 * sigma * sigma))
    kernel = (kernel / kernel.sum()).to(pixels.dtype)
    channels = pixels.shape[1]
    half = size // 2
    padded = F.pad(pixels, (half, half, half, half), mode="reflect")
    rows = F.conv2d(padded, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    return F.conv2d(rows, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
