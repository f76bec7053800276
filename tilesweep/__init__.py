"""tilesweep from Python: make a dataset, answer the whole question or sweep, look at what came out, predict.

    import tilesweep

    tilesweep.make_dataset("photos", "my_tiles")
    found = tilesweep.study("my_tiles", profile="demo")
    found.answers                          # which model, how good, would more labels help
    found.phases["phase1"].leaderboard     # a pandas.DataFrame
    tilesweep.load(found.model).predict(image).mask

The commands and these functions run the same code: what one began the other resumes, scores and reports.
"""

from __future__ import annotations

from sweep import __version__
from tilesweep.models import Model, PredictedMask, load
from tilesweep.results import Results, open
from tilesweep.runs import make_dataset, score, sweep
from tilesweep.studies import StudyResults, open_study, study
from trainables.errors import TilesweepError as Error

__all__ = [
    "Error",
    "Model",
    "PredictedMask",
    "Results",
    "StudyResults",
    "__version__",
    "load",
    "make_dataset",
    "open",
    "open_study",
    "score",
    "study",
    "sweep",
]
