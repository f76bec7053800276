"""How a result was made."""

from __future__ import annotations

from typing import Any

from sweep.report.blocks import Block, Cell, Facts, Row, Section, Table
from sweep.report.data import ReportData
from sweep.report.numbers import count


def origin(source: ReportData) -> Section:
    """Return command, versions, data, weights and machine."""
    description = source.description
    made: dict[str, Any] = description.get("provenance", {})
    data = description["data"]
    git = made.get("git") or {}
    commit = f"{git['commit']}{' with uncommitted changes' if git.get('dirty') else ''}" if git else "not a repository"
    facts = [
        ("Experiment", source.experiment.address),
        ("Command", made.get("command", "")),
        ("Begun", made.get("created", "").replace("T", " ").replace("+00:00", " UTC")),
        ("Phase and profile", f"{description['phase']}, {description['profile']}"),
        ("Seed", str(description.get("options", {}).get("seed", ""))),
        ("Code", commit),
        ("Data", f"{data['name']}{', synthetic' if data['synthetic'] else ''}: {_splits(data)}, from {data['path']}"),
        ("Data sheet", "; ".join(f"{name}: {text}" for name, text in data.get("sheet", {}).items())),
        ("Data fingerprint", f"{data['fingerprint']} (sha256 of train and val tiles)"),
        ("Metric", data.get("metric", "IoU and F1 a tile at full size, then the mean over tiles")),
        ("Machine", _machine(made)),
        ("Versions", ", ".join(f"{name} {number}" for name, number in made.get("packages", {}).items())),
        ("Run", description.get("id", "")),
    ]
    blocks: list[Block] = [Facts(items=[(term, text) for term, text in facts if text]), _weights(source), _tiles(data)]
    return Section(slug="origin", title="How it was made", blocks=blocks)


def _splits(data: dict[str, Any]) -> str:
    return f"{count(len(data['train']), 'train tile')}, {count(len(data['val']), 'val tile')}"


def _machine(made: dict[str, Any]) -> str:
    gpus = ", ".join(made.get("gpus") or []) or "no GPU"
    return f"{made.get('cpus')} CPU cores, {gpus}; {made.get('platform')}, Python {made.get('python')}"


def _weights(source: ReportData) -> Table:
    found = {(row.title, row.architecture, row.weights, row.weights_sha256) for row in source.trials}
    rows = [
        Row(cells=[Cell(text=title), Cell(text=label), Cell(text=sha or "none")], architecture=name)
        for title, name, label, sha in sorted(found, key=str)
    ]
    return Table(caption="What the encoders started from", columns=["architecture", "weights", "sha256"], rows=rows)


def _tiles(data: dict[str, Any]) -> Table:
    rows = [Row(cells=[Cell(text=split), Cell(text=", ".join(data[split]))]) for split in ("train", "val")]
    return Table(caption="The tiles of train and val", columns=["split", "tiles"], rows=rows, folded=True)
