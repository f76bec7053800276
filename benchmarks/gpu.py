"""Everything that a GPU decides, in one command without Ray: ``python -m benchmarks.gpu``; about ten minutes.

For each architecture, at 1024 x 1024 pixels with the paper's batch: images per second of tilesweep's step beside the
loop that tutorials show, and peak memory; views augmented on the host and on the device; SAM's encoder beside
``segment_anything``'s. ``--small`` runs the same on a CPU, to see that it works.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import cv2
import torch

from benchmarks.loops import compare_paces, library_features, naive, ours
from benchmarks.report import Report, timed
from benchmarks.tiles import synthetic_tiles
from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.patches.synthetic.scene import draw_scene
from trainables.augment.device import augment_batch
from trainables.augment.host import augment
from trainables.augment.parameters import Sampler
from trainables.augment.presets import PRESETS
from trainables.data.batches import Batches
from trainables.data.tiles import TuningData
from trainables.models.registry import GRID_OF_FIVE
from trainables.models.sam_encoder import build_encoder, encode
from trainables.models.weights import Weights
from trainables.precision import choose_dtype
from trainables.recipe import Recipe
from trainables.scoring import scale


def steps(report: Report, device: torch.device, side: int, draws: int, repeats: int) -> None:
    """Measure each architecture's step."""
    with synthetic_tiles((4, 1, 1), side) as patches:
        data = TuningData.read(patches)
        for name in GRID_OF_FIVE:
            recipe = shared_recipe(name, get_profile("paper")).replace(crop_size=side, draws_per_epoch=draws)
            ways = {
                "naive loop": partial(naive, recipe, patches, device),
                "tilesweep": partial(ours, recipe, data, device, workers=4),
            }
            title = f"{name}: training step, {side} x {side}, batch {recipe.batch_size}, {device.type}"
            for way, (*_, pace) in compare_paces(report, title, ways, repeats).items():
                report.note(f"{name}, {way}: share of the time waiting for views", round(pace.data_share, 3))
                report.note(f"{name}, {way}: peak memory, GiB", round(pace.peak_bytes / 2**30, 2))


def views(report: Report, device: torch.device, side: int, repeats: int) -> None:
    """Measure batches of four: augmented on one host thread, and on the device."""
    image, mask = draw_scene(1, size=side)
    images = torch.from_numpy(image).permute(2, 0, 1).expand(4, -1, -1, -1).contiguous().to(device)
    masks = torch.from_numpy(mask).expand(4, 1, -1, -1).contiguous().to(device)
    for preset in PRESETS:
        sample = Sampler(preset)
        drawn = [[sample(4 * batch + view, side) for view in range(4)] for batch in range(10)]

        def on_host(drawn: object = drawn) -> None:
            for batch in drawn:  # type: ignore[attr-defined]
                for one in batch:
                    augment(image, mask, one)

        def on_device(drawn: object = drawn) -> None:
            for batch in drawn:  # type: ignore[attr-defined]
                augment_batch(images, masks, batch)

        ways = {
            "host, one thread": lambda work=on_host: 40 / timed(work, device, 1),
            device.type: lambda work=on_device: 40 / timed(work, device, 1),
        }
        title = f"{preset}: augmentation, {side} x {side}"
        report.compare(title, ways, repeats, unit="views/s", baseline="host, one thread", more_is_better=True)


def epochs(report: Report, device: torch.device, side: int, draws: int, repeats: int) -> None:
    """Compare epochs with EXTREME augmentation and with the eight symmetries alone."""
    with synthetic_tiles((4, 1, 1), side) as patches:
        data = TuningData.read(patches)
        recipe = shared_recipe("smp_unet_resnet34", get_profile("paper")).replace(crop_size=side, draws_per_epoch=draws)
        batches = list(Batches(data.train, recipe, device, workers=4).epoch(1))
        report.note("device augments by itself", bool(batches[0].augmentations))
        ways = {preset: partial(_pace, recipe.replace(augmentation=preset), data, device) for preset in PRESETS}
        title = f"smp_unet_resnet34: epoch by preset, {side} x {side}"
        report.compare(title, ways, repeats, unit="images/s", baseline="LIGHT", more_is_better=True)


def _pace(recipe: Recipe, data: TuningData, device: torch.device) -> float:
    return ours(recipe, data, device, workers=4).images_per_second


def sam(report: Report, device: torch.device, side: int, repeats: int) -> None:
    """Measure SAM's encoder: the library's attention in float32, ours in float32 and in the device's own type."""
    encoder = build_encoder(Weights(kind="random"), tiny=False).eval().to(device)
    image = scale(torch.randint(0, 256, (1, 3, side, side), dtype=torch.uint8), device)
    dtype = choose_dtype("auto", device)
    peaks: dict[str, float] = {}

    def run(name: str, features: Callable[..., object], halved: bool) -> float:
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
            before = torch.cuda.memory_allocated(device)
        with torch.inference_mode(), torch.autocast(device.type, dtype=dtype, enabled=halved):
            taken = timed(lambda: features(encoder, image, ()), device, 3)
        if device.type == "cuda":
            peaks[name] = (torch.cuda.max_memory_allocated(device) - before) / 2**20
        return 1 / taken

    half = dtype is not torch.float32
    ways = {
        "segment_anything, fp32": (library_features, False),
        "tilesweep, fp32": (encode, False),
        f"tilesweep, {str(dtype).removeprefix('torch.')}": (encode, half),
        f"segment_anything, {str(dtype).removeprefix('torch.')}": (library_features, half),
    }
    measures = {name: partial(run, name, *way) for name, way in ways.items()}
    title = f"SAM ViT-B encoder, {side} x {side}"
    report.compare(title, measures, repeats, unit="images/s", baseline="segment_anything, fp32", more_is_better=True)
    for name, peak in peaks.items():
        report.note(f"SAM encoder, {name}: peak memory above the weights, MiB", round(peak))


def main() -> None:
    """Measure and write the figures on the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="64 pixels, a few steps, on whatever there is")
    parser.add_argument("--repeats", type=int, default=3, help="values per way")
    parser.add_argument("--draws", type=int, default=40, help="views per epoch")
    given = parser.parse_args()
    if not torch.cuda.is_available() and not given.small:
        parser.exit(2, "error: no CUDA device here; --small runs the same on the CPU, to see that it works\n")
    cv2.setNumThreads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    side, draws, repeats = (64, 4, 1) if given.small else (1024, given.draws, given.repeats)
    report = Report(name="gpu-small" if given.small else "gpu")
    torch.backends.cudnn.benchmark = True
    steps(report, device, side, draws, repeats)
    views(report, device, side, repeats)
    epochs(report, device, side, draws, repeats)
    sam(report, device, side, repeats)
    report.write()


if __name__ == "__main__":
    main()
