"""SAM's encoder beside ``segment_anything``'s own, and what keeping features saves.

Run with ``python -m benchmarks.sam``; about five minutes on two CPU cores and 6 GB of memory. Random weights: neither
time nor memory depends on them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import torch

from benchmarks.loops import library_features, random_weights
from benchmarks.report import Report, seconds
from benchmarks.tiles import synthetic_tiles
from sweep.sealed.scoring import predict_test
from trainables.checkpoints import BestWeights, dump_best
from trainables.cross_validation import start_training
from trainables.data.tiles import TuningData
from trainables.features import FeatureCache
from trainables.fixed_encoder import FixedEncoder
from trainables.models.base import encoder_fingerprint
from trainables.models.sam_encoder import build_encoder, encode
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.training import Trainer

ROWS = ("probe:sam_vit_b_conv", "sam_vit_b_conv", "sam_vit_b_unet")
WAYS = {"segment_anything": library_features, "tilesweep": encode}


def encoder_and_input(side: int) -> tuple[torch.nn.Module, torch.Tensor]:
    """Build ViT-B with position biases that are not zero, and an image."""
    torch.manual_seed(0)
    encoder = build_encoder(Weights(kind="random"), tiny=False).eval()
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if "rel_pos" in name or "pos_embed" in name:
                parameter.normal_(0, 0.2)
    return encoder, torch.randn(1, 3, side, side)


def peak_above_weights(way: str, side: int) -> float:
    """Encode once in this process; return the MiB that it took above what it held before."""
    encoder, image = encoder_and_input(side)
    Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the peak so far
    before = resident_mib("VmRSS")
    with torch.inference_mode():
        WAYS[way](encoder, image, ())
    return resident_mib("VmHWM") - before


def resident_mib(field: str) -> float:
    """Return this process's resident memory, now (VmRSS) or at most (VmHWM), in MiB."""
    (line,) = (one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith(field))
    return int(line.split()[1]) / 1024


def measured_apart(way: str, side: int) -> float:
    """Return ``peak_above_weights`` of a fresh process."""
    command = [sys.executable, "-m", "benchmarks.sam", "--peak-of", way, "--side", str(side)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def attention(report: Report, side: int, repeats: int) -> None:
    """Compare features, time and memory of the encoder alone."""
    encoder, image = encoder_and_input(side)
    with torch.inference_mode():
        theirs, ours = (way(encoder, image, ())[0] for way in WAYS.values())
        report.note("relative difference of features, fp32", float((theirs - ours).norm() / theirs.norm()))
        report.note("largest difference of a feature, fp32", float((theirs - ours).abs().max()))
        times = {name: partial(seconds, partial(way, encoder, image, ())) for name, way in WAYS.items()}
        title = f"ViT-B forward, {side} x {side}, fp32, CPU"
        report.compare(title, times, repeats, unit="s", baseline="segment_anything")
    peaks = {name: partial(measured_apart, name, side) for name in WAYS}
    title = f"peak memory above the weights, {side} x {side}, fp32, CPU"
    report.compare(title, peaks, 1, unit="MiB", baseline="segment_anything")


def kept_features(report: Report, side: int, repeats: int) -> None:
    """Compare an epoch's features from the encoder and from the disk, and whole epochs."""
    with synthetic_tiles((3, 2, 1), side) as patches, tempfile.TemporaryDirectory() as cache:
        data = TuningData.read(patches)
        for name in ("sam_vit_b_conv", "sam_vit_b_unet"):
            recipe = Recipe(architecture=name, crop_size=side, augmentation="LIGHT", draws_per_epoch=8, batch_size=2)
            weights = random_weights(name)
            device = torch.device("cpu")
            plain = Trainer(recipe, data, device, weights)
            kept = Trainer(recipe, data, device, weights, features=FeatureCache(Path(cache)))
            batches = [batch.images for batch in kept._batches.epoch(1)]
            encoder = kept.fixed_encoder
            assert encoder is not None
            for batch in batches:
                encoder.encode_kept(batch)
            kept.validate()

            def encoded(trainer: Trainer = plain, batches: list[torch.Tensor] = batches) -> None:
                for batch in batches:
                    trainer.model.encode(batch.float().div_(255))  # type: ignore[operator]

            def read(encoder: FixedEncoder = encoder, batches: list[torch.Tensor] = batches) -> None:
                for batch in batches:
                    encoder.encode_kept(batch)

            def epoch(trainer: Trainer) -> None:
                trainer.epoch = 0
                trainer.train_epoch()

            title = f"{name}: features of an epoch of 8 draws, {side} x {side}"
            ways = {"encoded": partial(seconds, encoded), "kept": partial(seconds, read)}
            report.compare(title, ways, repeats, unit="s", baseline="encoded")
            title = f"{name}: whole epoch with its decoder's training and two val tiles, {side} x {side}"
            ways = {"encoded": partial(seconds, partial(epoch, plain)), "kept": partial(seconds, partial(epoch, kept))}
            report.compare(title, ways, repeats, unit="s", baseline="encoded")


def shared_encoder(report: Report, repeats: int) -> None:
    """Compare scoring the rows of one encoder each by itself with one look at the tiles for all of them."""
    with synthetic_tiles((1, 1, 1), 512) as patches, tempfile.TemporaryDirectory() as folder:
        data = TuningData.read(patches)
        files = [_untrained(name, data) for name in ROWS]
        scores: dict[str, list[float]] = {}

        def score(way: str) -> float:
            started = time.process_time()
            features = FeatureCache(Path(tempfile.mkdtemp(dir=folder))) if way == "one look" else None
            beside = ROWS if features else None
            found = [
                predict_test(file, data.val, "", device="cpu", features=features, beside=beside)[0] for file in files
            ]
            scores[way] = [float(one.iou) for one in found]
            return time.process_time() - started

        ways = {way: partial(score, way) for way in ("each by itself", "one look")}
        title = "probe, conv and U-Net decoder on SAM ViT-B: scores of a whole tile, 512 x 512 in windows of 256"
        report.compare(title, ways, repeats, unit="s of CPU", baseline="each by itself")
        differences = [abs(one - other) for one, other in zip(*scores.values(), strict=True)]
        report.note("largest difference of a score, fp32", max(differences))


def _untrained(name: str, data: TuningData) -> bytes:
    """Return a weights file of a model as it begins; a probe is fitted."""
    recipe = Recipe(
        architecture=name, crop_size=256, validation_crop=256, batch_size=2, draws_per_epoch=2, max_epochs=1
    )
    trainer = start_training(recipe, data, (), torch.device("cpu"), Weights(kind="random", needs="sam-vit-b"))
    if name == ROWS[0]:
        trainer.train_epoch()
    best = BestWeights(
        recipe=recipe,
        weights=trainer.weights,
        epoch=1,
        val_iou=None,
        data_fingerprint=data.fingerprint,
        encoder_sha256=encoder_fingerprint(trainer.model),
    )
    return dump_best(trainer.model.portable_state_dict(), best)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=1024, help="pixels per side of the encoder's image")
    parser.add_argument(
        "--kept-side", type=int, default=512, help="pixels per side of the tiles whose features are kept"
    )
    parser.add_argument("--repeats", type=int, default=3, help="values per way")
    parser.add_argument("--rows", action="store_true", help="only what rows on one encoder share")
    parser.add_argument("--peak-of", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peak_of:
        sys.stdout.write(f"{peak_above_weights(given.peak_of, given.side)}\n")
    elif given.rows:
        rows = Report(name="sam-rows")
        shared_encoder(rows, given.repeats)
        rows.write()
    else:
        found = Report(name="sam")
        attention(found, given.side, given.repeats)
        kept_features(found, given.kept_side, given.repeats)
        found.write()
