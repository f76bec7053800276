"""Every architecture beyond the grid, through every phase and every command, on road scenes of four classes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.commands import Run, assert_refused
from tests.conftest import ROOT
from tests.models import LIKE_OTHERS
from trainables.models.registry import ARCHITECTURES, get_architecture

pytestmark = pytest.mark.slow

OWN = """
import segmentation_models_pytorch as smp


def build(recipe, channels):
    return smp.Linknet("resnet18", encoder_weights=None, classes=channels)
"""
BUILT_IN = [
    "unet_bilinear",
    "resnet34_unet",
    "torchvision_deeplabv3_resnet50",
    "segformer_b0",
    "mobile_sam_conv",
    "sam_vit_b_unet_lora",
    "convnext_tiny_upernet",
    "dinov3_vit_s_dpt",
    "dinov3_vit_s_dpt_lora",
    "sam2_hiera_t_unet",
    *(["sam2_hiera_t_conv"] if find_spec("sam2") else []),
]
FAMILIES = ["smp:UnetPlusPlus/efficientnet-b3", "my_models.py:build"]
NAMES = [*BUILT_IN, *FAMILIES]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """A folder with road scenes, an architecture of one's own, and a finished, scored sweep of them all."""
    folder = tmp_path_factory.mktemp("architectures")
    (folder / "my_models.py").write_text(OWN)
    made = run(
        "patches", "synthesize", "--kind", "roads", "--dst", "roads", "--counts", "5,2,2", "--size", "64", cwd=folder
    )
    assert made.returncode == 0, made.stderr
    where = ("--profile", "smoke", "--patches", "roads", "--name", "all")
    swept = run("phase1", *where, "--architectures", ",".join(NAMES), cwd=folder)
    assert swept.returncode == 0, swept.stdout + swept.stderr
    scored = run("score", "all", "--trust-code", cwd=folder)
    assert scored.returncode == 0, scored.stderr
    return folder


def _slug(name: str) -> str:
    return "my_models-build" if name == "my_models.py:build" else get_architecture(name).slug


def test_all_of_them_are_in_the_leaderboard_and_the_report(folder: Path, run: Run) -> None:
    assert run("report", "all", cwd=folder).returncode == 0
    page = (folder / "ray_results" / "all" / "report.html").read_text()
    for name in NAMES:
        title = "my_models" if name == "my_models.py:build" else get_architecture(name).title
        assert title in page, name


@pytest.mark.parametrize("name", NAMES)
def test_it_predicts_what_it_was_scored_on(folder: Path, run: Run, name: str, tmp_path: Path) -> None:
    trial = f"all/{_slug(name)}"
    done = run("predict", "roads/test/images", "--model", trial, "--out", tmp_path, "--trust-code", cwd=folder)
    assert done.returncode == 0, done.stderr
    for kept in (folder / "ray_results" / trial / "predictions" / "test" / "masks").iterdir():
        made = tmp_path / f"{kept.stem}_mask.png"
        from PIL import Image, ImageChops

        assert ImageChops.difference(Image.open(kept), Image.open(made)).getbbox() is None


@pytest.mark.parametrize("name", NAMES)
def test_it_exports(folder: Path, run: Run, name: str, tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    done = run("export", "--model", f"all/{_slug(name)}", "--out", out, "--trust-code", cwd=folder)
    assert done.returncode == 0 and "0 of " in done.stdout, done.stdout + done.stderr


def test_phases_2_and_3_take_them(folder: Path, run: Run) -> None:
    names = ",".join(["resnet34_unet", *FAMILIES])
    where = ("--profile", "smoke", "--patches", "roads", "--architectures", names)
    second = run("phase2", *where, "--trials", "6", "--name", "search", cwd=folder)
    assert second.returncode == 0, second.stdout + second.stderr
    recipes = folder / "ray_results" / "search" / "best_recipes.toml"
    third = run(
        "phase3",
        *where,
        "--tiles",
        "2,5",
        "--draws",
        "1",
        "--recipes",
        recipes,
        "--name",
        "budgets",
        "--trust-code",
        cwd=folder,
    )
    assert third.returncode == 0, third.stdout + third.stderr
    again = run("phase3", "--resume", "budgets", cwd=folder)
    assert_refused(again, "it has ended")


def test_a_file_that_changed_is_refused(folder: Path, run: Run, tmp_path: Path) -> None:
    file = folder / "my_models.py"
    try:
        file.write_text(OWN + "\n# changed\n")
        words = ("--model", "all/my_models-build", "--out", tmp_path, "--trust-code")
        done = run("predict", "roads/test/images", *words, cwd=folder)
        assert_refused(done, "is not the file that these weights were trained with; bring that one back")
    finally:
        file.write_text(OWN)


def test_one_that_breaks_is_refused_before_any_trial(folder: Path, run: Run) -> None:
    (folder / "broken.py").write_text(OWN.replace("classes=channels", "classes=channels + 1"))
    done = run("phase1", "--profile", "smoke", "--patches", "roads", "--architectures", "broken.py:build", cwd=folder)
    assert_refused(done, "forward returns the shape (2, 5, 64, 64); return (2, 4, h, w) logits")
    assert not list((folder / "ray_results").glob("phase1-smoke*"))


def test_every_built_in_beyond_the_grid_was_tried() -> None:
    known = {name for name in ARCHITECTURES if name not in LIKE_OTHERS}
    grid = {"unet", "smp_unet_resnet34", "smp_deeplabv3plus_resnet34"}
    grid |= {f"smp_unet_efficientnet_lite{size}" for size in range(3)}
    grid |= {"sam_vit_b_conv", "sam_vit_b_unet", "sam2_hiera_t_conv"}
    assert known - grid <= set(NAMES), ROOT
