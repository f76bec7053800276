"""Predict an image of any size with an exported model: onnxruntime and numpy, no tilesweep.

    python examples/use_exported.py model.onnx image.npy mask.npy

The image is uint8 (H, W, 3), the mask uint8 (H, W): 0 and 1, or class indices. Windows
fade into each other as in tilesweep.
"""

import json
import sys

import numpy as np
import onnxruntime


def cover(length, window, smallest):
    """Return the side of the windows and where they start, on a grid of 32 pixels; neighbours share a quarter."""
    padded = max(-(-length // 32) * 32, smallest)
    if padded <= window:
        return padded, [0]
    way = (padded - window) // 32
    steps = -(-way // max(1, (window - window // 4) // 32))
    return window, [32 * (step * way // steps) for step in range(steps + 1)]


def fade(parts, starts, window):
    """Join parts along their last axis, a raised cosine over the middle half of each overlap."""
    whole = np.zeros((*parts[0].shape[:-1], starts[-1] + window), np.float32)
    whole[..., :window] = parts[0]
    for before, start, part in zip(starts, starts[1:], parts[1:], strict=False):
        overlap = before + window - start
        low, high = overlap // 2 - overlap // 4, overlap // 2 + overlap // 4
        weight = (1 - np.cos(np.pi * (np.arange(high - low) + 0.5) / (high - low))) / 2
        faded = whole[..., start + low : start + high]
        faded += weight * (part[..., low:high] - faded)
        whole[..., start + high : start + window] = part[..., high:]
    return whole


model, image_file, mask_file = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
about = json.loads(session.get_modelmeta().custom_metadata_map["tilesweep"])
image = np.load(image_file)
(rows, tops), (columns, lefts) = (
    cover(n, about["windows"]["side"], about["size"]["smallest"]) for n in image.shape[:2]
)
extra = [(0, tops[-1] + rows - image.shape[0]), (0, lefts[-1] + columns - image.shape[1]), (0, 0)]
image, (height, width, _) = np.pad(image, extra, mode="edge"), image.shape
strips = []
for top in tops:
    windows = [image[top : top + rows, left : left + columns].transpose(2, 0, 1)[None] for left in lefts]
    logits = [session.run(["logits"], {"image": np.ascontiguousarray(one)})[0][0] for one in windows]
    strips.append(fade(logits, lefts, columns).swapaxes(1, 2))
logits = fade(strips, tops, rows).swapaxes(1, 2)[:, :height, :width]
if about["threshold"] is None:  # a logit a class
    mask = logits.argmax(0)
else:
    mask = logits[0] >= np.log(about["threshold"] / (1 - about["threshold"]))
np.save(mask_file, mask.astype(np.uint8))
