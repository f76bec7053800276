"""What MLflow and Weights & Biases are told: one run an attempt, however often its trial was started."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from trainables.errors import ExperimentError
from trainables.report import EPOCH_FIELDS, FINAL_FIELDS, TRACKERS, shown_in
from trainables.secrets import hide_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sweep.records.experiment import Experiment

logger = logging.getLogger(__name__)
TRACKED = tuple(one.name for one in shown_in(TRACKERS, (*EPOCH_FIELDS, *FINAL_FIELDS)))


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """Which services are told.

    Attributes:
        mlflow: MLflow's tracking URI; None tells it nothing.
        wandb: The W&B project; None tells it nothing.
    """

    mlflow: str | None = None
    wandb: str | None = None

    def shown(self) -> dict[str, str | None]:
        """Return what may be stored and printed: without a secret in the URI."""
        return {"mlflow": hide_secret(self.mlflow) if self.mlflow else self.mlflow, "wandb": self.wandb}

    def require(self) -> None:
        """Make sure that the services can be told, before the first trial.

        Raises:
            ExperimentError: A package is missing, or a service does not answer.
        """
        if self.mlflow is not None:
            _require_package("mlflow", "--mlflow")
            _require_mlflow(self.mlflow)
        if self.wandb is not None:
            _require_package("wandb", "--wandb")
            _require_wandb()

    def callbacks(self, experiment: Experiment) -> list[Any]:
        """Return the callbacks of Tune's that tell them."""
        found: list[Any] = []
        if self.mlflow is not None:
            from sweep.observers.mlflow_runs import MlflowRuns

            found.append(MlflowRuns(self.mlflow, experiment))
        if self.wandb is not None:
            from sweep.observers.wandb_runs import WandbRuns

            found.append(WandbRuns(self.wandb, experiment))
        return found


def _require_package(name: str, flag: str) -> None:
    if find_spec(name) is None:
        raise ExperimentError(f"{flag}: needs the package {name}; install it with: pip install 'tilesweep[{name}]'")


def _require_mlflow(uri: str) -> None:
    # Else MLflow tries for minutes, and Tune waits for it.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic", "urllib3"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
    except Exception as error:  # MLflow's, SQLAlchemy's, those of HTTP
        raise ExperimentError(
            f"--mlflow {Tracking(mlflow=uri).shown()['mlflow']}: does not answer ({type(error).__name__}); give a "
            f"tracking URI such as sqlite:///mlflow.db or http://HOST:5000"
        ) from error


def _require_wandb() -> None:
    if os.environ.get("WANDB_MODE") in ("offline", "disabled") or os.environ.get("WANDB_API_KEY"):
        return
    import wandb

    if not wandb.login(prompt=False):
        raise ExperimentError("--wandb: no API key; run wandb login, set WANDB_API_KEY, or set WANDB_MODE=offline")


def parameters(settings: Mapping[str, Any]) -> dict[str, str | int | float]:
    """Return what distinguishes a trial, as flat plain values: its recipe, weights and tiles.

    Args:
        settings: ``config["trial"]`` of its Tune trial.
    """
    return {
        **settings["recipe"],
        "weights": settings["weights"]["kind"],
        "tiles": len(settings["tiles"]) or "all",
        "draw": settings["draw"],
    }


def measured(result: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a report that are told; empty for the report of a failure or a lost storage."""
    if "epoch" not in result or result.get("failure"):
        return {}
    return {name: float(result[name]) for name in TRACKED if name in result}


Method = TypeVar("Method", bound=Callable[..., None])


def harmless(method: Method) -> Method:
    """Make a callback's method log a service's fault, once a kind, where it would end the sweep."""
    told: set[type[Exception]] = set()

    @functools.wraps(method)
    def guarded(*arguments: Any, **named: Any) -> None:
        with _told_once(told):
            method(*arguments, **named)

    return guarded  # type: ignore[return-value]


@contextmanager
def _told_once(told: set[type[Exception]]) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if type(error) not in told:
            told.add(type(error))
            logger.warning(
                "experiment tracking failed, the sweep goes on: %s: %s", type(error).__name__, hide_secret(str(error))
            )
