"""Val IoU after every epoch of real trainings, recorded once: what ``benchmarks.replay`` searches without training.

``python -m benchmarks.replay --record`` trains each of ``ARCHITECTURES`` with ``RECIPES`` recipes, drawn from the
product's own search space, to the end, and writes ``curves.parquet``: a row group per training, a row per epoch.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import optuna
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from optuna.samplers import RandomSampler

from search_spaces.phase1 import shared_recipe
from search_spaces.phase2 import Space, space
from search_spaces.profiles import get_profile
from sweep.search.recipes_tried import key, propose
from trainables.data.tiles import TuningData
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.training import Trainer

TABLE = Path(__file__).parent / "results" / "curves.parquet"
ARCHITECTURES = ("unet", "smp_unet_resnet34", "smp_deeplabv3plus_resnet34", "resnet34_unet", "segformer_b0")
RECIPES = 60
"""Of each architecture; the first is the shared recipe, as in a search."""
EPOCHS = 9
TILES = (8, 8, 1)
"""Of train, val and test, which must not be empty and is not read."""
SIDE = 128
CHANGES: Mapping[str, Any] = {"draws_per_epoch": 32, "max_epochs": EPOCHS, "patience": EPOCHS}
"""To the smoke profile's recipe: more steps, and nobody ends early. Its schedule looks back alone, so the first epochs
of a training are those of a shorter one."""
COLUMNS = ("architecture", "recipe", "learning_rate", "augmentation", "decoder_dropout", "bce_weight", "epoch")
MEASURED = ("val_iou", "train_loss", "seconds")
PROVENANCE = "recorded"
"""Key of the file's metadata under which a JSON object says what was recorded, how and when."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A training that ran to its end.

    Attributes:
        values: Searched recipe field to value.
        curve: Val IoU after each epoch, from the first.
    """

    values: Mapping[str, Any]
    curve: tuple[float, ...]


@cache
def recipes_of(architecture: str) -> tuple[Mapping[str, Any], ...]:
    """Draw an architecture's recipes: the shared one, then random ones of its space, none of them twice."""
    recipe, wanted = base_recipe(architecture).to_dict(), space(architecture)
    study = optuna.create_study(direction="maximize", sampler=RandomSampler(seed=ARCHITECTURES.index(architecture)))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found: list[Mapping[str, Any]] = [{name: recipe[name] for name in wanted}]
    while len(found) < RECIPES:
        found.append(propose(study, wanted, {key(one) for one in found}, seed=0))
    return tuple(found)


def space_of(architecture: str) -> Space:
    """Return what was searched."""
    return space(architecture)


def base_recipe(architecture: str) -> Recipe:
    """Return what the recipes of an architecture have in common; the seed, too, as in a search."""
    return shared_recipe(architecture, get_profile("smoke")).replace(**CHANGES)


def train(architecture: str, number: int, data: TuningData) -> list[dict[str, Any]]:
    """Train a recipe to the end, with the trainer of every trial; returns a row per epoch."""
    values = recipes_of(architecture)[number]
    recipe = base_recipe(architecture).replace(**values)
    trainer = Trainer(recipe, data, torch.device("cpu"), Weights(kind="none"), workers=1)
    rows = []
    while not trainer.finished:
        report = trainer.train_epoch()
        measured = {name: getattr(report, name) for name in MEASURED}
        rows.append({"architecture": architecture, "recipe": number, **values, "epoch": report.epoch, **measured})
    return rows


def record(folder: Path, most: int | None = None) -> int:
    """Train what the folder does not have yet, one file per training; a run that was stopped continues.

    Args:
        folder: Holds finished trainings.
        most: Trainings of this call; None is all.

    Returns:
        Trainings that are still missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    wanted = [(number, name) for number in range(RECIPES) for name in ARCHITECTURES]
    missing = [one for one in wanted if not part(folder, *one).exists()]
    with road_tiles() as data:
        for number, name in missing[:most]:
            rows = train(name, number, data)
            path = part(folder, number, name)
            temporary = path.with_suffix(".tmp")
            pq.write_table(pa.Table.from_pylist(rows, schema(provenance(data))), temporary)
            temporary.replace(path)
            sys.stderr.write(f"{path.stem}: val IoU {max(row['val_iou'] for row in rows):.3f}\n")
    return len(missing[most:]) if most is not None else 0


@contextmanager
def road_tiles() -> Iterator[TuningData]:
    """Draw the tiles, as a user does; narrow models learn roads in a hundred steps, and roofs not."""
    counts = ",".join(map(str, TILES))
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        words = ["--kind", "roads", "--size", str(SIDE), "--counts", counts, "--seed", "0", "--dst", f"{folder}/roads"]
        command = [sys.executable, "-m", "sweep.patches", "synthesize", *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        yield TuningData.read(Path(folder) / "roads")


def part(folder: Path, number: int, architecture: str) -> Path:
    """Return the file of a training."""
    return folder / f"{number:02d}-{architecture}.parquet"


def provenance(data: TuningData) -> Mapping[str, Any]:
    """Say what a training was of; the same for all of a recording."""
    return {
        "command": shlex.join(["python", "-m", "benchmarks.replay", "--record"]),
        "tiles": f"synthetic roads, {TILES[0]} train and {TILES[1]} val of {SIDE} x {SIDE} pixels, seed 0",
        "tiles_sha256": data.fingerprint,
        "profile": "smoke",
        "changes": dict(CHANGES),
        "hardware": f"{os.cpu_count()} cores, one thread, {platform.machine()}",
        "versions": {name: version(name) for name in ("torch", "optuna", "albumentations")},
    }


def schema(recorded: Mapping[str, Any]) -> pa.Schema:
    """Return the columns, with what was recorded as metadata."""
    kinds = {"architecture": pa.string(), "augmentation": pa.string(), "recipe": pa.int16(), "epoch": pa.int16()}
    fields = [(name, kinds.get(name, pa.float64())) for name in (*COLUMNS, *MEASURED)]
    return pa.schema(fields, metadata={PROVENANCE: json.dumps(recorded)})


def gather(folder: Path, path: Path) -> None:
    """Write all trainings of a folder into one file, a row group per training.

    Raises:
        SystemExit: One is missing, or was recorded otherwise than the others.
    """
    parts = [part(folder, number, name) for name in ARCHITECTURES for number in range(RECIPES)]
    tables = [pq.read_table(one) for one in parts]
    said = {table.schema.metadata[PROVENANCE.encode()] for table in tables}
    if len(said) != 1:
        raise SystemExit(f"{folder}: its trainings differ in tiles, settings or versions; delete it and record again")
    recorded = {**json.loads(said.pop()), "date": f"{datetime.now(UTC):%Y-%m-%d}"}
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = schema(recorded)
    with pq.ParquetWriter(path, whole, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table.replace_schema_metadata(whole.metadata))


def read(path: Path = TABLE) -> Mapping[str, Sequence[Recorded]]:
    """Read recorded trainings: architecture to its recipes in their order."""
    found: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for row in pq.read_table(path).to_pylist():
        found.setdefault(row["architecture"], {}).setdefault(row["recipe"], []).append(row)
    return {
        name: [
            Recorded(
                values={field: rows[0][field] for field in space(name)},
                curve=tuple(row["val_iou"] for row in sorted(rows, key=lambda row: row["epoch"])),
            )
            for _, rows in sorted(recipes.items())
        ]
        for name, recipes in found.items()
    }


def read_provenance(path: Path = TABLE) -> Mapping[str, Any]:
    """Return what was recorded, how and when."""
    found: Mapping[str, Any] = json.loads(pq.read_schema(path).metadata[PROVENANCE.encode()])
    return found
