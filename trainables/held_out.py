"""The tiles that a trained model has not seen: what it is measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from trainables.checkpoints import BestWeights
from trainables.data.centre import has_labelled_centre
from trainables.data.tiles import Tile, TuningData
from trainables.errors import ExperimentError
from trainables.models.fold_ensemble import FoldEnsemble

if TYPE_CHECKING:
    from trainables.models.base import SegmentationModel

Loaded = tuple["SegmentationModel", BestWeights]
"""A model and what its weights file says of itself, as ``load_best`` returns them."""


def fold_models(model: SegmentationModel, best: BestWeights) -> list[Loaded]:
    """Return the model of each fold by itself, in the order of the folds; of a single model, that model."""
    if not isinstance(model, FoldEnsemble):
        return [(model, best)]
    epochs = best.fold_epochs or (best.epoch,) * len(best.folds)  # a file may lack them
    return [
        (member, replace(best, epoch=epoch, folds=(unseen,), fold_epochs=(epoch,)))
        for member, unseen, epoch in zip(model.members, best.folds, epochs, strict=True)
    ]


def choose_fold(model: SegmentationModel, best: BestWeights, fold: int, name: str) -> Loaded:
    """Return the model of one fold.

    Args:
        model: As ``load_best`` returns it.
        best: As ``load_best`` returns it.
        fold: Its number, from 1.
        name: What the user calls the model, for errors.

    Raises:
        ExperimentError: There is no such fold.
    """
    if not isinstance(model, FoldEnsemble):
        raise ExperimentError(f"--fold {fold}: {name} is a single model, not one for each fold; leave --fold out")
    folds = fold_models(model, best)
    if not 1 <= fold <= len(folds):
        raise ExperimentError(f"--fold {fold}: {name} has {len(folds)} folds; choose one from 1 to {len(folds)}")
    return folds[fold - 1]


def unseen_tiles(best: BestWeights, data: TuningData) -> tuple[Tile, ...]:
    """Return the tiles with a labelled pixel that no training of a model has seen: of folds, or val; of a refit, none.

    Args:
        best: Of a single model or of one fold; of all folds, every tile is unseen by one of its models.
        data: The dataset that it was trained on, as ``TuningData.read`` returns it.

    Raises:
        DataError: A fold names a tile that is not there.
    """
    if best.refit:
        return ()
    names = [name for fold in best.folds for name in fold]
    tiles = data.pooled().only(val=names).val if names else data.val
    return labelled(tiles)


def labelled(tiles: Sequence[Tile]) -> tuple[Tile, ...]:
    """Return the tiles of which a pixel counts: the others have no score."""
    return tuple(tile for tile in tiles if has_labelled_centre(tile, 0))
