"""The set-up for Prometheus and Grafana. That its metrics are those served is in tests/e2e/test_observability.py."""

from __future__ import annotations

import json
import shlex
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from sweep.monitoring.dashboards import DATASOURCE, dashboard
from sweep.records.outputs import KEY
from tests.commands import Run, assert_refused


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, here: Run) -> Path:
    folder = tmp_path_factory.mktemp("monitoring") / "it's here"
    done = here("monitoring", "--out", folder, "--ray-temp", "/scratch/ray/", "--prometheus", "http://prometheus:9090")
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("next"))
    assert shlex.split(line) == ["next", "prometheus", f"--config.file={folder}/prometheus.yml"]
    return folder


def test_prometheus_asks_what_ray_lists(written: Path) -> None:
    (job,) = yaml.safe_load((written / "prometheus.yml").read_text())["scrape_configs"]
    assert job["file_sd_configs"] == [{"files": ["/scratch/ray/prom_metrics_service_discovery.json"]}]


def test_grafana_finds_the_data_and_the_dashboard(written: Path) -> None:
    provisioning = written / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "tilesweep.yml").read_text())["datasources"]
    assert (source["uid"], source["type"], source["url"]) == (DATASOURCE, "prometheus", "http://prometheus:9090")
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "tilesweep.yml").read_text())["providers"]
    (file,) = Path(provider["options"]["path"]).iterdir()
    assert {name: value for name, value in json.loads(file.read_text()).items() if name != KEY} == dashboard()


def test_panels_have_numbers_and_places_of_their_own() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) == 8
    assert not any(_overlap(one["gridPos"], other["gridPos"]) for one, other in combinations(panels, 2))
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels), "Grafana's grid has 24 columns"
    assert all(target["datasource"]["uid"] == DATASOURCE for panel in panels for target in panel["targets"])


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or above)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, here: Run) -> None:
    (tmp_path / "file").write_text("")
    assert_refused(here("monitoring", "--out", tmp_path / "file"), "--out", "choose another")
