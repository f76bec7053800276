"""Which tiles a report shows: the hardest ones that have something to find."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from sweep.records.experiment import Experiment
from sweep.report.blocks import Gallery
from sweep.report.data import ReportData
from sweep.report.gallery import galleries
from tests.cases.experiments import write_experiment
from trainables.overlays import mask_picture
from trainables.task import Task

SCORES = (0.0, 0.5, 0.3, 0.9, 0.4, 0.7)
"""Of six val tiles, v0 to v5."""


def _write(folder: Path, bare: tuple[str, ...]) -> Experiment:
    experiment = write_experiment(folder, val={"unet": SCORES})
    for number in range(len(SCORES)):
        mask = np.zeros((64, 64), np.uint8)
        if f"v{number}" not in bare:
            mask[8:24, 8:24] = 1
        for kind, one in (("truth", mask), ("masks", np.ones_like(mask))):
            content = io.BytesIO()
            mask_picture(one, Task()).save(content, "png")
            experiment.write(f"unet/predictions/val/{kind}/v{number}.png", content.getvalue())
    return experiment


def _shown(experiment: Experiment) -> Gallery:
    section = galleries(ReportData.read(experiment))
    assert section
    (block,) = section.blocks
    assert isinstance(block, Gallery)
    return block


@pytest.mark.parametrize(
    ("bare", "names", "passed"),
    [
        ((), ["v0", "v2", "v4"], ""),
        (("v0",), ["v2", "v4", "v1"], "1 harder tile without foreground left out"),
        (("v0", "v4"), ["v2", "v1", "v5"], "2 harder tiles without foreground left out"),
        (("v3",), ["v0", "v2", "v4"], ""),
        (("v0", "v1", "v2", "v4"), ["v5", "v3", "v0"], ""),
    ],
)
def test_the_hardest_tiles_that_show_foreground_come_first(
    tmp_path: Path, bare: tuple[str, ...], names: list[str], passed: str
) -> None:
    shown = _shown(_write(tmp_path, bare))
    assert [tile.name for tile in shown.tiles] == names
    notes = " ".join(shown.notes)
    assert passed in notes if passed else "foreground" not in notes
