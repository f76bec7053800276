"""``python -m sweep.export``: a trained model as a file for other programs, compared with the model first."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import arg

from sweep.cli.console import Command
from sweep.cli.marks import Bounds
from sweep.cli.options import StorageOptions, TrustOptions
from sweep.cli.output import Output, say
from sweep.export.formats import ENDINGS, Format, check_format
from sweep.records.calibrations import CalibrationShape, calibration_text, threshold_text
from sweep.records.outputs import require_free, sealed, write_files
from sweep.results.trained_models import TrainedModel, find_models, model_label
from sweep.sealed.next_step import trusting
from trainables.data.imagery import band_list
from trainables.errors import ExperimentError
from trainables.invocation import command
from trainables.models.trust import trust_everything
from trainables.recipe import MAX_FOLDS
from trainables.storage import Storage
from trainables.wording import counted

if TYPE_CHECKING:
    from sweep.export.production import Exported
    from trainables.calibration import Calibration

SIZE_MULTIPLE = 32
LARGEST_SIZE = 4096
"""Of ``--size`` in pixels."""


@dataclass(frozen=True, kw_only=True)
class ExportOptions(StorageOptions, TrustOptions):
    """Write a trained model as one file that takes bytes, gives logits, and says how to use it.

    The file is compared with the model on whole tiles, and written only if it gives the same.
    """

    model: Annotated[str, arg(metavar="NAME[/TRIAL]|FILE")]
    """An experiment (its best by val IoU), one of its trials, or a weights file, FILE.safetensors."""

    fold: Annotated[int | None, arg(metavar="K"), Bounds(1, MAX_FOLDS)] = None
    """Only the K-th fold's model; default: the mean of all folds' models."""

    refit: bool = False
    """The model that the sweep's --refit trained on all tiles."""

    format: Format = "onnx"
    """onnx: for onnxruntime and the like; torch: a program for torch.export.load; safetensors: all tensors, for
    tilesweep on any machine."""

    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """Where to write; default: NAME-TRIAL.onnx, .pt2 or .safetensors here, NAME-TRIAL-foldK with --fold."""

    overwrite: bool = False
    """Replace the file if it is there."""

    int8: bool = False
    """ONNX that computes with bytes, calibrated on train tiles; refused if its val IoU differs by more than 0.01."""

    opset: Annotated[int | None, arg(metavar="N")] = None
    """ONNX operator set, 18 to 23; default: 18, which most programs read."""

    size: Annotated[int | None, arg(metavar="PIXELS")] = None
    """Fix the input's height and width, a multiple of 32; default: any multiple of 32, for SAM and Lite0 the
    size trained on."""

    for_program: Annotated[Literal["deepness"] | None, arg(name="for", metavar="deepness")] = None
    """ONNX as a program reads it that has rules of its own: the QGIS plugin Deepness."""

    calibrated: bool = False
    """Write a temperature and a threshold into the file, fitted to tiles that the model has not seen."""

    patches: Annotated[Path | None, arg(metavar="DIR|URI")] = None
    """Where the dataset is now; default: where it was when the sweep ran."""


def main(options: ExportOptions, output: Output) -> int:
    """Run the command; returns its exit code."""
    if options.for_program and options.format != "onnx":
        raise ExperimentError(f"--for {options.for_program}: reads ONNX; leave --format {options.format} out")
    if options.int8 and (options.format != "onnx" or options.for_program):
        other = f"--for {options.for_program}" if options.for_program else f"--format {options.format}"
        raise ExperimentError(f"--int8: belongs to plain ONNX, not to {other}; leave one out")
    opset = check_format(options.format, options.opset)
    _check_size(options.size)
    _check_out(options.out, options)
    (chosen,) = find_models(Storage.open(options.storage), options.model, fold=options.fold, refit=options.refit)
    out = options.out or Path(_default_name(chosen, options.format, int8=options.int8))
    _check_out(out, options)
    if options.trust_code:
        trust_everything()
    patches = _patches(chosen, options)

    # Here, so that --help and refusals come without loading torch.
    from sweep.export.production import produce
    from trainables.data.tiles import TuningData

    data = TuningData.read(patches)
    say(
        output.console,
        "model",
        f"{model_label(chosen.name, chosen.fold, 0)}; the file is compared with it on whole tiles",
    )
    calibration = _calibration(chosen, patches, output) if options.calibrated else None
    exported = produce(
        chosen,
        data,
        out,
        name=options.format,
        size=options.size,
        opset=opset,
        deepness=bool(options.for_program),
        calibration=calibration,
        int8=options.int8,
    )
    beside = _write_beside(exported, chosen, out, options)
    for path in beside:
        say(output.results, "beside it", str(path))
    _say(exported, out, options.format, beside, output)
    if options.for_program:
        say(output.results, "in QGIS", f"Deepness: choose {out} as the model; all settings are read from it")
    elif options.format == "onnx":
        use = shlex.join(["python", "-m", "tilesweep.examples.use_exported", str(out), "image.png", "mask.png"])
        say(output.results, "without us", f"{use}; copied, that file needs onnxruntime and numpy alone")
    output.next(_predict(chosen, out, patches, options))
    return 0


def _calibration(chosen: TrainedModel, patches: Path, output: Output) -> CalibrationShape:
    """Return what sets the model's probabilities right, and say what it brings."""
    from sweep.results.calibrating import find_calibration
    from sweep.results.ensemble import Ensemble

    ensemble = Ensemble.load([chosen], device="cpu", batch_size=None, tta=False)
    found = find_calibration([chosen], ensemble, patches)
    say(output.results, "not calibrated" if "not_applied" in found else "calibrated", calibration_text(found))
    if found["threshold"] is not None:
        say(output.results, "its threshold", threshold_text(found))
    output.events.emit("calibrated", **found)
    return found


def _write_beside(exported: Exported, chosen: TrainedModel, out: Path, options: ExportOptions) -> list[Path]:
    """Write a model card and a STAC item; returns where they are."""
    from sweep.export.card import card_path, model_card, score_on_test
    from sweep.export.stac import stac_item, stac_path

    card, item = card_path(out), stac_path(out)
    text = model_card(exported.metadata, out, score_on_test(chosen))
    described = json.dumps(stac_item(exported.metadata, out, card))
    contents = {card: sealed(text.encode(), ".md"), item: sealed(described.encode(), ".json")}
    write_files(contents, overwrite=options.overwrite)
    return [card, item]


def _predict(chosen: TrainedModel, out: Path, patches: Path, options: ExportOptions) -> str:
    """Return the command that shows the model on the val tiles: from the exported file where predict reads that."""
    folders = [patches / "val" / name for name in ("images", "imgs")]
    images = next((one for one in folders if one.is_dir()), folders[0])
    words = [str(images), "--model", str(out) if options.format == "safetensors" else options.model, "--out", "maps"]
    if chosen.experiment and options.format != "safetensors":
        words += [*trusting(chosen.experiment.description), *chosen.experiment.storage_words]
    return command("predict", *words)


def _check_size(size: int | None) -> None:
    if size is not None and (size % SIZE_MULTIPLE or not SIZE_MULTIPLE <= size <= LARGEST_SIZE):
        raise ExperimentError(f"--size {size}: give a multiple of {SIZE_MULTIPLE} up to {LARGEST_SIZE}")


def _check_out(out: Path | None, options: ExportOptions) -> None:
    """Refuse a name with another format's ending, and one that is taken."""
    if out is None:
        return
    ending = ENDINGS[options.format]
    if out.suffix != ending:
        raise ExperimentError(f"--out {out}: must end in {ending} with --format {options.format}")
    require_free(out, overwrite=options.overwrite)
    for name, kind in ((f"{out.name}.md", ".md"), (f"{out.name}.stac.json", ".json")):
        require_free(out.with_name(name), overwrite=options.overwrite, ending=kind)


def _default_name(chosen: TrainedModel, name: Format, *, int8: bool) -> str:
    stem = chosen.name if chosen.experiment else Path(chosen.name).stem
    fold = f"-fold{chosen.fold}" if chosen.fold else ""
    return stem.replace("/", "-") + fold + ("-int8" if int8 else "") + ENDINGS[name]


def _patches(chosen: TrainedModel, options: ExportOptions) -> Path:
    """Return the dataset's folder."""
    if options.patches is not None:
        return options.patches
    if chosen.experiment is None:
        raise ExperimentError(
            f"--model {options.model}: a weights file does not say where its tiles are; name them with --patches DIR"
        )
    return Path(chosen.experiment.description["data"]["path"])


def _say(exported: Exported, out: Path, name: Format, beside: list[Path], output: Output) -> None:
    """Print what was written and how good it is."""
    metadata, parity, calibration = exported.metadata, exported.parity, exported.calibration
    fixed = metadata["size"]["fixed"]
    sides = f"{fixed}x{fixed}" if fixed else f"any multiples of {SIZE_MULTIPLE}"
    opset = f", opset {metadata['opset']}" if metadata["opset"] else ""
    opset += ", int8" if metadata["precision"] == "int8" else ""
    lines = {
        "written": f"{out} ({exported.bytes / 1e6:.1f} MB, {name}{opset})",
        "input": f"image: {metadata['input']['dtype']} {bands_in_words(metadata)}, {sides}; windows of "
        f"{metadata['windows']['side']}",
        "output": f"{metadata['output']['name']}: float32 (batch, {metadata['output']['shape'][1]}, height, width)",
        **_decision(metadata, calibration),
        "calibration": f"expected calibration error {calibration.calibration_error:.4f} on the same tiles",
        "parity": f"largest logit difference {parity.logit_difference:.1e}, IoU difference "
        f"{parity.iou_difference:+.4f}, {parity.flipped_text}",
        "licences": f"weights: {metadata['weights']['licence']}; data: {metadata['data']['licence']}",
    }
    for label, text in lines.items():
        say(output.results, label, text)
    output.events.emit(
        "exported",
        path=str(out),
        bytes=exported.bytes,
        format=name,
        beside=[str(path) for path in beside],
        metadata=metadata,
    )


def bands_in_words(metadata: dict[str, Any]) -> str:
    """Return the bands and the shape of the input: ``RGB (batch, 3, height, width)``."""
    bands = metadata["input"]["bands"]
    scaled = " scaled from the imagery's values" if metadata["input"]["scale"] else ""
    return f"{band_list(bands)}{scaled} (batch, {len(bands)}, height, width)"


def _decision(metadata: dict[str, Any], calibration: Calibration) -> dict[str, str]:
    """Say how logits become a mask, and how good that is."""
    which = "out-of-fold" if metadata["folds"] or metadata["refit"] else "val"
    count = counted(len(metadata["val"]["tiles"]), "tile")
    at_half = f"{which} IoU {calibration.iou_at_half:.4f}"
    if calibration.threshold is None:
        return {"classes": f"{', '.join(metadata['classes'])}: the largest logit decides; {at_half} ({count})"}
    best = f"best {calibration.threshold:.3f}: {calibration.iou:.4f}"
    return {"threshold": f"0.5: {at_half}; {best} ({count})"}


COMMAND = Command(
    name="export",
    options=ExportOptions,
    main=main,
    examples={
        "--model phase1-demo": "its best as ONNX",
        "--model phase1-demo/unet --format torch --out unet.pt2": "one trial, for PyTorch",
    },
)
