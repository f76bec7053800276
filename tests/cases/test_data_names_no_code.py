"""Weights, experiments, recipes and records name code, and none of it runs."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from search_spaces.recipes import read_recipes
from sweep.export.command import COMMAND as EXPORT
from sweep.planning.plan import SweepPlan
from sweep.predict.command import COMMAND as PREDICT
from sweep.records.experiment import Experiment
from sweep.records.store import gather
from sweep.sealed.next_step import next_command, resume_command
from sweep.session.own_code import own_code, require_named_code, require_same_code
from tests.cases.finished import run_here
from tests.reports import begin_experiment, plan_of
from trainables.checkpoints import load_best
from trainables.data.tiles import TuningData
from trainables.errors import ExperimentError, RecipeError, TilesweepError
from trainables.models import families, trust
from trainables.models.own_source import ENTRY_POINTS, source_of
from trainables.models.registry import build_model, described, source_sha256, trust_typed, trusted_hashes
from trainables.models.resolving import on_this_node
from trainables.models.weights import Weights
from trainables.recipe import Recipe
from trainables.segmentation import SegmentationTrainable
from trainables.storage import Storage

CODE = """
from pathlib import Path
import torch
(Path(__file__).parent / "ran.txt").write_text("ran")

def build(recipe, channels):
    return torch.nn.Sequential(torch.nn.Conv2d(3, channels, 1))
"""


@pytest.fixture(autouse=True)
def nothing_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "_TRUSTED", {})


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A file that leaves a mark where it runs."""
    path = tmp_path / "city_model.py"
    path.write_text(CODE)
    return path


def _ran(code: Path) -> bool:
    return (code.parent / "ran.txt").exists()


def _weights(path: Path, architecture: str, source_sha256: str = "", **started_from: str) -> Path:
    """Write weights that fit ``CODE``, with metadata that says what somebody wants it to say."""
    metadata = {
        "format": 1,
        "recipe": {"architecture": architecture, "model_size": "tiny"},
        "weights": {"kind": "none", **started_from},
        "epoch": 1,
        "val_iou": 0.5,
        "data_fingerprint": "f",
        "encoder_sha256": "",
        "source_sha256": source_sha256,
    }
    tensors = {f"network.0.{name}": one for name, one in torch.nn.Conv2d(3, 1, 1).state_dict().items()}
    safetensors.torch.save_file(tensors, path, {"tilesweep": json.dumps(metadata)})
    return path


def _experiment(folder: Path, architecture: str, code: dict[str, str], **changes: Any) -> tuple[Experiment, SweepPlan]:
    recipe = Recipe(architecture=architecture, model_size="tiny")
    trial = plan_of("one", recipe=recipe)
    return begin_experiment(folder, trial, name="theirs", code=code, **changes), SweepPlan(trials=(trial,))


def test_weights_that_name_a_file_are_refused_and_the_file_does_not_run(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where a file of that name would be looked for
    for name in ("/nowhere/city_model.py", f"{code}:build", "city_model.py"):
        for digest in ("", source_of(f"{code}:build").sha256):
            with pytest.raises(TilesweepError, match=r"best\.safetensors: .*(--trust-code|is not the file)"):
                load_best(_weights(tmp_path / "best.safetensors", name, digest))
    assert not _ran(code)


def test_trusted_code_runs_only_if_it_is_what_trained_the_weights(code: Path, tmp_path: Path) -> None:
    name, path = f"{code}:build", tmp_path / "best.safetensors"
    trust.trust_everything()
    for wrong in ("", "0" * 64):
        with pytest.raises(ExperimentError, match="is not the file that these weights were trained with"):
            load_best(_weights(path, name, wrong))
    assert not _ran(code)
    model, best = load_best(_weights(path, name, source_sha256(name)))
    assert _ran(code) and best.recipe.architecture == name
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 1, 32, 32)


def test_needs_that_name_code_are_refused(code: Path, tmp_path: Path) -> None:
    trust.trust_everything()
    with pytest.raises(ExperimentError, match=r"weights\.needs is 'own:.*has no use for"):
        load_best(_weights(tmp_path / "best.safetensors", "unet", needs=f"own:{code}:build"))
    trust._TRUSTED.clear()
    with pytest.raises(TilesweepError, match="--trust-code"):  # the way by which a node fetches what it lacks
        on_this_node(Weights(kind="own", needs=f"own:{code}:build", path="/nowhere"))
    assert not _ran(code)


def test_what_the_user_types_runs_and_no_other_file(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = Recipe(architecture=f"{code}:build", model_size="tiny")
    with pytest.raises(RecipeError, match="--trust-code"):
        build_model(recipe, Weights(kind="none"))
    with pytest.raises(RecipeError, match="there is no such file"):  # not the one of that name in the current folder
        trust_typed([f"{tmp_path}/gone/city_model.py:build"])
    trust_typed(["unet", "city_model.py"])
    build_model(recipe, Weights(kind="none"))
    assert _ran(code)
    code.write_text(CODE + "# changed")
    with pytest.raises(RecipeError, match="another one than at the start"):
        build_model(recipe, Weights(kind="none"))


def test_recipes_name_no_code(code: Path, tmp_path: Path) -> None:
    (tmp_path / "recipes.toml").write_text(f'["{code}:build"]\nlearning_rate = 0.001\n')
    names = list(read_recipes(tmp_path / "recipes.toml"))
    with pytest.raises(RecipeError, match=r"city_model.py:build: is Python code that a file names.*--trust-code"):
        require_named_code(names)
    trust.trust_everything()
    require_named_code(names)
    assert not _ran(code)


def test_an_experiment_is_resumed_with_code_only_when_told(code: Path, tmp_path: Path) -> None:
    name = f"{code}:build"
    experiment, plan = _experiment(tmp_path / "r", name, {name: source_sha256(name)})
    assert own_code(plan) == {name: source_sha256(name)}
    with pytest.raises(RecipeError, match="--trust-code"):
        require_same_code(experiment, plan)
    assert "--trust-code" not in resume_command(experiment, experiment.description)
    trust.trust_everything()
    require_same_code(experiment, plan)
    assert "phase1 --trust-code --resume theirs" in resume_command(experiment, experiment.description)
    assert trusted_hashes(["unet", name]) == {name: source_sha256(name)}  # what its trials may run
    assert not _ran(code)


def test_a_trial_runs_what_its_driver_allows_and_nothing_else(code: Path, tmp_path: Path, dataset: Path) -> None:
    name = f"{code}:build"
    recipe = Recipe(architecture=name, model_size="tiny", crop_size=64, draws_per_epoch=2, batch_size=2, max_epochs=1)

    def train(allowed: dict[str, str]) -> dict[str, Any]:
        folder = Storage.open(str(tmp_path / f"trial{len(allowed)}"))
        folder.create()
        trial = SegmentationTrainable.__new__(SegmentationTrainable)
        trial._trial_info = None
        settings = {"attempt": "one", "recipe": recipe.to_dict(), "weights": {"kind": "none"}, "tiles": [], "until": 9}
        how = {"device": "cpu", "compiled": False, "trace": False, "folder": folder.address, "code": allowed}
        trial.setup({"trial": {**settings, **how}}, data=TuningData.read(dataset))
        return trial.step()

    for allowed in ({}, {name: "0" * 64}):
        with pytest.raises(RecipeError, match=r"--trust-code|another one than at the start"):
            train(allowed)
        assert not _ran(code)
    assert train({name: source_sha256(name)})["finished"] and _ran(code)


def test_an_experiment_that_does_not_say_what_its_code_was_is_not_resumed(code: Path, tmp_path: Path) -> None:
    trust.trust_everything()
    for number, recorded in enumerate(({}, {"another": "0"})):
        experiment, plan = _experiment(tmp_path / str(number), f"{code}:build", recorded)
        with pytest.raises(ExperimentError, match="does not record which version"):
            require_same_code(experiment, plan)
    assert not _ran(code)


@pytest.mark.parametrize("name", ["/nowhere/city_model.py:build", "smp:Nothing/like-it", "not_installed", "mine.py"])
def test_tables_are_made_of_any_record_without_a_look_at_what_it_names(name: str, tmp_path: Path) -> None:
    experiment, _ = _experiment(tmp_path / "r", name, {})
    before = set(sys.modules)
    (trial,) = gather(experiment).trials
    assert trial.architecture == name and trial.slug == described(name).slug
    assert next_command(experiment, experiment.description, [trial]).endswith(f"{tmp_path / 'r'}")
    assert not {"segmentation_models_pytorch", "timm"} & (set(sys.modules) - before)


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ("python -m sweep.phase1 --name a --trust-code --repeats 2", "python -m sweep.phase1 --repeats 2"),
        ("tilesweep phase2 --trials 4", "tilesweep phase2 --trials 4"),
        ("rm -rf /", "python -m sweep.phase1 --profile smoke"),
        ("python -m sweep.phase1x", "python -m sweep.phase1 --profile smoke"),
    ],
)
def test_the_command_to_be_pasted_is_ours(recorded: str, shown: str, tmp_path: Path) -> None:
    changes = {"ended": True, "profile": "smoke", "provenance": {"command": recorded}}
    experiment, _ = _experiment(tmp_path / "r", "unet", {}, **changes)
    assert next_command(experiment, experiment.description, []) == shown


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package whose very import leaves a mark."""
    folder = tmp_path / "site"
    (folder / "planted_x").mkdir(parents=True)
    (folder / "planted_x/__init__.py").write_text("from pathlib import Path\nPath(__file__).with_name('ran').touch()\n")
    (folder / "planted_x/models.py").write_text(CODE)
    (folder / "planted_x-1.dist-info").mkdir()
    (folder / "planted_x-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: planted-x\nVersion: 1\n")
    (folder / "planted_x-1.dist-info/entry_points.txt").write_text(
        f"[{ENTRY_POINTS}]\nplanted = planted_x.models:build\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    families.installed.cache_clear()
    yield folder / "planted_x"
    families.installed.cache_clear()
    for name in ("planted_x", "planted_x.models"):
        sys.modules.pop(name, None)


def test_a_package_that_weights_name_is_not_even_imported(package: Path, tmp_path: Path) -> None:
    assert source_of("planted").path == package / "models.py"
    path = _weights(tmp_path / "best.safetensors", "planted", source_sha256("planted"))
    with pytest.raises(TilesweepError, match="--trust-code"):
        load_best(path)
    assert not (package / "ran").exists() and not (package / "ran.txt").exists()
    trust.trust_everything()
    load_best(path)
    assert (package / "ran").exists()


def test_the_refusal_names_the_file_that_would_run(code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = _weights(tmp_path / "best.safetensors", "/nowhere/city_model.py", source_sha256(f"{code}:build"))
    with pytest.raises(TilesweepError, match=f"look at it, here {code}, then run it with --trust-code"):
        load_best(path)


def test_the_commands_refuse_a_bundle_and_say_what_lets_it_run(
    code: Path, tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    best = _weights(tmp_path / "best.safetensors", f"{code}:build", source_sha256(f"{code}:build"))
    shutil.copy(next((dataset / "val/images").iterdir()), tmp_path / "image.png")
    predict = ["image.png", "--model", best.name, "--out", "out"]
    export = ["--model", best.name, "--out", "x.onnx", "--patches", str(dataset)]
    for command, arguments in ((PREDICT, predict), (EXPORT, export)):
        assert run_here(command, *arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: best.safetensors: architecture") and "--trust-code" in line
    assert not _ran(code) and not (tmp_path / "x.onnx").exists()
    assert run_here(PREDICT, *predict, "--trust-code") == 0
    assert _ran(code) and (tmp_path / "out/image_mask.png").exists()
