"""A sweep as it looks from outside while it runs: Ray's metrics and lists, TensorBoard, MLflow."""

from __future__ import annotations

import csv
import io
import re
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import ray
from mlflow import MlflowClient
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from ray.util.state import list_actors
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.cli.console import open_output
from sweep.monitoring.dashboards import dashboard
from sweep.planning.plan import SweepPlan
from sweep.planning.resources import Resources
from sweep.planning.run import Run
from sweep.ray_tune.runner import run_trials
from sweep.records.experiment import Experiment
from sweep.records.trials import read_reports
from tests.conftest import WriteDataset
from tests.reports import begin_experiment, data_of, plan_of
from trainables.data.tiles import TuningData
from trainables.report import SCALARS

REPORT_SECONDS = 2.5
"""Ray's usual ten make for a long test. Values are forgotten after two of these, so they must be told more often."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    interval = {"metrics_report_interval_ms": int(REPORT_SECONDS * 1000)}
    context = ray.init("local", num_cpus=1, include_dashboard=True, log_to_driver=False, _system_config=interval)
    yield f"http://{context.dashboard_url}"
    ray.shutdown()


def _scrape() -> list[Any]:
    """Read what Prometheus would read of this node, tilesweep's part."""
    (node,) = ray.nodes()
    url = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    text = urllib.request.urlopen(url, timeout=5).read().decode()
    families = text_string_to_metric_families(text)
    return [sample for family in families for sample in family.samples if "tilesweep" in sample.name]


@dataclass
class Seen:
    """What was seen from outside while a sweep ran."""

    experiment: Experiment
    mlflow: str
    dashboard: str
    values: dict[str, set[float]] = field(default_factory=lambda: defaultdict(set))
    labels: set[tuple[str, str, str]] = field(default_factory=set)
    actors: set[tuple[str, str]] = field(default_factory=set)
    forgotten_after: float | None = None

    def look(self) -> None:
        for sample in _scrape():
            self.values[sample.name].add(sample.value)
            labels = sample.labels
            self.labels.add((labels["experiment"], labels["attempt"], labels["architecture"]))
        if self.values and not self.actors:
            actors = list_actors(self.dashboard, detail=True, filters=[("state", "=", "ALIVE")])
            self.actors = {(actor.class_name, actor.repr_name) for actor in actors}

    @property
    def history(self) -> dict[int, dict[str, str]]:
        with io.StringIO(self.experiment.read("first/history.csv").decode()) as file:
            return {int(row["epoch"]): row for row in csv.DictReader(file)}


METRICS = {name for panel in dashboard()["panels"] for name in re.findall(r"ray_\w+", panel["targets"][0]["expr"])}


@pytest.fixture(scope="module")
def seen(cluster: str, write_dataset: WriteDataset, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Run a trial until every metric was seen, wait until none is, and go on with it for some epochs."""
    folder = tmp_path_factory.mktemp("watching")
    data = TuningData.read(write_dataset(folder / "patches"))
    experiment = begin_experiment(folder / "results", name="watched", data=data_of(folder / "patches"))
    recipe = shared_recipe("unet", get_profile("smoke")).replace(max_epochs=10_000, patience=10_000)
    trial = plan_of("first", recipe=recipe)
    found = Seen(experiment, f"sqlite:///{folder}/mlflow.db", cluster)

    def run(enough: Callable[[], bool]) -> None:
        over = threading.Event()
        deadline = time.monotonic() + 90

        def follow() -> None:
            while not over.wait(0.5):
                found.look()

        watcher = threading.Thread(target=follow)
        watcher.start()
        watched = Run(
            experiment=experiment,
            phase="phase1",
            profile=get_profile("smoke"),
            plan=SweepPlan(trials=(trial,)),
            data=data,
            overlays_every=5,
            tracking={"mlflow": found.mlflow},
        )
        resources = Resources(
            device="cpu", cpus_per_trial=1, gpus_per_trial=0, concurrent=1, total_cpus=1, total_gpus=0
        )
        run_trials(watched, resources, open_output(), asked=lambda: enough() or time.monotonic() > deadline)
        over.set()
        watcher.join()

    run(lambda: set(found.values) >= METRICS and len(read_reports(experiment, "first")) > 5)
    ended = time.monotonic()
    while _scrape() and time.monotonic() < ended + 60:
        time.sleep(0.5)
    found.forgotten_after = None if _scrape() else time.monotonic() - ended
    epochs = len(read_reports(experiment, "first"))
    run(lambda: len(read_reports(experiment, "first")) >= epochs + 3)
    return found


def test_the_dashboard_asks_for_the_metrics_that_are_served(seen: Seen) -> None:
    assert set(seen.values) == METRICS
    assert len(METRICS) == 7


def test_metrics_are_the_epochs_numbers_with_the_trial_s_name(seen: Seen) -> None:
    assert seen.labels == {("watched", "first", "unet")}
    assert seen.values["ray_tilesweep_trial_running"] == {1.0}
    assert seen.values["ray_tilesweep_gpu_memory_bytes"] == {0.0}
    for name in ("val_iou", "train_loss", "val_loss", "images_per_second", "epoch"):
        known = {float(row[name]) for row in seen.history.values()}
        assert seen.values[f"ray_tilesweep_{name}"] <= known, name


def test_a_trial_that_ended_is_forgotten(seen: Seen) -> None:
    assert seen.forgotten_after is not None and seen.forgotten_after < 10 * REPORT_SECONDS


def test_ray_s_list_of_actors_names_the_trial(seen: Seen) -> None:
    assert ("SegmentationTrainable", "first") in seen.actors


def test_tensorboard_reads_the_curves_across_a_resume(seen: Seen) -> None:
    folder = Path(seen.experiment.path("first/tensorboard"))
    assert len(list(folder.iterdir())) == 2
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0}).Reload()
    assert set(events.Tags()["scalars"]) == set(SCALARS)
    for tag, name in SCALARS.items():
        curve = [(event.step, event.value) for event in events.Scalars(tag)]
        assert [step for step, _ in curve] == list(seen.history)
        expected = [float(row[name]) for row in seen.history.values()]
        assert [value for _, value in curve] == pytest.approx(expected, rel=1e-6)
    (picture, later, *_) = events.Images("val/t4")
    assert (picture.step, later.step) == (1, 5)
    assert Image.open(io.BytesIO(picture.encoded_image_string)).size == (3 * 64, 64)


def test_mlflow_has_one_run_an_attempt_across_a_resume(seen: Seen) -> None:
    client = MlflowClient(tracking_uri=seen.mlflow)
    experiment = client.get_experiment_by_name("watched")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "first"
    assert run.info.status == "KILLED", "an interrupted trial does not run"
    recipe = shared_recipe("unet", get_profile("smoke"))
    assert run.data.params["learning_rate"] == str(recipe.learning_rate)
    assert run.data.params["architecture"] == "unet" and run.data.params["tiles"] == "all"
    curve = {point.step: point.value for point in client.get_metric_history(run.info.run_id, "val_iou")}
    assert len(client.get_metric_history(run.info.run_id, "val_iou")) == len(curve), "no epoch is told twice"
    assert set(seen.history) - set(curve) <= {max(seen.history)}, "the interrupt may have swallowed the last one"
    assert all(float(seen.history[step]["val_iou"]) == pytest.approx(value) for step, value in curve.items())
