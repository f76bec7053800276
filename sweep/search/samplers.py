"""The samplers that ``--sampler`` knows by name. Another one is a function here and an entry below it.

A sampler is made again for every proposal, with a seed that follows from the sweep's seed, the study's name and the
trial's number. So what it proposes follows from these and the study's trials alone, also after a resume.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trainables.errors import ExperimentError

if TYPE_CHECKING:  # functions import Optuna, so that --help answers without it
    from optuna.samplers import BaseSampler


@contextmanager
def _experimental() -> Iterator[None]:
    """Let no sampler say in the block that Optuna may still change it."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def _tpe(seed: int, startup: int) -> BaseSampler:
    """Tree-structured Parzen estimator over all fields together; trials that still run count as bad ones."""
    from optuna.samplers import TPESampler

    with _experimental():
        return TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=startup)


def _gp(seed: int, startup: int) -> BaseSampler:
    """Gaussian process, which learns from finished trials alone."""
    from optuna.samplers import GPSampler

    with _experimental():
        return GPSampler(seed=seed, n_startup_trials=startup)


def _random(seed: int, startup: int) -> BaseSampler:
    """Independent draws: what the others are to be compared with."""
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=seed)


SAMPLERS: Mapping[str, Callable[..., BaseSampler]] = {"tpe": _tpe, "gp": _gp, "random": _random}
"""Name to what makes it: from ``seed``, at least 0, and ``startup``, the number of trials that are drawn at random."""


def find_sampler(name: str) -> Callable[..., BaseSampler]:
    """Return what makes a sampler.

    Raises:
        ExperimentError: There is none of this name, as in the plan of a later version.
    """
    if name not in SAMPLERS:
        raise ExperimentError(f"--sampler {name}: is none of {', '.join(SAMPLERS)}")
    return SAMPLERS[name]
