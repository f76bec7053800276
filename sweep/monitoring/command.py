"""``python -m sweep.monitoring``: set-up files for Prometheus and Grafana."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from sweep.cli.console import Command
from sweep.cli.options import OutputOptions
from sweep.cli.output import Output


@dataclass(frozen=True, kw_only=True)
class MonitoringOptions(OutputOptions):
    """Write what Prometheus and Grafana need to show a sweep's trials, and say how to start them."""

    out: Annotated[Path, arg(metavar="DIR")] = Path("monitoring")
    """Where the files go; those that this command wrote before are replaced."""

    overwrite: bool = False
    """Replace files that are there and are not as this command wrote them."""

    ray_temp: Annotated[str, arg(metavar="DIR")] = "/tmp/ray"
    """Ray's temporary folder on its head node."""

    prometheus: Annotated[str, arg(metavar="URL")] = "http://localhost:9090"
    """Where Grafana finds Prometheus."""


def main(options: MonitoringOptions, output: Output) -> int:
    """Run the command; returns its exit code."""
    from sweep.monitoring.dashboards import monitoring_files
    from sweep.records.outputs import ending_of, sealed, write_files

    out = options.out.resolve()
    files = monitoring_files(
        ray_temp=options.ray_temp,
        prometheus_url=options.prometheus,
        dashboards_folder=str(out / "grafana" / "dashboards"),
    )
    write_files(
        {out / name: sealed(text.encode(), ending_of(Path(name))) for name, text in files.items()},
        overwrite=options.overwrite,
    )
    provisioning = shlex.quote(str(out / "grafana" / "provisioning"))
    output.results.print(
        f"wrote          {out}: {', '.join(files)}\n"
        f"Grafana        GF_PATHS_PROVISIONING={provisioning} grafana server --homepath /usr/share/grafana\n"
        f"               or import grafana/dashboards/tilesweep.json",
    )
    output.events.emit("monitoring", path=str(out), files=list(files))
    output.next(shlex.join(["prometheus", f"--config.file={out / 'prometheus.yml'}"]))
    return 0


COMMAND = Command(
    name="monitoring",
    options=MonitoringOptions,
    main=main,
    examples={"": "write monitoring/, and say how to start Prometheus and Grafana"},
)
