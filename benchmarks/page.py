"""Writes ``docs/performance.md`` from the figures in ``benchmarks/results``: ``python -m benchmarks.page``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.report import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
HEAD = """# Performance

Every figure below was measured by the command beside it, which does the same work in several ways in one run; the page
is written from `benchmarks/results/*.json` by `python -m benchmarks.page`. Machines like these are shared and noisy:
times of two runs are not comparable, ratios within a run are: "times better than" is above 1 where a way is faster, or
takes less, than the one named. No test asserts a time.

**No figure of a GPU is here yet**: `python -m benchmarks.gpu` measures everything that a GPU decides in one command,
without Ray, and has only been run on a CPU so far (`--small`), to see that it works.
"""
CHAPTERS = {
    "sweep": (
        "Whole sweeps",
        "Twelve short trials, tiny models, two architectures and six recipes each, as a whole process: tilesweep, "
        "a Ray Tune function trainable with a DataLoader over JPEGs as its documentation teaches, Optuna in one "
        "process, and a process a trial. Then fewer, longer trials. tilesweep reuses actors, which have imported "
        "torch, starts them side by side, and decodes tiles once.",
    ),
    "start": (
        "How soon things begin",
        "`--help` and `--plan` load only what they print. An actor that has served a trial starts the next one "
        "without importing anything, and keeps a frozen encoder that the next trial needs, too. Tiles lie once in "
        "a node's shared memory, however many trials read them.",
    ),
    "augment": (
        "Augmentation on the CPU",
        "One thread. albumentations draws the parameters either way; symmetry and affine map become one warp of "
        "four channels over a mirrored margin, colour operations become tables of bytes, fog is one pass instead "
        "of thousands, the elastic field is drawn as coarsely as it is smooth. On the same seed both make the "
        "same view, up to rounding; fog and elastic are drawn from the same distribution.",
    ),
    "step": (
        "Training steps on the CPU",
        "256-pixel crops, two threads. On a CPU the arithmetic of the model dominates; the loop around it is "
        "built for GPUs: nothing in an epoch waits for the device, views are augmented on it, and validation is "
        "batched.",
    ),
    "sam": (
        "SAM's encoder, and features that are kept",
        "Attention by `scaled_dot_product_attention` with the relative-position bias. A view that comes again, "
        "all of val and the eight symmetries of whole tiles under LIGHT, is encoded once a node and read from "
        "disk after that (`TILESWEEP_FEATURES_GB`, 20 by default, 0 turns it off).",
    ),
    "scale": (
        "Hundreds of trials",
        "No-op training: what the driver costs a trial, beside plain Ray Tune with reused actors.",
    ),
    "predict": (
        "Maps",
        "A GeoTIFF to its mask: tilesweep with parts and overviews, and one window at a time, averaged on the host. "
        "With models of a real size, two CPU cores do little but the model's arithmetic, which is the same for both; "
        "windows without data are not predicted; with a model of almost nothing, what the loop itself costs shows.",
    ),
    "gpu": (
        "On a GPU",
        "At 1024 x 1024 pixels with the paper's batches.",
    ),
}


def chapter(name: str, result: dict[str, Any]) -> str:
    """Write one benchmark's figures as Markdown."""
    title, text = CHAPTERS[name]
    machine = result["machine"]
    packages = machine["packages"]
    where = machine["gpu"] or f"{machine['cores']} cores, {machine['cpu']}"
    lines = [
        f"## {title}\n",
        f"{text}\n",
        f"`{result['command']}`, {machine['date'][:10]}, {where}, torch {packages['torch']}"
        + (f", Ray {packages['ray']}" if "ray" in packages else "")
        + f", commit {machine['commit']}.\n",
    ]
    for section in result["sections"]:
        heading = f"times better than {section['baseline']}"
        lines += [
            f"| {section['title']} | median [{section['unit']}] | min | max | {heading} |",
            "|---|--:|--:|--:|--:|",
        ]
        for way, values in section["ways"].items():
            figures = (f"{values[key]:.3g}" for key in ("median", "min", "max", "times_better"))
            lines.append(f"| {way} | {' | '.join(figures)} |")
        lines.append("")
    lines += [f"- {name}: {_plain(value)}" for name, value in result["notes"].items()]
    return "\n".join(lines).rstrip() + "\n"


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    if isinstance(value, dict):
        return "; ".join(f"{name} {_plain(one)}" for name, one in value.items())
    return str(value)


def main() -> None:
    """Write the page."""
    found = {name: RESULTS / f"{name}.json" for name in CHAPTERS}
    chapters = [chapter(name, json.loads(path.read_text())) for name, path in found.items() if path.exists()]
    PAGE.write_text("\n".join([HEAD, *chapters]))


if __name__ == "__main__":
    main()
