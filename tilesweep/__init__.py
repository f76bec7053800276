"""tilesweep from Python: make a dataset, sweep, look at what came out, predict.

    import tilesweep

    tilesweep.make_dataset("photos", "my_tiles")
    found = tilesweep.sweep("my_tiles", profile="demo")
    found.leaderboard                      # a pandas.DataFrame
    tilesweep.load(found.name).predict(image).mask

The commands and these functions run the same code: what one began the other resumes, scores and reports.
"""

from __future__ import annotations

from sweep import __version__
from tilesweep.models import Model, PredictedMask, load
from tilesweep.results import Results, open
from tilesweep.runs import make_dataset, score, sweep
from trainables.errors import TilesweepError as Error

__all__ = [
    "Error",
    "Model",
    "PredictedMask",
    "Results",
    "__version__",
    "load",
    "make_dataset",
    "open",
    "score",
    "sweep",
]
