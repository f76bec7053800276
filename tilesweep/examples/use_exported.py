"""Predict an image of any size with an exported model: numpy and onnxruntime, no tilesweep.

    python -m tilesweep.examples.use_exported model.onnx image.png mask.png

Copied to another machine, this file alone does the same. An image is .npy, uint8 (H, W, bands), or a PNG, JPEG or TIFF
(read by pillow, a TIFF by rasterio where that is installed). The mask is uint8 (H, W): 0 and 1 or class indices in .npy
and .tif, 0 and 255 in a .png of two classes. Windows fade into each other as in tilesweep.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


def fail(text: str) -> NoReturn:
    """Say what is wrong, in a line, and end."""
    sys.stderr.write(f"error: {' '.join(text.split())}\n")
    raise SystemExit(2)


def cover(length: int, window: int, smallest: int) -> tuple[int, list[int]]:
    """Return the side of the windows and where they start, on a grid of 32 pixels; neighbours share a quarter."""
    padded = max(-(-length // 32) * 32, smallest)
    if padded <= window:
        return padded, [0]
    way = (padded - window) // 32
    steps = -(-way // max(1, (window - window // 4) // 32))
    return window, [32 * (step * way // steps) for step in range(steps + 1)]


def fade(parts: list[Floats], starts: list[int], window: int) -> Floats:
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


def choose_window(about: dict[str, Any], asked: int | None) -> int:
    """Return the side of the windows; what the model does not take is refused."""
    size = about["size"]
    side: int = about["windows"]["side"] if asked is None else asked
    if size["fixed"] and side != size["fixed"]:
        fail(f"--window {side}: this model takes windows of {size['fixed']} pixels alone; leave it out")
    if side % size["multiple_of"] or side < size["smallest"]:
        fail(f"--window {side}: this model takes multiples of {size['multiple_of']} from {size['smallest']} pixels on")
    return side


def predict(session: Any, about: dict[str, Any], image: Bytes, window: int) -> Floats:
    """Return the (C, H, W) logits of an image (H, W, N), divided by the temperature."""
    smallest = about["size"]["smallest"]
    (rows, tops), (columns, lefts) = (cover(length, window, smallest) for length in image.shape[:2])
    height, width = image.shape[:2]
    extra = [(0, tops[-1] + rows - height), (0, lefts[-1] + columns - width), (0, 0)]
    image = np.pad(image, extra, mode="edge")
    strips = []
    for top in tops:
        windows = [image[top : top + rows, left : left + columns].transpose(2, 0, 1)[None] for left in lefts]
        logits = [session.run(["logits"], {"image": np.ascontiguousarray(one)})[0][0] for one in windows]
        strips.append(fade(logits, lefts, columns).swapaxes(1, 2))
    whole = fade(strips, tops, rows).swapaxes(1, 2)[:, :height, :width]
    return whole / np.float32(about.get("temperature", 1.0))


def decide(logits: Floats, about: dict[str, Any]) -> Bytes:
    """Return the mask, (H, W)."""
    if about["threshold"] is None:  # a logit per class
        mask: Bytes = logits.argmax(0).astype(np.uint8)
    else:
        mask = (logits[0] >= np.log(about["threshold"] / (1 - about["threshold"]))).astype(np.uint8)
    return mask


def read_image(path: Path, about: dict[str, Any]) -> tuple[Bytes, dict[str, Any]]:
    """Return an image (H, W, N), and where on earth it is; what the model does not take is refused."""
    place: dict[str, Any] = {}
    try:
        if path.suffix == ".npy":
            image = np.load(path, allow_pickle=False)
        elif path.suffix.lower() in (".tif", ".tiff") and find_spec("rasterio"):
            import rasterio

            with rasterio.open(path) as raster:
                image = raster.read().transpose(1, 2, 0)
                place = {"crs": raster.crs, "transform": raster.transform}
        else:
            from PIL import Image

            with Image.open(path) as picture:
                image = np.asarray(picture.convert("RGB") if picture.mode in ("L", "P", "1", "LA") else picture)
    except (OSError, ValueError) as error:
        fail(f"{path}: cannot be read as an image ({error}); name a .npy, PNG, JPEG or TIFF")
    bands = about["input"]["bands"]
    if image.ndim == 3 and image.shape[2] == len(bands) + 1 and path.suffix != ".npy":
        image = image[:, :, : len(bands)]  # transparency
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != len(bands) or not image.size:
        shape = " x ".join(map(str, image.shape))
        fail(
            f"{path}: is {image.dtype} of {shape}; this model takes uint8 of height x width x {len(bands)} "
            f"({', '.join(bands)})"
        )
    return image, place


def write_mask(path: Path, mask: Bytes, about: dict[str, Any], place: dict[str, Any]) -> None:
    """Write a mask in the format that its name says."""
    try:
        if path.suffix == ".npy":
            np.save(path, mask)
        elif path.suffix.lower() in (".tif", ".tiff") and find_spec("rasterio"):
            import rasterio

            profile = {"driver": "GTiff", "height": mask.shape[0], "width": mask.shape[1], "count": 1, "dtype": "uint8"}
            with rasterio.open(path, "w", **profile, **place, compress="deflate") as raster:
                raster.write(mask, 1)
        elif path.suffix.lower() in (".png", ".tif", ".tiff"):
            from PIL import Image

            two = about["threshold"] is not None and path.suffix.lower() == ".png"
            Image.fromarray(mask * np.uint8(255) if two else mask).save(path)
        else:
            fail(f"{path}: end its name in .npy, .png or .tif")
    except OSError as error:
        fail(f"{path}: cannot be written ({error}); name another file")


def open_model(path: Path) -> tuple[Any, dict[str, Any]]:
    """Return an exported model, and what it says of itself."""
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        about: dict[str, Any] = json.loads(session.get_modelmeta().custom_metadata_map["tilesweep"])
    except Exception as error:  # onnxruntime has many kinds
        fail(f"{path}: is no ONNX file of tilesweep.export ({str(error).splitlines()[0]})")
    if about["output"]["name"] != "logits":
        fail(f"{path}: was exported for another program (--for); export it again without")
    return session, about


def main(words: list[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    parser = argparse.ArgumentParser(description="Predict an image with an exported model.")
    parser.add_argument("model", type=Path, help="an ONNX file of tilesweep.export")
    parser.add_argument("image", type=Path, help=".npy, PNG, JPEG or TIFF")
    parser.add_argument("mask", type=Path, help="what is written: .npy, .png or .tif")
    parser.add_argument("--window", type=int, metavar="PIXELS", help="side of a window; default: as trained on")
    chosen = parser.parse_args(words)
    session, about = open_model(chosen.model)
    window = choose_window(about, chosen.window)
    image, place = read_image(chosen.image, about)
    write_mask(chosen.mask, decide(predict(session, about, image, window), about), about, place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
