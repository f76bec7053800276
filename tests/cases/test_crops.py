"""The crop that a plan shows is the crop that is used, whatever tiles a trial draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from optuna.distributions import CategoricalDistribution
from PIL import Image

from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.phase3.command import COMMAND
from sweep.planning.crops import crop_notes, fit_crops, require_same_crops
from sweep.planning.plan import StudyPlan, SweepPlan
from sweep.records.trials import TrialPlan
from tests.conftest import WriteDataset
from tests.reports import plan_of
from trainables.data.batches import Batches, views_repeat
from trainables.data.tiles import Tile, TuningData
from trainables.errors import ExperimentError
from trainables.losses.base import loss_of
from trainables.recipe import Recipe
from trainables.task import Task
from trainables.training import Trainer


def _tile(name: str, height: int, width: int, *, value: int = 1) -> Tile:
    random = np.random.default_rng([height, width])
    image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Tile(name=name, image=image, mask=np.full((height, width), value, dtype=np.uint8))


def _data(train: list[Tile], val: list[Tile] | None = None, task: Task | None = None) -> TuningData:
    return TuningData(
        train=tuple(train),
        val=tuple(val or [_tile("v", 128, 128)]),
        name="x",
        synthetic=True,
        fingerprint="0" * 64,
        task=task or Task(),
    )


def _trial(tiles: tuple[str, ...] = (), **changes: object) -> TrialPlan:
    recipe = shared_recipe("unet", get_profile("smoke")).replace(**changes)  # type: ignore[arg-type]
    return plan_of(recipe=recipe, tiles=tiles)


WIDE, NARROW = [_tile("a", 128, 128), _tile("b", 128, 160)], _tile("narrow", 128, 64)


def test_a_narrow_tile_is_padded_by_its_mirror_image_with_pixels_that_do_not_count() -> None:
    batches = Batches([NARROW], Recipe(crop_size=128, augmentation="LIGHT"))
    image, mask, _ = batches.choose(1, 0)
    assert image.shape == (128, 128, 3)
    assert np.array_equal(image[:, :64], NARROW.image)
    assert np.array_equal(image[:, 64:127], NARROW.image[:, 62::-1]), "mirrored: statistics stay the tile's own"
    assert (mask[:, :64] == 1).all() and (mask[:, 64:] == 255).all()


def test_the_crop_does_not_depend_on_which_tiles_a_draw_holds() -> None:
    recipe = Recipe(crop_size=128)
    for tiles in ([*WIDE, NARROW], WIDE, [NARROW]):
        assert {Batches(tiles, recipe).draw(1, index)[0].shape for index in range(6)} == {(128, 128, 3)}


def test_padding_changes_no_view_of_tiles_that_are_large_enough() -> None:
    recipe = Recipe(crop_size=64, augmentation="LIGHT")
    image, mask, _ = Batches(WIDE, recipe).choose(2, 5)
    random = np.random.default_rng([recipe.seed, 2, 5])
    tile = WIDE[int(random.integers(2))]
    top, left = (int(random.integers(side - 64 + 1)) for side in tile.mask.shape)
    assert np.array_equal(image, tile.image[top : top + 64, left : left + 64])
    assert (mask == 1).all()


@pytest.mark.parametrize("weights", ["none", "0.5,2"])
def test_padded_pixels_count_in_no_loss_of_a_binary_task(weights: str) -> None:
    recipe = Recipe(crop_size=128, class_weights=weights)
    loss = loss_of(recipe, Task(), [*WIDE, NARROW])
    logits, mask = torch.randn(2, 1, 128, 128), torch.randint(0, 2, (2, 1, 128, 128), dtype=torch.uint8)
    mask[..., 64:] = 255
    other = logits.clone()
    other[..., 64:] = 50.0
    alone = loss_of(recipe, Task(), WIDE)(logits[..., :64], mask[..., :64])
    assert loss(logits, mask) == pytest.approx(float(alone), abs=1e-6)
    assert loss(other, mask) == loss(logits, mask)


def test_a_training_on_narrow_tiles_learns_and_scores() -> None:
    recipe = shared_recipe("unet", get_profile("smoke")).replace(crop_size=128, validation_crop=0, draws_per_epoch=4)
    result = Trainer(recipe, _data([*WIDE, NARROW]), torch.device("cpu"), workers=1).train_epoch()
    assert np.isfinite(result.train_loss) and 0 <= result.val_iou <= 1


def test_whole_tiles_come_again_in_eight_views_also_padded() -> None:
    recipe = Recipe(crop_size=128, augmentation="LIGHT")
    assert views_repeat([_tile("a", 128, 128), NARROW], recipe)
    assert not views_repeat(WIDE, recipe), "160 pixels wide: cut at random"


def test_where_all_tiles_are_smaller_the_crop_is_reduced_once_for_the_whole_sweep() -> None:
    data = _data([*WIDE, NARROW])
    asked = SweepPlan(trials=(_trial(crop_size=1024), _trial(("narrow",), crop_size=1024)))
    plan = fit_crops(asked, data)
    assert [trial.recipe.crop_size for trial in plan.trials] == [128, 128], "also for a draw of the narrow tile alone"
    notes = crop_notes(asked, plan, data)
    assert notes[0] == "crop of 1024 px reduced to 128 px: no train tile is larger"
    assert "128 px are padded" in notes[1] and notes[1].endswith("narrow (64x128)")
    assert fit_crops(plan, data) == plan
    assert crop_notes(plan, plan, _data(WIDE)) == []


def test_a_crop_that_is_searched_stays_and_is_padded() -> None:
    space = {"crop_size": CategoricalDistribution((128, 256))}
    plan = SweepPlan(studies=(StudyPlan(template=_trial(crop_size=256), space=space, trials=2),))
    assert fit_crops(plan, _data(WIDE)) == plan
    (note,) = crop_notes(plan, plan, _data(WIDE))
    assert "256 px are padded" in note and "a (128x128), b (160x128)" in note


def test_val_tiles_without_a_labelled_centre_are_named() -> None:
    blank = _tile("blank", 128, 128)
    blank.mask[32:96, 32:96] = 255
    task = Task(ignores=True)
    plan = SweepPlan(trials=(_trial(validation_crop=64),))
    (note,) = crop_notes(plan, plan, _data(WIDE, [blank, _tile("v", 128, 128)], task))
    assert "central 64 px are scored each epoch around" in note and note.endswith("blank (128x128)")
    assert crop_notes(plan, plan, _data(WIDE, [_tile("v", 128, 128)], task)) == []


def test_a_sweep_of_the_version_that_cut_all_crops_is_not_continued_with_other_ones() -> None:
    plan = SweepPlan(trials=(_trial(crop_size=128),))
    with pytest.raises(ExperimentError, match=r"narrow \(64x128\).*another --name"):
        require_same_crops("old", plan, _data([*WIDE, NARROW]), padded=False)
    require_same_crops("old", plan, _data(WIDE), padded=False)
    require_same_crops("new", plan, _data([*WIDE, NARROW]), padded=True)


def test_the_plan_and_the_check_name_the_narrow_tile(
    tmp_path: Path, write_dataset: WriteDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    from sweep.patches.command import COMMAND as PATCHES

    patches = write_dataset(tmp_path / "tiles", size=96)
    for kind in ("images", "masks"):
        path = patches / "train" / kind / "t1.png"
        Image.open(path).crop((0, 0, 64, 96)).save(path)
    arguments = ["--profile", "demo", "--patches", str(patches), "--storage", str(tmp_path), "--plan"]
    with pytest.raises(SystemExit) as ended:
        COMMAND.run([*arguments, "--tiles", "1,2", "--architectures", "unet"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "crops: crop of 256 px reduced to 96 px: no train tile is larger" in said
    assert "96 px are padded with pixels that do not count: t1 (64x96)" in said
    with pytest.raises(SystemExit) as ended:
        PATCHES.run(["check", "--patches", str(patches)])
    assert ended.value.code == 0
    assert "train tiles smaller than others: t1 (64x96)" in capsys.readouterr().out
