"""Whatever a user's files hold: it works, or one clear line a fault; never a traceback, never a changed input."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import string
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from search_spaces.custom import check_spaces, include_shared, load_space
from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from search_spaces.recipes import read_recipes
from sweep.cli.console import open_output
from sweep.patches.checks.checking import check
from sweep.patches.commands.check import check as check_command
from sweep.patches.commands.make import make
from sweep.patches.options import CheckOptions, Make
from sweep.patches.splits.chosen import read_split
from sweep.planning.plan import read_plan
from sweep.records.experiment import Experiment
from sweep.records.store import collect
from sweep.records.trials import TrialRecords, read_reports
from sweep.sealed.ledger import LEDGER_FILE, Ledger
from sweep.search.journal import open_studies
from tests.cases.experiments import a_reading
from tests.conftest import WriteDataset
from tests.reports import begin_experiment, plan_of
from trainables.checkpoints import BestWeights, dump_best, read_best
from trainables.data.manifest import MANIFEST_FILE, Manifest
from trainables.data.tiles import TuningData
from trainables.errors import TilesweepError
from trainables.recipe import Recipe
from trainables.storage import Storage

QUICK = 30
CASES = (QUICK, pytest.param(320, marks=pytest.mark.slow))
"""Seven targets: 210 cases in the quick tests, 2,240 more in all of them."""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def each(cases: int, *strategies: Any) -> Callable[[Callable[..., None]], None]:
    """Run a function on so many examples."""

    def run(function: Callable[..., None]) -> None:
        checked = settings(
            max_examples=cases,
            derandomize=cases == QUICK,  # the quick tests are the same every day; the long ones look further
            print_blob=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        checked(given(*strategies)(function))()

    return run


@contextmanager
def works_or_says_why(*inputs: Path) -> Iterator[None]:
    """Assert that the block ends well or with whole lines that name a mend, and leaves its input as it was."""
    before = [_content(path) for path in inputs]
    try:
        yield
    except TilesweepError as error:
        assert error.faults
        for fault in error.faults:
            line = " ".join(fault.split())
            assert len(line) > 20 and (";" in line or "must be" in line or "known:" in line or "(" in line), fault
            assert line.isprintable() or not fault.isprintable()
    assert [_content(path) for path in inputs] == before, "the input was changed"


def _content(path: Path) -> dict[str, str]:
    """Return the hash of every file at or below a path."""
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    return {str(one): hashlib.sha256(one.read_bytes()).hexdigest() for one in files if one.is_file()}


@contextmanager
def a_copy(of: Path) -> Iterator[Path]:
    """Give a copy of a folder to be damaged."""
    with tempfile.TemporaryDirectory() as place:
        yield Path(shutil.copytree(of, Path(place) / "copy", symlinks=True))


def _truncate(path: Path, dice: Any) -> None:
    path.write_bytes(path.read_bytes()[: dice.randrange(path.stat().st_size + 1)])


def _flip(path: Path, dice: Any) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(dice.choice((1, 5, 50)) if data else 0):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    path.write_bytes(data)


def _instead(make: Callable[[Path], object]) -> Callable[[Path, Any], None]:
    """Return a damage: something else in the file's place."""

    def damage(path: Path, dice: Any) -> None:
        path.unlink()
        make(path)

    return damage


def _mode(path: Path, dice: Any) -> None:
    """Put a picture of an odd mode or size there."""
    mode = dice.choice(("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "YCbCr", "HSV", "LAB"))
    size = (dice.choice((1, 31, 32, 64, 65, 96)), dice.choice((1, 31, 32, 64, 65, 96)))
    picture = Image.new(mode, size)
    kind = dice.choice(("PNG", "JPEG", "TIFF", "GIF", "BMP"))
    try:
        picture.save(path, kind)
    except (OSError, ValueError, KeyError):
        Image.new("L", size).save(path, "PNG")


def _rename(path: Path, dice: Any) -> None:
    names = (
        "=cmd|x",
        "<script>",
        "a b",
        "é" * 60,
        "漢字",
        "\n",
        "\x07bell",
        "x" * 240,
        "[b]",
        "$a_1$",
        "..",
        "a\udcff",
    )
    with suppress(OSError):  # longer than this filesystem allows
        path.rename(path.with_name(f"{dice.choice(names)}{path.suffix}"))


STRAYS = ("notes.txt", ".DS_Store", "Thumbs.db", "copy of t1.png", "t1.jpg")
SPOILT: dict[str, Callable[[Path, Any], object]] = {
    "truncated": _truncate,
    "flipped bits": _flip,
    "noise": lambda path, dice: path.write_bytes(dice.randbytes(dice.randrange(200))),
    "empty": lambda path, dice: path.write_bytes(b""),
}
"""Damages that leave a file."""
DAMAGES = {
    **SPOILT,
    "a folder": _instead(Path.mkdir),
    "nothing": _instead(lambda path: None),
    "a dangling link": _instead(lambda path: path.symlink_to("nowhere")),
    "a circular link": _instead(lambda path: path.symlink_to(path.name)),
    "unreadable": lambda path, dice: path.chmod(0),
    "a pipe": _instead(os.mkfifo),
    "another picture": _mode,
    "another name": _rename,
    "a stray file": lambda path, dice: (path.parent / dice.choice(STRAYS)).write_bytes(b"x"),
}
DAMAGE = st.sampled_from(tuple(DAMAGES.values()))


@pytest.fixture(scope="module")
def sound(write_dataset: WriteDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound dataset with a manifest."""
    from sweep.patches.checks.checking import describe

    root = write_dataset(tmp_path_factory.mktemp("fuzz") / "sound")
    describe(check(root), name="x", origin="", licence="").write(root)
    return root


@pytest.mark.parametrize("cases", CASES)
def test_tile_folders(sound: Path, cases: int) -> None:
    files = sorted(path.relative_to(sound) for path in sound.rglob("*.png"))

    @each(
        cases, st.lists(st.tuples(DAMAGE, st.sampled_from(files)), min_size=1, max_size=3), st.randoms(), st.booleans()
    )
    def damage(damages: list[tuple[Any, Path]], dice: Any, manifest: bool) -> None:
        with a_copy(sound) as root:
            if not manifest:
                (root / MANIFEST_FILE).unlink()
            for one, relative in damages:
                if (root / relative).is_file():
                    one(root / relative, dice)
            with works_or_says_why(root):
                TuningData.read(root)
            with works_or_says_why(root):
                report = check(root)
                if report.faults:
                    raise TilesweepError(report.faults)
            before = _content(root)
            code = check_command(CheckOptions(patches=root), open_output())
            assert code == 0 or (code == 2 and (report.faults or report.leaks))
            assert {k: v for k, v in _content(root).items() if MANIFEST_FILE not in k} == {
                k: v for k, v in before.items() if MANIFEST_FILE not in k
            }


@pytest.mark.parametrize("cases", CASES)
def test_manifests(sound: Path, cases: int) -> None:
    text = (sound / MANIFEST_FILE).read_text()
    whole = json.loads(text)
    fields = sorted(whole)

    @each(
        cases, st.randoms(), st.sampled_from(("text", "bytes", "json", "field", "entry")), JSON, st.sampled_from(fields)
    )
    def damage(dice: Any, how: str, value: Any, name: str) -> None:
        with a_copy(sound) as root:
            path = root / MANIFEST_FILE
            if how == "text":
                path.write_text(text[: dice.randrange(len(text))])
            elif how == "bytes":
                _flip(path, dice)
            elif how == "json":
                path.write_text(json.dumps(value))
            elif how == "field":
                path.write_text(json.dumps({**whole, name: value}))
            else:
                files = dict(whole["files"])
                files[dice.choice(sorted(files))] = value
                path.write_text(json.dumps({**whole, "files": files}))
            with works_or_says_why(root):
                Manifest.read(root)
            with works_or_says_why(root):
                TuningData.read(root)


@pytest.mark.parametrize("cases", CASES)
def test_split_files(tmp_path: Path, cases: int) -> None:
    names = st.lists(st.text(max_size=12) | st.sampled_from(("a1", "a*", "[", "**", "b?")), max_size=3)
    splits = st.dictionaries(st.sampled_from(("train", "val", "test", "extra")), names | JSON, max_size=4)

    @each(cases, splits | st.text(max_size=60) | st.binary(max_size=60))
    def damage(content: Any) -> None:
        path = tmp_path / "split.toml"
        path.write_bytes(_toml(content))
        with works_or_says_why(path):
            read_split(str(path), ["a1", "a2", "b1", "b2", "c1"])


def _toml(content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode(errors="replace")
    lines = (f"{json.dumps(key)} = {json.dumps(value)}" for key, value in content.items())
    return "\n".join(lines).encode(errors="replace")


@pytest.mark.parametrize("cases", CASES)
def test_recipes(tmp_path: Path, cases: int) -> None:
    fields = sorted(Recipe(architecture="unet").to_dict())
    values = st.integers() | st.floats() | st.text(max_size=10) | st.booleans() | st.lists(st.integers(), max_size=2)
    tables = st.dictionaries(
        st.sampled_from(("unet", "smp_unet_resnet34", "sam_vit_b_conv", "uent")),
        st.dictionaries(st.sampled_from([*fields, "learning_rte"]), values, max_size=3),
        max_size=2,
    )

    @each(cases, tables | st.text(max_size=60) | st.binary(max_size=60))
    def damage(content: Any) -> None:
        path = tmp_path / "recipes.toml"
        if isinstance(content, dict):
            lines = []
            for name, table in content.items():
                lines += [f"[{json.dumps(name)}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
            path.write_text("\n".join(lines), errors="replace")
        else:
            path.write_bytes(_toml(content))
        with works_or_says_why(path):
            for name, changes in read_recipes(path).items():
                shared_recipe(name, get_profile("smoke"), seed=1).replace(**changes)


DISTRIBUTIONS = (
    "FloatDistribution(1e-4, 1e-2, log=True)",
    "FloatDistribution(0.0, 0.6)",
    "FloatDistribution(2.0, 1.0)",
    "FloatDistribution(-1.0, float('inf'))",
    "IntDistribution(1, 8)",
    "IntDistribution(0, 10**9)",
    "CategoricalDistribution(['LIGHT', 'HEAVY', 'nothing'])",
    "CategoricalDistribution([])",
    "CategoricalDistribution([None, 1, 'a'])",
    "0.5",
    "None",
    "[1, 2]",
)
BODIES = ("return {space}", "raise KeyError('x')", "return None", "return [1]", "return {{1: 2}}", "exit(3)", "yield 1")


@pytest.mark.parametrize("cases", CASES)
def test_spaces(tmp_path: Path, cases: int) -> None:
    recipe = shared_recipe("unet", get_profile("smoke"), seed=1)
    fields = st.sampled_from([*sorted(recipe.to_dict()), "learning_rte", ""])
    spaces = st.dictionaries(fields, st.sampled_from(DISTRIBUTIONS), max_size=3)
    code = st.text(alphabet=string.printable, max_size=80)

    @each(cases, spaces, st.sampled_from(BODIES), st.none() | code, st.sampled_from(("architecture", "", "a, b", "*x")))
    def damage(space: dict[str, str], body: str, other: str | None, arguments: str) -> None:
        path = tmp_path / "space.py"
        entries = ", ".join(f"{name!r}: {values}" for name, values in space.items())
        text = "from optuna.distributions import *\n"
        text += f"def space({arguments}):\n    {body.format(space='{' + entries + '}')}\n"
        path.write_text(text if other is None else _harmless(other), errors="replace")
        with works_or_says_why(path):
            found = {"unet": load_space(path)("unet")}
            check_spaces(found, {"unet": recipe}, "--space")
            include_shared(found["unet"], recipe)


def _harmless(code: str) -> str:
    """Put random text where it can be anything but a command to the machine."""
    return f"def space(architecture):\n    return {code!r}\n{code.split('import')[0][:20]}"


@pytest.mark.parametrize("cases", CASES)
def test_sources_become_a_whole_dataset_or_none(tmp_path: Path, cases: int) -> None:
    src = tmp_path / "src"
    for kind in ("imgs", "msks"):
        (src / kind).mkdir(parents=True)
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 255, (96, 96, 3), dtype=np.uint8)
        Image.fromarray(noise).save(src / "imgs" / f"s{number}.png")
        Image.fromarray((noise[..., 0] > 128).astype(np.uint8) * np.uint8(255)).save(src / "msks" / f"s{number}.png")
    split = tmp_path / "split.toml"
    split.write_text('train = ["s0"]\nval = ["s1"]\ntest = ["s2"]\n')
    files = sorted(path.relative_to(src) for path in src.rglob("*.png"))

    @each(cases, st.lists(st.tuples(DAMAGE, st.sampled_from(files)), max_size=2), st.randoms())
    def damage(damages: list[tuple[Any, Path]], dice: Any) -> None:
        with a_copy(src) as copy:
            for one, relative in damages:
                if (copy / relative).is_file():
                    one(copy / relative, dice)
            out = copy.with_name("out")
            with works_or_says_why(copy):
                make(Make(src=copy, dst=out, split=str(split), size=64), open_output())
            if out.exists():
                assert not check(out).faults
            assert {path.name for path in copy.parent.iterdir()} <= {"copy", "out"}, "nothing half-written is left"


@pytest.mark.parametrize("cases", CASES)
def test_experiments(tmp_path: Path, cases: int) -> None:
    whole = tmp_path / "runs"
    recipe = Recipe(architecture="unet", model_size="tiny")
    plan = plan_of(recipe=recipe)
    experiment = begin_experiment(whole, plan)
    experiment.write("unet/reports.jsonl", b'{"epoch": 1, "val_iou": 0.5, "best_val_iou": 0.5, "best_epoch": 1}\n')
    best = BestWeights(recipe=recipe, weights=plan.weights, epoch=1, val_iou=0.5, data_fingerprint="f")
    experiment.write("unet/best.safetensors", dump_best({}, best))
    Ledger(experiment.storage).append([a_reading()])
    open_studies(experiment, None)
    files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
    assert Path(LEDGER_FILE) in files

    @each(cases, st.sampled_from(tuple(SPOILT.values())), st.sampled_from(files), st.randoms(), JSON)
    def damage(one: Any, relative: Path, dice: Any, value: Any) -> None:
        with a_copy(whole) as root:
            one(root / relative, dice)
            if dice.random() < 0.3:
                (root / relative).write_text(json.dumps(value) + "\n")
            found = Storage.open(str(root))

            def look() -> None:
                opened = Experiment.find(found, "e", "--resume")
                read_plan(opened)
                TrialRecords(opened)
                read_reports(opened, "unet")
                open_studies(opened, None)
                collect(opened)

            for action in (
                look,
                lambda: Ledger(found).readings(),
                lambda: read_best(root / "e/unet/best.safetensors"),
            ):
                with works_or_says_why():
                    action()
