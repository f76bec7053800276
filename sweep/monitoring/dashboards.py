"""Set-up files for Prometheus and Grafana, which show the metrics of a sweep's trials."""

from __future__ import annotations

import json
from typing import Any

from sweep.ray_tune.gauges import PREFIX

SERVICE_DISCOVERY = "prom_metrics_service_discovery.json"
"""The file in Ray's temporary folder where the head node lists what Prometheus is to ask."""

SCRAPE_SECONDS = 10
"""Ray's own report interval; asking more often gives the same numbers again."""

DATASOURCE = "tilesweep-prometheus"

# What is filled in is written as JSON, which YAML reads, quotes and all.
_PROMETHEUS = f"""\
global:
  scrape_interval: {SCRAPE_SECONDS}s
scrape_configs:
  - job_name: ray
    file_sd_configs:
      - files: [{{targets}}]
"""

_DATASOURCE = f"""\
apiVersion: 1
datasources:
  - name: tilesweep
    uid: {DATASOURCE}
    type: prometheus
    access: proxy
    url: {{url}}
    jsonData:
      timeInterval: {SCRAPE_SECONDS}s
"""

_PROVIDER = """\
apiVersion: 1
providers:
  - name: tilesweep
    type: file
    options:
      path: {folder}
"""

PANELS = (
    # title, metric, unit of Grafana's, decimals
    ("Val IoU", "tilesweep_val_iou", "none", 3),
    ("Train loss", "tilesweep_train_loss", "none", 3),
    ("Val loss", "tilesweep_val_loss", "none", 3),
    ("Epoch", "tilesweep_epoch", "none", 0),
    ("Images per second", "tilesweep_images_per_second", "none", 1),
    ("GPU memory, peak", "tilesweep_gpu_memory_bytes", "bytes", 1),
)


def monitoring_files(*, ray_temp: str, prometheus_url: str, dashboards_folder: str) -> dict[str, str]:
    """Return the set-up as file name to text.

    Args:
        ray_temp: Ray's temporary folder on its head node, ``/tmp/ray`` unless ``ray start --temp-dir`` says otherwise.
        prometheus_url: Where Grafana finds Prometheus.
        dashboards_folder: Where the dashboard's file will be, as Grafana sees it.
    """
    return {
        "prometheus.yml": _PROMETHEUS.format(targets=json.dumps(f"{ray_temp.rstrip('/')}/{SERVICE_DISCOVERY}")),
        "grafana/provisioning/datasources/tilesweep.yml": _DATASOURCE.format(url=json.dumps(prometheus_url)),
        "grafana/provisioning/dashboards/tilesweep.yml": _PROVIDER.format(folder=json.dumps(dashboards_folder)),
        "grafana/dashboards/tilesweep.json": json.dumps(dashboard(), indent=2) + "\n",
    }


def dashboard() -> dict[str, Any]:
    """Return Grafana's dashboard: how many trials run, and a curve an attempt for each of the other metrics."""
    panels = [
        _panel(
            number=1,
            kind="stat",
            title="Running trials",
            expression=f"sum({_selected('tilesweep_trial_running')}) or vector(0)",
            legend="running",
            place={"x": 0, "y": 0, "w": 6, "h": 4},
        ),
        _panel(
            number=2,
            kind="stat",
            title="Best val IoU in the time shown",
            # Trials that have ended are no longer exported, so this asks for the past of each.
            expression=f"max by (attempt) (max_over_time({_selected('tilesweep_val_iou')}[$__range]))",
            legend="{{attempt}}",
            place={"x": 6, "y": 0, "w": 18, "h": 4},
            decimals=3,
            instant=True,
        ),
    ]
    for index, (title, metric, unit, decimals) in enumerate(PANELS):
        panels.append(
            _panel(
                number=3 + index,
                kind="timeseries",
                title=title,
                # The same trial may continue in another process: one curve for both.
                expression=f"max by (attempt) ({_selected(metric)})",
                legend="{{attempt}}",
                place={"x": 12 * (index % 2), "y": 4 + 8 * (index // 2), "w": 12, "h": 8},
                unit=unit,
                decimals=decimals,
            )
        )
    return {
        "uid": "tilesweep",
        "title": "tilesweep",
        "tags": ["ray", "tilesweep"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": f"{SCRAPE_SECONDS}s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_experiment_variable()]},
        "annotations": {"list": []},
        "panels": panels,
    }


def _selected(metric: str) -> str:
    return f'{PREFIX}{metric}{{experiment=~"$experiment"}}'


def _source() -> dict[str, str]:
    return {"type": "prometheus", "uid": DATASOURCE}


def _experiment_variable() -> dict[str, Any]:
    query = f"label_values({PREFIX}tilesweep_trial_running, experiment)"
    return {
        "name": "experiment",
        "label": "experiment",
        "type": "query",
        "datasource": _source(),
        "query": {"query": query, "refId": "experiment"},
        "definition": query,
        "refresh": 2,  # whenever the time range changes: experiments come and go
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def _panel(
    *,
    number: int,
    kind: str,
    title: str,
    expression: str,
    legend: str,
    place: dict[str, int],
    unit: str = "none",
    decimals: int = 0,
    instant: bool = False,
) -> dict[str, Any]:
    custom = {"showPoints": "never", "spanNulls": 60_000} if kind == "timeseries" else {}
    options: dict[str, Any] = (
        {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
        if kind == "timeseries"
        else {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "none", "graphMode": "none"}
    )
    return {
        "id": number,
        "type": kind,
        "title": title,
        "gridPos": place,
        "datasource": _source(),
        "fieldConfig": {"defaults": {"unit": unit, "decimals": decimals, "custom": custom}, "overrides": []},
        "options": options,
        "targets": [
            {
                "refId": "A",
                "datasource": _source(),
                "expr": expression,
                "legendFormat": legend,
                "instant": instant,
                "range": not instant,
            }
        ],
    }
