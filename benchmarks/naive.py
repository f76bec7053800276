"""A training as tutorials write it: what tilesweep's own is measured against in ``benchmarks.sweep``.

The three plain ways share this one function, so that they differ only in what starts a trial. Model, loss, presets,
optimizer, schedule, epochs, draws, validation windows and final scoring are the project's own, so that the work is
equal; files are opened a sample, a DataLoader's process prepares batches, and the loss is read every step.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import albumentations
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler

from trainables.augment.presets import operations
from trainables.data.centre import centre_window
from trainables.data.tiles import Tile
from trainables.losses.ce_dice import SegmentationLoss, bce_dice_loss
from trainables.models.registry import build_model, get_architecture
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.scoring import forward_on, score_split
from trainables.task import Task

BEST_FILE = "best.pt"
Listener = Callable[[dict[str, float], bool], None]
"""Hears an epoch's figures, and whether its weights are the best so far and were just saved."""


class TileFolder(Dataset[tuple[Tensor, Tensor]]):
    """Random augmented crops of the tiles in a folder, read from disk at every draw."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.images = sorted((folder / "images").iterdir())
        self.crop = albumentations.RandomCrop(recipe.crop_size, recipe.crop_size)
        self.augment = albumentations.Compose(operations(recipe.augmentation))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return (3, S, S) float in [0, 1] and (1, S, S) float in {0, 1}, S the crop size."""
        tile = read_tile(self.images[index])
        cropped = self.crop(image=tile.image, mask=tile.mask)
        view = self.augment(image=cropped["image"], mask=cropped["mask"])
        image = torch.from_numpy(np.ascontiguousarray(view["image"])).permute(2, 0, 1).float() / 255
        return image, torch.from_numpy(np.ascontiguousarray(view["mask"])).float()[None]


def read_tile(image: Path) -> Tile:
    """Read an image and the mask that belongs to it."""
    mask = image.parent.parent / "masks" / f"{image.stem}.png"
    return Tile(
        name=image.stem,
        image=np.asarray(Image.open(image).convert("RGB")),
        mask=(np.asarray(Image.open(mask)) > 0).astype(np.uint8),
    )


def train(recipe: Recipe, patches: Path, output: Path, *, threads: int, listen: Listener | None = None) -> float:
    """Train a recipe and score its best weights.

    Args:
        recipe: All hyperparameters; its epochs are all trained.
        patches: The dataset, with ``train`` and ``val``.
        output: Existing folder for the best weights.
        threads: Of torch.
        listen: Hears every epoch.

    Returns:
        Mean IoU of the best epoch's weights over whole val tiles.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(recipe.seed)
    dataset = TileFolder(patches / "train", recipe)
    # One process that stays: more would compete with the training for its core, and one that is started every epoch
    # would repeat its views.
    loader = DataLoader(
        dataset,
        batch_size=recipe.batch_size,
        sampler=RandomSampler(dataset, replacement=True, num_samples=recipe.draws_per_epoch),
        num_workers=1,
        persistent_workers=True,
    )
    val_images = sorted((patches / "val" / "images").iterdir())
    needs = get_architecture(recipe.architecture).needs
    model = build_model(recipe, Weights(kind="none" if needs == "none" else "random", needs=needs))
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max", factor=recipe.plateau_factor, patience=recipe.plateau_patience, threshold=0.0
    )

    def validate(crop: int) -> float:
        tiles = [centre_window(read_tile(image), crop) for image in val_images]
        forward = forward_on(model, torch.device("cpu"), torch.float32)
        loss = SegmentationLoss(task=Task(), cross_entropy_weight=recipe.bce_weight)
        return score_split(model, forward, tiles, recipe, loss, batch_size=1).iou

    best = -1.0
    for _ in range(recipe.max_epochs):
        model.train()
        losses = []
        for images, masks in loader:
            optimizer.zero_grad()
            loss = bce_dice_loss(model(images), masks, recipe.bce_weight)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        iou = validate(recipe.validation_crop)
        plateau.step(iou)
        if improved := iou > best:
            best = iou
            torch.save(model.state_dict(), output / BEST_FILE)
        if listen:
            listen({"loss": float(np.mean(losses)), "val_iou": iou}, improved)
    model.load_state_dict(torch.load(output / BEST_FILE))
    return validate(0)
