"""The presets by torch, a batch at a time, where the training runs: the same views as on the host, up to rounding."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.augment import colour
from trainables.augment.fog import Fog
from trainables.augment.parameters import Shadow, ViewParameters

Views = Sequence[ViewParameters]


def augment_batch(images: Tensor, masks: Tensor, views: Views, *, colours: bool = True) -> tuple[Tensor, Tensor]:
    """Carry out what was drawn for each view of a batch.

    Args:
        images: (B, C, S, S) uint8.
        masks: (B, 1, S, S) uint8, on the same device.
        views: B parameters, drawn for a side of S.
        colours: Whether the first three bands are red, green and blue; see ``host.augment``.

    Returns:
        Images and masks of the same shapes and types, images in channels-last memory. Colours differ from
        ``host.augment`` by rounding, which that does after every operation and this mostly at the end.
    """
    pixels, labels = images.float(), masks.float()
    pixels, labels = _move(pixels, labels, views)
    if colours:
        pixels = _on_rgb(pixels, views, _colour)
    pixels, labels = _displace(pixels, labels, views)
    pixels = _where(pixels, views, lambda one: one.holes is not None, _punch)
    if colours:
        pixels = _on_rgb(pixels, views, _fog)
    rounded = pixels.round_().clamp_(0, 255).to(torch.uint8).contiguous(memory_format=torch.channels_last)
    return rounded, labels.to(torch.uint8)


def _on_rgb(pixels: Tensor, views: Views, operation: Callable[[Tensor, Views], Tensor]) -> Tensor:
    """Carry an operation out on the first three bands, and leave the others as they are."""
    if pixels.shape[1] == 3:
        return operation(pixels, views)
    return torch.cat([operation(pixels[:, :3], views), pixels[:, 3:]], dim=1)


def _colour(pixels: Tensor, views: Views) -> Tensor:
    pixels = _where(pixels, views, lambda one: one.contrast is not None, _contrast)
    pixels = _where(pixels, views, lambda one: one.hsv is not None, _hsv)
    pixels = _where(pixels, views, lambda one: bool(one.shadows), _shadow)
    pixels = _where(pixels, views, lambda one: one.gamma is not None, _gamma)
    pixels = _where(pixels, views, lambda one: one.clahe is not None, _clahe)
    return _where(pixels, views, lambda one: one.jpeg is not None, _jpeg)


def _fog(pixels: Tensor, views: Views) -> Tensor:
    return _where(pixels, views, lambda one: one.fog is not None, _cover)


def _where(
    pixels: Tensor, views: Views, wanted: Callable[[ViewParameters], bool], operation: Callable[[Tensor, Views], Tensor]
) -> Tensor:
    """Carry an operation out on those views that need it."""
    chosen = [index for index, view in enumerate(views) if wanted(view)]
    if not chosen:
        return pixels
    if len(chosen) == len(views):
        return operation(pixels, views)
    index = _tensor(chosen, pixels).long()
    return pixels.index_copy(0, index, operation(pixels[index], [views[one] for one in chosen]))


def _tensor(values: object, like: Tensor) -> Tensor:
    """Put numbers onto the device without waiting for it."""
    tensor = torch.as_tensor(values)
    if like.is_cuda:
        tensor = tensor.pin_memory()
    return tensor.to(like.device, non_blocking=True)


def _each(values: Sequence[float], like: Tensor) -> Tensor:
    """Return one number a view, (B, 1, 1, 1) float32."""
    return _tensor(torch.tensor(values, dtype=torch.float32), like).view(-1, 1, 1, 1)


def _move(pixels: Tensor, labels: Tensor, views: Views) -> tuple[Tensor, Tensor]:
    side = pixels.shape[-1]
    # From pixels of the result to pixels of the view, as sampling needs it.
    matrices = torch.stack([torch.linalg.inv(torch.from_numpy(view.warp(side))) for view in views])
    axis = torch.arange(side, dtype=torch.float32, device=pixels.device)
    maps = _tensor(matrices[:, :2].float(), pixels)
    places = (
        maps[:, None, None, :, 0] * axis[None, None, :, None]
        + maps[:, None, None, :, 1] * axis[None, :, None, None]
        + maps[:, None, None, :, 2]
    )
    return _look_up(pixels, labels, places)


def _look_up(pixels: Tensor, labels: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Sample at (B, S, S, 2) x and y in pixels, mirrored at the edges; of labels the nearest."""
    last = pixels.shape[-1] - 1
    # OpenCV counts in 1/32 pixel, too; exact whole places stay exact.
    grid = (places * 32).round_().div_(32).mul_(2 / last).sub_(1)
    moved = F.grid_sample(pixels, grid, mode="bilinear", padding_mode="reflection", align_corners=True)
    moved_labels = F.grid_sample(labels, grid, mode="nearest", padding_mode="reflection", align_corners=True)
    return moved, moved_labels


def _contrast(pixels: Tensor, views: Views) -> Tensor:
    drawn = [view.contrast or (1.0, 0.0) for view in views]
    scaled = pixels * _each([factor for factor, _ in drawn], pixels) + _each([summand for _, summand in drawn], pixels)
    return scaled.clamp_(0, 255).floor_()  # here and below: as a table of bytes does


def _hsv(pixels: Tensor, views: Views) -> Tensor:
    drawn = [view.hsv or (0.0, 0.0, 0.0) for view in views]
    hue, saturation, value = colour.rgb_to_hsv(pixels.round()).round_().unbind(1)  # OpenCV holds them as bytes
    shifts = [_each([one[channel] for one in drawn], pixels)[:, 0] for channel in range(3)]
    grey = saturation == 0
    hue = torch.remainder(hue + shifts[0], 180).floor()
    saturation = (saturation + shifts[1].trunc()).clamp(0, 255).masked_fill(grey, 0)
    value = (value + shifts[2].trunc()).clamp(0, 255)
    return colour.hsv_to_rgb(torch.stack([hue, saturation, value], dim=1))


def _shadow(pixels: Tensor, views: Views) -> Tensor:
    rounds = max(len(view.shadows) for view in views)
    for number in range(rounds):
        shadows = [view.shadows[number] if number < len(view.shadows) else None for view in views]
        darkness = _each([shadow.darkness if shadow else 1.0 for shadow in shadows], pixels)
        pixels = torch.where(_inside(shadows, pixels), (pixels * darkness).floor(), pixels)
    return pixels


def _inside(shadows: Sequence[Shadow | None], like: Tensor) -> Tensor:
    """Tell which pixels are in each polygon, by the even-odd rule: (B, 1, S, S) bool."""
    side = like.shape[-1]
    corners = torch.stack(
        [torch.from_numpy(shadow.corners).float() if shadow else torch.zeros(5, 2) for shadow in shadows]
    )
    corners = _tensor(corners, like)
    axis = torch.arange(side, dtype=torch.float32, device=like.device)
    inside = torch.zeros(len(shadows), side, side, dtype=torch.bool, device=like.device)
    for start, end in zip(corners.unbind(1), corners.roll(-1, dims=1).unbind(1), strict=True):
        x0, y0, x1, y1 = (one.view(-1, 1, 1) for one in (*start.unbind(1), *end.unbind(1)))
        rows = axis[None, :, None]
        crosses = (y0 > rows) != (y1 > rows)
        at = x0 + (rows - y0) * (x1 - x0) / torch.where(y1 == y0, 1.0, y1 - y0)
        inside ^= crosses & (axis[None, None, :] < at)
    return inside[:, None]


def _gamma(pixels: Tensor, views: Views) -> Tensor:
    return (pixels / 255).pow(_each([view.gamma or 1.0 for view in views], pixels)).mul_(255).floor_()


def _clahe(pixels: Tensor, views: Views) -> Tensor:
    lab = colour.rgb_to_lab(pixels)
    limits = _each([view.clahe or 0.0 for view in views], pixels).flatten()
    lightness = colour.equalise_locally(lab[:, 0], limits)
    return colour.lab_to_rgb(torch.cat([lightness[:, None], lab[:, 1:]], dim=1))


def _jpeg(pixels: Tensor, views: Views) -> Tensor:
    return colour.compress(pixels, _each([float(view.jpeg or 100) for view in views], pixels).flatten())


def _displace(pixels: Tensor, labels: Tensor, views: Views) -> tuple[Tensor, Tensor]:
    chosen = [index for index, view in enumerate(views) if view.displacement is not None]
    if not chosen:
        return pixels, labels
    side = pixels.shape[-1]
    index = _tensor(chosen, pixels).long()
    fields = torch.stack([torch.from_numpy(views[one].displacement) for one in chosen])
    offsets = F.interpolate(_tensor(fields, pixels), size=(side, side), mode="bicubic", align_corners=False)
    axis = torch.arange(side, dtype=torch.float32, device=pixels.device)
    places = offsets.permute(0, 2, 3, 1) + torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)
    moved, moved_labels = _look_up(pixels[index], labels[index], places)
    return pixels.index_copy(0, index, moved), labels.index_copy(0, index, moved_labels)


def _punch(pixels: Tensor, views: Views) -> Tensor:
    pixels = pixels.clone()
    for view, target in zip(views, pixels, strict=True):
        for left, top, right, bottom in () if view.holes is None else view.holes.tolist():
            target[:, top:bottom, left:right] = 0
    return pixels


def _cover(pixels: Tensor, views: Views) -> Tensor:
    return torch.stack(
        [_cover_one(one, view.fog) if view.fog else one for one, view in zip(pixels, views, strict=True)]
    )


def _cover_one(pixels: Tensor, fog: Fog) -> Tensor:
    depth = fog.depth(pixels.shape[-1])
    table = _tensor(fog.table(int(depth.max())), pixels)
    depths = _tensor(depth, pixels)
    covered = table[depths[None], pixels.round().long()].float()
    return colour.blur(covered[None], fog.blur)[0]
