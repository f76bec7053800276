"""The replay: what it measures with students whose knowledge is known, and the command on small tiles."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rich.console import Console

from sweep.next.replay.curves import (
    CHANCE,
    best_strategy,
    curves_of,
    paired_interval,
    reaches_double,
    worth_in_random,
)
from sweep.next.replay.pixels import Directions, TilePixels
from sweep.next.replay.record import REPLAY_FILE, read_replay
from sweep.next.replay.replaying import fitting_budgets
from sweep.next.replay.running import Replay, run_replay
from sweep.next.replay.saying import curves_sheet
from sweep.next.replay.student import ProbeStudent
from sweep.next.strategies.registry import STRATEGIES
from sweep.next.strategies.strategy import Pool
from tests.commands import assert_refused, run_here
from tests.conftest import WriteDataset
from tests.models import write_best
from trainables.errors import ExperimentError
from trainables.task import Task


@dataclass(frozen=True)
class Memory:
    """Knows as much as it has seen: each tile is worth its number; what it has not seen is uncertain by its worth."""

    labelled: tuple[int, ...]
    count: int

    @property
    def ious(self) -> NDArray[np.float64]:
        return np.array([sum(self.labelled) / sum(range(self.count))] * 2)

    def pool(self, rest: Sequence[int]) -> Pool:
        worth = np.array(rest, np.float32) / self.count
        shares = np.stack([1 - worth, worth], axis=1)
        return Pool(
            features=worth[:, None],
            entropy=worth,
            disagreement=np.zeros(len(rest), np.float32),
            shares=shares,
            labelled_features=np.zeros((0, 1), np.float32),
            labelled_shares=np.zeros((0, 2), np.float32),
        )


@dataclass(frozen=True)
class Collector:
    """A student that is never wrong about what it does not know."""

    count: int = 20

    @property
    def tiles(self) -> list[str]:
        return [f"t{number}" for number in range(self.count)]

    @property
    def val(self) -> list[str]:
        return ["v1", "v2"]

    def study(self, labelled: Sequence[int]) -> Memory:
        return Memory(tuple(labelled), self.count)


SOME = [STRATEGIES[name] for name in (CHANCE, "uncertainty")]


def replayed(draws: int = 8, students: int = 1) -> Replay:
    return run_replay([Collector()] * students, SOME, (3, 6, 12), draws, seed=0)


def test_every_strategy_begins_with_the_same_tiles_and_ends_with_as_many() -> None:
    replay = replayed(students=3)
    assert {name: found.shape for name, found in replay.ious.items()} == {CHANCE: (8, 3, 6), "uncertainty": (8, 3, 6)}
    assert np.array_equal(replay.ious[CHANCE][:, 0], replay.ious["uncertainty"][:, 0])
    assert (np.diff(replay.means("uncertainty"), axis=1) > 0).all()
    assert len({tuple(one) for one in replay.means(CHANCE)}) == 8, "each draw is another one"


def test_the_same_seed_replays_the_same() -> None:
    one, other = replayed(2), replayed(2)
    assert all(np.array_equal(one.ious[name], other.ious[name]) for name in one.ious)


def test_a_strategy_that_asks_for_what_is_worth_most_is_better_than_chance() -> None:
    curves = curves_of(replayed())
    assert best_strategy(curves) == "uncertainty"
    gain = curves[1].gain
    assert gain is not None and gain.low is not None and 0 < gain.low < gain.mean
    assert curves[1].worth[0] == 3 and (curves[1].worth[1] or 99) > 6
    half, whole, count = reaches_double(replayed(), "uncertainty") or (0, 0, 0)
    assert (half, whole) == (6, 12) and count < 8


def test_chance_against_itself_is_no_better() -> None:
    replay = replayed()
    same = Replay(budgets=replay.budgets, ious={CHANCE: replay.ious[CHANCE], "both": replay.ious[CHANCE]})
    assert best_strategy(curves_of(same)) == CHANCE


def test_noise_is_seldom_called_a_gain() -> None:
    random = np.random.default_rng(0)
    wrong = 0
    for _ in range(400):
        ious = {name: random.normal(0.5, 0.05, (10, 3, 2)) for name in STRATEGIES}
        wrong += best_strategy(curves_of(Replay(budgets=(5, 8, 12), ious=ious))) != CHANCE
    assert wrong / 400 < 0.05


def test_a_paired_interval_is_student_s() -> None:
    found = paired_interval(np.array([0.1, 0.2, 0.3]))
    assert found.mean == pytest.approx(0.2) and found.low == pytest.approx(0.2 - 4.3027 * 0.1 / 3**0.5, abs=1e-4)
    assert (paired_interval(np.array([0.1, 0.2, 0.3]), comparisons=4).low or 0) < (found.low or 0)
    assert paired_interval(np.array([0.1])).low is None


@pytest.mark.parametrize(
    ("iou", "expected"), [(0.3, 5), (0.2, 5), (0.35, 6.5), (0.4, 8), (0.5, 12), (0.6, 24), (0.61, None)]
)
def test_what_chosen_tiles_are_worth_is_read_off_the_curve_of_chance(iou: float, expected: float | None) -> None:
    found = worth_in_random(iou, (5, 8, 12, 24), (0.3, 0.4, 0.5, 0.6))
    assert found == (expected if expected is None else pytest.approx(expected))


def test_a_curve_of_chance_that_falls_is_made_rising() -> None:
    assert worth_in_random(0.45, (5, 8, 12), (0.3, 0.5, 0.4)) == pytest.approx(5 + 3 * 0.75)


def pixels(name: str, shift: float, seed: int) -> TilePixels:
    """Return a tile whose classes one feature tells apart."""
    random = np.random.default_rng(seed)
    classes = random.integers(0, 2, 300)
    features = random.normal(size=(300, 8))
    features[:, 0] += 4 * classes + shift
    return TilePixels(
        name=name,
        features=torch.tensor(features).half(),
        classes=torch.tensor(classes),
        pooled=np.array([shift, 0], np.float32),
    )


def test_a_probe_student_learns_and_says_what_it_does_not_know() -> None:
    own = [pixels(f"t{number}", 0, number) for number in range(4)] + [pixels("odd", -2, 9)]
    held = [pixels("v", 0, 11)]
    student = ProbeStudent(own=own, held=held, scenes={}, task=Task())
    lesson = student.study([0, 1, 2])
    assert lesson.ious[0] > 0.8
    pool = lesson.pool([3, 4])
    assert len(pool) == 2 and pool.shares.sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert pool.shares[1, 1] < pool.shares[0, 1], "of the shifted tile it expects less foreground"
    assert pool.labelled_features.shape == (3, 2) and pool.labelled_shares[0].sum() == pytest.approx(1)


def test_main_directions_keep_what_tells_classes_apart() -> None:
    tiles = [pixels(f"t{number}", 0, number) for number in range(3)]
    along = [Directions.of(tiles).along(one) for one in tiles]
    student = ProbeStudent(own=along[:2], held=along[2:], scenes={}, task=Task())
    assert student.study([0, 1]).ious[0] > 0.8


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Path:
    root = write_dataset(tmp_path_factory.mktemp("data") / "patches", train=6)
    assert run_here("patches", "check", "--patches", root).returncode == 0
    for path in (root / "test").rglob("*.png"):
        path.write_bytes(b"nobody reads this")
    return root


def replay(patches: Path, *more: object, draws: int = 3, tiles: str = "3,4,5") -> Any:
    return run_here("next", "--replay", "--patches", patches, "--draws", draws, "--tiles", tiles, *more, COLUMNS="80")


def test_the_command_replays_shows_and_keeps(patches: Path, tmp_path: Path) -> None:
    done = replay(patches)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in STRATEGIES)
    assert max(map(len, (line for line in done.stdout.splitlines() if line.startswith(tuple(STRATEGIES))))) <= 80
    record = read_replay(patches)
    assert record is not None and record["budgets"] == [3, 4, 5] and record["draws"] == 3
    assert record["curves"][0]["name"] == CHANCE
    assert ("no better than random here" in done.stdout) == (record["strategy"] == CHANCE)


def test_the_table_of_five_budgets_fits_eighty_columns() -> None:
    random = np.random.default_rng(0)
    ious = {name: random.random((4, 5, 3)) for name in STRATEGIES}
    curves = curves_of(Replay(budgets=(5, 8, 12, 16, 24), ious=ious))
    screen = Console(width=80, file=io.StringIO(), record=True)
    screen.print(curves_sheet("title", (5, 8, 12, 16, 24), curves))
    text = screen.export_text()
    assert "left out" not in text and "worth" in text and all(name in text for name in STRATEGIES)


def test_folds_score_every_tile(patches: Path) -> None:
    done = replay(patches, "--folds", 2, "--json", "--strategy", "diverse", draws=2)
    assert done.returncode == 0, done.stderr
    curves = [one for line in done.stdout.splitlines() if (one := json.loads(line))["event"] == "curve"]
    assert [one["strategy"] for one in curves] == [CHANCE, "diverse"] or len(curves) == 2


def test_few_tiles_are_replayed_in_thirds_unless_numbers_were_typed() -> None:
    assert fitting_budgets((5, 8, 12, 16, 24), 20) == (5, 8, 12, 16)
    assert fitting_budgets((5, 8, 12, 16, 24), 6) == (2, 4, 6)
    with pytest.raises(ExperimentError, match="--tiles 5,8: 6 tiles may be uncovered"):
        fitting_budgets((5, 8), 6)


@pytest.mark.parametrize("strategy", [CHANCE, "diverse"])
def test_a_choice_follows_what_a_replay_found(strategy: str, patches: Path, tmp_path: Path) -> None:
    replay(patches, draws=2)
    path = patches / REPLAY_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"strategy": strategy}))
    model = write_best(tmp_path / "m.safetensors", patches, "unet")
    photos = patches.parent / f"photos-{strategy}"
    photos.mkdir()
    from PIL import Image

    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(photos / f"p{number}.png")
    flags = ("--model", model, "--patches", patches, "--count", 1, "--out", tmp_path / "out")
    done = run_here("next", photos, *flags)
    assert done.returncode == 0, done.stderr
    assert f"strategy       {strategy}:" in done.stdout
    assert ("no better than random here" in done.stdout) == (strategy == CHANCE)


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / REPLAY_FILE).write_text('{"format": 1}')
    with pytest.raises(ExperimentError, match=f"{REPLAY_FILE}: damaged"):
        read_replay(tmp_path)
    assert read_replay(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--replay",), "--replay: name the labelled dataset by --patches"),
        (("--replay", "--patches", "{patches}", "--model", "m"), "--model: --replay looks at a labelled dataset alone"),
        (("--replay", "--patches", "{patches}", "--tiles", "50,60"), "--tiles 50,60: 6 tiles may be uncovered"),
        (("--replay", "--patches", "{patches}", "--strategy", "rar"), "did you mean 'rare'"),
        (("--replay", "--patches", "{patches}", "--tiles", "3,5", "--architecture", "unett"), "did you mean"),
        (("--replay", "--patches", "{patches}", "--tiles", "3,5", "--architecture", "unet"), "has no encoder"),
        (("--replay", "--patches", "nowhere"), "nowhere"),
        (("--replay", "--patches", "{patches}", "--folds", "99"), "--folds 99"),
    ],
)
def test_mistakes_are_said_in_a_line(arguments: tuple[str, ...], said: str, patches: Path) -> None:
    assert_refused(run_here("next", *(one.format(patches=patches) for one in arguments)), said)
