"""What a new experiment writes of itself: all that a resume and every later command need."""

from __future__ import annotations

import uuid
from typing import Any

from sweep.planning.run import Run
from sweep.records.provenance import provenance
from sweep.session.folds import describe_scenes
from sweep.session.leaks import describe_leaks
from sweep.session.own_code import own_code
from trainables.data.remote import dataset_address
from trainables.metrics import metric_of
from trainables.secrets import hide_secret


def describe(run: Run, stored: dict[str, Any]) -> dict[str, Any]:
    """Return the description of a new experiment."""
    data = run.data
    return {
        "id": uuid.uuid4().hex,  # another training under the same name is another experiment
        "phase": run.phase,
        "profile": run.profile.name,
        "ended": False,
        "options": stored,
        "optuna_storage": run.optuna_url and hide_secret(run.optuna_url),
        "data": {
            "path": dataset_address(run.patches),
            "name": data.name,
            "synthetic": data.synthetic,
            "fingerprint": data.fingerprint,
            "metric": metric_of(data.task),
            "task": data.task.to_dict(),
            "imagery": data.imagery.to_dict(),
            "sheet": dict(data.sheet),
            **describe_leaks(data),
            "train": [tile.name for tile in data.train],
            "val": [tile.name for tile in data.val],
            "val_pixels": sum(tile.mask.size for tile in data.val),
            "unlabelled": run.unlabelled and run.unlabelled.to_dict(),
        },
        "folds": run.plan.folds,
        "scenes": run.scenes and describe_scenes(run.scenes),
        "plan": run.plan.to_dict(),
        "code": own_code(run.plan),
        "provenance": provenance(),
        "crop_notes": list(run.crop_notes),
    }
