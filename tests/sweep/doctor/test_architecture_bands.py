"""``doctor --architecture`` tries a model on images of as many bands as the tiles of ``--patches``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bands import WORDS, write_nir
from tests.commands import Run
from trainables.models import contract


def test_an_architecture_is_tried_with_the_tiles_bands(
    here: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = list[int]()

    def examine(model: contract.ModelUnderTest) -> list[object]:
        tried.append(model.images(1).shape[1])
        return []

    monkeypatch.setattr(contract, "examine", examine)
    patches = write_nir(tmp_path / "nir", WORDS)
    done = here("doctor", "--architecture", "unet", "--patches", patches)
    assert done.returncode == 0, done.stderr
    assert "images are of 4 bands of uint16 (red, green, blue, nir), as in" in done.stdout
    done = here("doctor", "--architecture", "unet", "--patches", tmp_path / "none")
    assert done.returncode == 0 and "bands" not in done.stdout
    assert tried == [4, 3]


def test_sam_is_told_that_it_does_not_fit(here: Run, tmp_path: Path) -> None:
    patches = write_nir(tmp_path / "nir", WORDS)
    done = here("doctor", "--architecture", "sam_vit_b_conv", "--patches", patches)
    assert done.returncode == 2 and "its encoder takes three bands, and the images have 4" in done.stdout + done.stderr
