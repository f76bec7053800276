"""A number that no sweep can mean is refused at once: each option has a stated bound, and so has their product."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import get_type_hints

import pytest

from search_spaces.limits import MAX_TRIALS, require_few
from sweep.cli.marks import Bounds, marked, require_in_bounds
from sweep.commands import ALL
from sweep.phase1.command import Phase1Options
from sweep.phase3.command import Phase3Options
from trainables.errors import ExperimentError, RecipeError
from trainables.recipe import Recipe

COMMANDS = {one.name: one for one in ALL.commands()}
COUNTS = {
    "phase1 --plan --repeats 10000000": "--repeats 10000000: must be at most 1,000",
    "phase1 --plan --repeats 0": "--repeats 0: must be at least 1",
    "phase1 --plan --max-failures -1": "--max-failures -1: must be at least 0",
    "phase1 --plan --max-concurrent 0": "--max-concurrent 0: must be at least 1",
    "phase1 --plan --seed -1": "--seed -1: must be at least 0",
    "phase1 --plan --seed 4294967296": "--seed 4294967296: must be at most 4,294,967,295",
    "phase2 --plan --trials 1000000000": "--trials 1000000000: must be at most 100,000",
    "phase2 --plan --confirm 1 --repeats 1000000000": "--repeats 1000000000: must be at most 1,000",
    "phase2 --plan --confirm 10000000": "--confirm 10000000: must be at most 1,000",
    "phase2 --plan --max-epochs 10000000000": "--max-epochs 10000000000: must be at most 99,999",
    "phase2 --plan --trials 99999 --architectures unet --confirm 1000 --repeats 1000": "makes 1,099,999 trials",
    "phase3 --plan --draws 10000000": "--draws 10000000: must be at most 1,000",
    "phase3 --plan --tune 1000000000": "--tune 1000000000: must be at most 100,000",
    "phase3 --plan --tiles 5,99999999999": "--tiles 99999999999: must be at most 1,000,000",
    "phase3 --plan --architectures unet --tune 50000 --tiles 1,2,3": "makes 150,",
    f"phase3 --plan --architectures unet --draws 1000 --tiles {','.join(map(str, range(1, 102)))}": "makes 101,000",
    "patches synthesize --dst d --counts 1000000000,1,1": "--counts 1000000000: must be at most 100,000",
    "patches synthesize --dst d --size 320000": "--size 320000: must be at most 4,096",
    "patches make --src s --dst d --size 3200000": "--size 3200000: must be at most 16,384",
    "predict x.png --model m --out o --ensemble 1000000000": "--ensemble 1000000000: must be at most 100",
    "predict x.png --model m --out o --batch-size 1000000000": "--batch-size 1000000000: must be at most 4,096",
}


@pytest.mark.parametrize(("words", "said"), COUNTS.items(), ids=COUNTS)
def test_an_absurd_count_is_one_line_at_once(
    words: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = next(one for one in COMMANDS if words.startswith(f"{one} "))
    arguments = words.removeprefix(name).split()
    begun = time.process_time()
    with pytest.raises(SystemExit) as caught:
        COMMANDS[name].run([*arguments, *(["--profile", "smoke"] if name.startswith("phase") else [])])
    error = capsys.readouterr().err
    assert caught.value.code == 2 and said in error and error.count("\n") == 1
    assert time.process_time() - begun < 15


@pytest.mark.parametrize("name", COMMANDS)
def test_every_whole_number_of_every_command_has_bounds(name: str) -> None:
    checked = {"doctor": {"classes", "size"}, "export": {"opset", "size"}}.get(name, set())  # where they are used

    hints = get_type_hints(COMMANDS[name].options)
    numbers = {one for one, hint in hints.items() if re.search(r"\bint\b", str(hint))}
    assert numbers - checked == set(marked(COMMANDS[name].options, Bounds))


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ExperimentError) as caught:
        require_in_bounds(Phase1Options(repeats=0, max_failures=-1, seed=10**30))
    assert [fault.split()[0] for fault in caught.value.faults] == ["--seed", "--max-failures", "--repeats"]
    with pytest.raises(ExperimentError, match=r"--seed 999999999999\.\.\. \(400 digits\): must be at most"):
        require_in_bounds(Phase1Options(seed=int("9" * 400)))
    with pytest.raises(ExperimentError, match="of more than 4,300 digits: must be at most"):
        require_in_bounds(Phase3Options(draws=10**5000))


def test_the_largest_sweep_is_a_hundred_thousand_trials() -> None:
    require_few(MAX_TRIALS, "x")
    with pytest.raises(ExperimentError, match=r"^x: makes 100,001 trials, and a sweep has at most 100,000; lower"):
        require_few(MAX_TRIALS + 1, "x")


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("crop_size", 16_384),
        ("validation_crop", 65_536),
        ("draws_per_epoch", 1_000_000),
        ("batch_size", 4_096),
        ("max_epochs", 99_999),
        ("patience", 1_000_000),
        ("seed", 4_294_967_295),
        ("clip_norm", 1e9),
    ],
)
def test_a_recipe_takes_its_largest_value_and_no_larger_one(name: str, most: float) -> None:
    assert getattr(Recipe(**{name: most}), name) == most
    for value in (most + 32, int("9" * 400), int("9" * 4_000) * 10**4_000):
        with pytest.raises(RecipeError, match=f"recipe field {name} is .* must be .*at most") as caught:
            Recipe(**{name: value})
        assert len(str(caught.value)) < 200
