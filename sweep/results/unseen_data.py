"""The dataset of trained models, for what is measured on tiles that they have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sweep.records.experiment import Experiment
from sweep.results.contenders import val_layout
from sweep.results.ensemble import Ensemble
from sweep.results.layout import Layout
from trainables.checkpoints import BestWeights
from trainables.data.tiles import TuningData
from trainables.errors import DataError


def unseen_data(ensemble: Ensemble, patches: Path | None) -> TuningData | str:
    """Read the tiles that an ensemble was trained on, where they were then or the user says, or say why not.

    Models whose folds differ have no tile in common that is new to all of them in the same fold.

    Raises:
        DataError: The dataset that the user named is not the one, or is damaged.
    """
    for name, (_, best) in zip(ensemble.names, ensemble.loaded, strict=True):
        if best.folds != ensemble.best.folds:
            return f"{name} and {ensemble.names[0]} have other folds, so a tile that is new to one is not to the other"
    if ensemble.best.refit:
        return "the model was trained on all tiles; without --refit, the folds' models tell"
    folder = patches or (Path(ensemble.experiment.description["data"]["path"]) if ensemble.experiment else None)
    if folder is None:
        return "name the dataset with --patches"
    try:
        data = TuningData.read(folder)
    except DataError as error:
        if patches is not None:
            raise
        return f"{error.faults[0]}; name the dataset with --patches"
    if data.fingerprint != ensemble.best.data_fingerprint:
        if patches is not None:
            raise DataError(f"--patches {patches}: not the dataset that the model was trained on; name the right one")
        return f"{folder}: has changed since the sweep; name the dataset with --patches"
    return data


def unseen_layout(experiment: Experiment | None, best: BestWeights, names: Sequence[str]) -> Layout:
    """Return which tiles belong together, as far as the experiment says, or the folds of a file by itself.

    Args:
        experiment: Where the model was trained; None for a file.
        best: What its weights file says of itself.
        names: Of tiles that it, or one of its folds, has not seen.
    """
    if experiment is not None:
        layout = val_layout(experiment.description, names)
        return layout if layout.number_of_folds > 1 else replace(layout, folds=None)
    if len(best.folds) < 2:
        return Layout.apart(len(names))
    fold_of = {tile: number for number, fold in enumerate(best.folds) for tile in fold}
    return Layout.of(names, [fold_of[name] for name in names])
