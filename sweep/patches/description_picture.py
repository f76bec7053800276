"""The picture beside a dataset's description: class balance, colours, sharpness and drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np

from sweep.patches.description import CHANNELS, LARGE, Drift, SplitLook
from trainables.task import Task

SHADES = {"train": "#0072B2", "val": "#E69F00", "test": "#009E73"}
"""Blue, orange, green, told apart with every common colour blindness. Source: Okabe and Ito 2008."""


def draw_picture(title: str, looks: Mapping[str, SplitLook], drifts: Sequence[Drift], task: Task) -> bytes:
    """Draw four charts as PNG.

    Args:
        title: Written at the top.
        looks: Split to what it looks like.
        drifts: How val and test differ from train.
        task: What the masks mean.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    features = list(dict.fromkeys(drift.feature for drift in drifts))
    height = 8 + 0.15 * max(0, len(features) - 8)
    figure = Figure(figsize=(12, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, parse_math=False)
    balance, colours, sharpness, drift = figure.subplots(2, 2).flat
    _draw_balance(balance, looks, task)
    _draw_colours(colours, looks)
    _draw_sharpness(sharpness, looks)
    _draw_drift(drift, features, drifts)
    for axes in (balance, colours, sharpness, drift):
        axes.spines[["top", "right"]].set_visible(False)
    data = BytesIO()
    figure.savefig(data, format="png", dpi=110)
    return data.getvalue()


def _draw_balance(axes: Any, looks: Mapping[str, SplitLook], task: Task) -> None:
    places = np.arange(len(task.classes))
    for number, (split, look) in enumerate(looks.items()):
        bars = axes.barh(places + (number - 1) * 0.27, 100 * look.shares, 0.25, color=SHADES[split], label=split)
        axes.bar_label(bars, fmt="%.1f", padding=2, fontsize=7)
    names = [name if len(name) <= 24 else f"{name[:23]}…" for name in task.classes]
    axes.set_yticks(places, names, parse_math=False)
    axes.invert_yaxis()
    axes.set_title("class balance: % of labelled pixels")
    axes.legend(frameon=False)


def _draw_colours(axes: Any, looks: Mapping[str, SplitLook]) -> None:
    for number, (split, look) in enumerate(looks.items()):
        places = np.arange(len(CHANNELS)) + (number - 1) * 0.2
        axes.errorbar(places, look.means, look.deviations, fmt="o", capsize=4, color=SHADES[split], label=split)
    axes.set_xticks(range(len(CHANNELS)), CHANNELS)
    axes.set_ylim(0, 255)
    axes.set_title("colours: mean and standard deviation of all pixels")


def _draw_sharpness(axes: Any, looks: Mapping[str, SplitLook]) -> None:
    for number, (split, look) in enumerate(looks.items()):
        values = np.sort(look.features["sharpness"])
        spread = (np.arange(len(values)) % 5 - 2) * 0.06
        axes.plot(values, number + spread, "o", color=SHADES[split], alpha=0.6, markeredgewidth=0)
        axes.plot([np.median(values)] * 2, [number - 0.25, number + 0.25], color="black")
    axes.set_yticks(range(len(looks)), list(looks))
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_title("sharpness a tile: variance of the Laplacian; bar: median")


def _draw_drift(axes: Any, features: Sequence[str], drifts: Sequence[Drift]) -> None:
    for number, split in enumerate(("val", "test")):
        found = {drift.feature: drift.difference for drift in drifts if drift.split == split}
        values = np.nan_to_num([found[feature] for feature in features])
        places = np.arange(len(features)) + (number - 0.5) * 0.35
        axes.barh(places, values, 0.33, color=SHADES[split])
    for side in (-LARGE, LARGE):
        axes.axvline(side, color="grey", linestyle=":", linewidth=1)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(features)), [name[:32] for name in features], parse_math=False)
    axes.invert_yaxis()
    axes.set_title(f"drift from train in standard deviations; dotted: large ({LARGE})")
