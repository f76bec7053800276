"""How a result was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sweep.report.blocks import Block, Cell, Facts, Row, Section, Table
from sweep.report.data import ReportData
from sweep.results.contenders import folds_in
from trainables.data.imagery import RGB, Imagery
from trainables.wording import counted


def origin(source: ReportData) -> Section:
    """Return command, versions, data, weights and machine."""
    description = source.description
    made: dict[str, Any] = description.get("provenance", {})
    data = description["data"]
    kind = ", synthetic" if data["synthetic"] else ""
    imagery = Imagery.from_dict(data.get("imagery", {}))
    git = made.get("git") or {}
    commit = f"{git['commit']}{' with uncommitted changes' if git.get('dirty') else ''}" if git else "not a repository"
    facts = [
        ("Experiment", source.experiment.address),
        ("Command", made.get("command", "")),
        ("Begun", made.get("created", "").replace("T", " ").replace("+00:00", " UTC")),
        ("Phase and profile", f"{description['phase']}, {description['profile']}"),
        ("Seed", str(description.get("options", {}).get("seed", ""))),
        ("Code", commit),
        ("Data", f"{data['name']}{kind}: {splits_in_words(description)}, from {data['path']}"),
        ("Bands", "" if imagery == RGB else imagery.summary),
        ("Data sheet", "; ".join(f"{name}: {text}" for name, text in data.get("sheet", {}).items())),
        ("Data fingerprint", f"{data['fingerprint']} (sha256 of train and val tiles)"),
        ("Unlabelled images", _unlabelled(data.get("unlabelled"))),
        ("Metric", data.get("metric", "IoU and F1 per whole tile, then the mean over tiles")),
        ("Machine", _machine(made)),
        ("Versions", ", ".join(f"{name} {number}" for name, number in made.get("packages", {}).items())),
        ("Run", description.get("id", "")),
    ]
    known = Facts(items=[(term, text) for term, text in facts if text])
    blocks: list[Block] = [known, _weights(source), _tiles(description)]
    return Section(slug="origin", title="How it was made", blocks=blocks)


def _unlabelled(found: Mapping[str, Any] | None) -> str:
    if not found:
        return ""
    windows = f"{counted(len(found['used']), 'window')} of {counted(found['images'], 'image')}"
    return f"{windows}, from {found['path']}; {found['sha256']} (sha256 of their pixels)"


def splits_in_words(description: Mapping[str, Any]) -> str:
    """Say how many tiles were trained on and scored, and in how many folds."""
    data, folds = description["data"], description.get("folds")
    if folds:
        return f"{counted(len(data['train']), 'train and val tile')} in {folds} folds"
    return f"{counted(len(data['train']), 'train tile')}, {counted(len(data['val']), 'val tile')}"


def _machine(made: dict[str, Any]) -> str:
    gpus = ", ".join(made.get("gpus") or []) or "no GPU"
    return f"{made.get('cpus')} CPU cores, {gpus}; {made.get('platform')}, Python {made.get('python')}"


def _weights(source: ReportData) -> Table:
    found = {(row.title, row.architecture, row.weights, row.weights_sha256) for row in source.trials}
    rows = [
        Row(cells=[Cell(text=title), Cell(text=label), Cell(text=sha or "none")], architecture=name)
        for title, name, label, sha in sorted(found, key=str)
    ]
    return Table(caption="What the encoders started from", columns=["model", "weights", "sha256"], rows=rows)


def _tiles(description: Mapping[str, Any]) -> Table:
    data, folds = description["data"], folds_in(description)
    named = {f"fold {number}": fold["val"] for number, fold in enumerate(folds, start=1)}
    rows = [
        Row(cells=[Cell(text=name), Cell(text=", ".join(tiles))])
        for name, tiles in (named or {split: data[split] for split in ("train", "val")}).items()
    ]
    caption = "The tiles that each fold leaves out" if folds else "The tiles of train and val"
    return Table(caption=caption, columns=["fold" if folds else "split", "tiles"], rows=rows, folded=True)
