"""Who cannot train on tiles of other bands than three, and what is said of such tiles before a sweep."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from sweep.planning.bands import bands_in_words, require_bands
from tests.bands import BYTES, WORDS, write_nir
from tests.commands import Run
from trainables.data.imagery import RGB, Imagery
from trainables.data.tiles import TuningData
from trainables.errors import RecipeError
from trainables.models.registry import ARCHITECTURES, GRID_OF_FIVE

FOUNDATION = ("sam_", "sam2_", "mobile_sam_", "dinov3_")
"""What the names of foundation models begin with."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TuningData:
    return TuningData.read(write_nir(tmp_path_factory.mktemp("nir") / "patches", BYTES))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_foundation_model_and_no_other_is_refused(data: TuningData, architecture: str) -> None:
    require_bands([architecture], replace(data, imagery=RGB))
    if not architecture.startswith(FOUNDATION):
        require_bands([architecture], data)
        return
    with pytest.raises(RecipeError, match=rf"leave {architecture} out with --architectures unet, or make the tiles"):
        require_bands([architecture], data)


def test_three_bands_of_other_names_are_three_bands(data: TuningData) -> None:
    require_bands(GRID_OF_FIVE, replace(data, imagery=Imagery(bands=("nir", "red", "green"))))


def test_what_the_refusal_advises_is_taken(data: TuningData) -> None:
    with pytest.raises(RecipeError, match="nir: its tiles have 4 bands of uint8") as refused:
        require_bands(GRID_OF_FIVE, data)
    advised = re.findall(r"--architectures (\S+), or", str(refused.value))[0].split(",")
    assert advised == ["unet", "smp_unet_resnet34", "smp_deeplabv3plus_resnet34"]
    require_bands(advised, data)


def test_bands_are_named_with_what_augmentation_does_to_them() -> None:
    assert bands_in_words(WORDS) == (
        "4 bands of uint16 (red, green, blue, nir); augmentation changes the colours of red, green and blue alone"
    )
    assert bands_in_words(Imagery(bands=("nir", "red", "green"))) == (
        "3 bands of uint8 (nir, red, green): not red, green and blue, so augmentation changes no colours"
    )
    assert "augmentation" not in bands_in_words(Imagery(scale=((0, 9),) * 3, stored="uint16"))


def test_the_doctor_says_so_before_a_sweep_does(here: Run, tmp_path: Path) -> None:
    patches = write_nir(tmp_path / "patches", WORDS)
    flags = ("--profile", "smoke", "--patches", patches, "--storage", tmp_path / "results")
    refused = here("doctor", *flags)
    assert refused.returncode == 2
    said = " ".join(refused.stdout.split())
    assert "4 bands of uint16 (red, green, blue, nir), and encoders of foundation models take three" in said
    well = here("doctor", *flags, "--architectures", "unet")
    assert "3/2/2 synthetic train/val/test tiles of 64x64 pixels, 4 bands of uint16" in " ".join(well.stdout.split())
