"""From a model to a file that was compared with it; nothing is left behind where that fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from sweep.export.formats import ExportedFile, Format, prepare
from sweep.export.int8_file import typical_windows
from sweep.export.metadata import describe, measured, quantized
from sweep.export.network import choose_side
from sweep.export.parity import Parity, compare, predict
from sweep.records.calibrations import CalibrationShape
from sweep.results.trained_models import TrainedModel
from sweep.results.unseen_data import unseen_layout
from trainables.calibration import Calibration, counts_for
from trainables.data.manifest import metres_in
from trainables.data.tiles import TuningData
from trainables.errors import DataError, ExperimentError
from trainables.held_out import fold_models, labelled, unseen_tiles
from trainables.scoring import Forward, forward_on

NOISE_SIDE = 256
"""Side in pixels of the noise that a file of any size is tried with once more, at most."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A finished file.

    Attributes:
        metadata: What it says of itself.
        parity: How it compares with its model.
        calibration: What probabilities of the tiles that the model has not seen are worth.
        bytes: Its size.
    """

    metadata: dict[str, Any]
    parity: Parity
    calibration: Calibration
    bytes: int


@contextmanager
def temporary_name(out: Path) -> Iterator[Path]:
    """Give a name beside ``out`` with the same ending, and delete what has it at the end.

    Raises:
        ExperimentError: Files cannot be written there; found out before the block runs.
    """
    path = out.with_name(f".{out.stem}.{os.getpid()}{out.suffix}")
    try:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError as error:
            raise _unwritable(out, error) from error
        yield path
    finally:
        with suppress(OSError):  # its folder is gone or is none
            path.unlink(missing_ok=True)


def _unwritable(out: Path, error: OSError) -> ExperimentError:
    return ExperimentError(f"--out {out}: cannot be written ({error.strerror}); choose another file")


def produce(
    chosen: TrainedModel,
    data: TuningData,
    out: Path,
    *,
    name: Format,
    size: int | None,
    opset: int | None,
    deepness: bool = False,
    calibration: CalibrationShape | None = None,
    int8: bool = False,
) -> Exported:
    """Export a model, compare the file with it on whole tiles, and only then give it its name.

    The tiles are those of val, or of the fold that the model has not seen. The mean of several folds' models has seen
    all of them, and so has a model that was trained on all tiles: they are compared on val, and calibrated out of fold,
    each tile by the model of the fold that left it out.

    Args:
        chosen: The model.
        data: The tiles that it was tuned on.
        out: The file; replaced where it is there.
        name: The format.
        size: Fixed side of the input in pixels; None leaves the choice to the architecture.
        opset: ONNX operator set; None for another format.
        deepness: ONNX as the QGIS plugin Deepness reads it: of a fixed side.
        calibration: What sets its probabilities right; None leaves them.
        int8: ONNX that computes with bytes, whose ranges are taken from train tiles.

    Raises:
        ExperimentError: The file cannot be written, or differs from the model.
        DataError: The model was tuned on other tiles.
        WeightsError: A fixed encoder cannot be rebuilt.
    """
    with temporary_name(out) as path:
        model, best = chosen.load()
        if best.data_fingerprint != data.fingerprint:
            raise DataError(
                f"--patches: {data.name} is not the data that {chosen.name} was trained on "
                f"({data.fingerprint[:12]}..., not {best.data_fingerprint[:12]}...); name that dataset's folder"
            )
        recipe = best.recipe
        side = choose_side(model, recipe, (*data.train, *data.val), size)
        reference = forward_on(model, torch.device("cpu"), torch.float32)
        temperature = 1.0 if calibration is None else calibration["temperature"]
        if deepness:
            from sweep.export.deepness_file import clamped

            side, reference = side or recipe.crop_size, clamped(reference, temperature)
        metres = metres_in(data.sheet)
        windows = typical_windows(data.train, side or recipe.crop_size) if int8 else []
        file = prepare(
            name,
            model,
            best,
            side=side,
            opset=opset,
            deepness=deepness,
            metres=metres,
            temperature=temperature,
            windows=windows,
        )
        tested = _write(file, path, {}, out)
        logits = partial(predict, window=side or recipe.crop_size, fixed=side is not None, batch_size=recipe.batch_size)
        counts = counts_for(best.task)
        together = len(best.folds) > 1 or best.refit
        of_folds, told = chosen.folds().load() if best.refit else (model, best)
        tiles = labelled(data.val) if together else unseen_tiles(best, data)
        parity = compare(
            logits(reference, tiles), logits(tested, tiles), tiles, best.task, None if together else counts
        )
        parity.require(str(out), int8=int8)
        counted = [] if together else [tile.name for tile in tiles]
        if together:
            for one, of_fold in fold_models(of_folds, told):
                left_out = unseen_tiles(of_fold, data)
                forward = forward_on(one, torch.device("cpu"), torch.float32)
                for tile, predicted in zip(left_out, logits(forward, left_out), strict=True):
                    counts.add(predicted, tile.mask)
                    counted.append(tile.name)
        worth = counts.result()
        metadata = describe(chosen, best, data, side=side, opset=opset, deepness=deepness, calibration=calibration)
        if int8:
            metadata |= quantized(data.train, len(windows))
        layout = unseen_layout(chosen.experiment, told, counted)
        metadata |= measured(worth, parity, told, counted, layout, refit=best.refit)
        square = side or min(recipe.crop_size, NOISE_SIDE)
        shape = (2, len(best.imagery.bands), square, square)
        _require_same(tested, _write(file, path, metadata, out), shape, out)
        try:
            path.replace(out)
        except OSError as error:
            raise _unwritable(out, error) from error
    return Exported(metadata=metadata, parity=parity, calibration=worth, bytes=out.stat().st_size)


def _write(file: ExportedFile, path: Path, metadata: dict[str, Any], out: Path) -> Forward:
    """Write under the temporary name and open what was written."""
    try:
        file.write(path, metadata)
    except OSError as error:
        raise _unwritable(out, error) from error
    return file.open(path)


def _require_same(tested: Forward, final: Forward, shape: tuple[int, ...], out: Path) -> None:
    """Refuse a file that is not the compared one with metadata added: an image of noise gives the same bits."""
    noise = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    if not torch.equal(tested(noise), final(noise)):
        raise ExperimentError(f"{out}: differs from what was compared, nothing was written; export it again")
