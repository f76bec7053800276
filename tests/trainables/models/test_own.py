"""Architectures of one's own: named, found, built, refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from trainables.errors import RecipeError, TilesweepError, WeightsError
from trainables.models import contract, families, own_source, trust
from trainables.models.registry import build_model, get_architecture, source_sha256
from trainables.models.resolving import resolve
from trainables.models.weights import Weights
from trainables.recipe import Recipe

GOOD = """
import torch
from torch import nn

class Net(nn.Module):
    stride = 8
    mean = (0.1, 0.2, 0.3)
    pretrained = True
    auxiliary = 0.3

    def __init__(self, dropout, channels):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(8, channels, 1)
        self.other = nn.Conv2d(8, channels, 1)

    def forward(self, x):
        x = self.dropout(self.encoder(x))
        return (self.head(x), self.other(x)) if self.training else self.head(x)

def build(recipe, channels):
    return Net(recipe.decoder_dropout, channels)
"""


@pytest.fixture(autouse=True)
def everything_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the code run that these tests write; ``tests/cases/test_data_names_no_code.py`` tells what may not."""
    monkeypatch.setattr(trust, "_TRUSTED", {})
    trust.trust_everything()


def _write(folder: Path, text: str, name: str = "mine.py") -> str:
    (folder / name).write_text(text)
    return f"{folder / name}:build"


def _recipe(name: str) -> Recipe:
    return Recipe(architecture=name, model_size="tiny")


def test_a_relative_name_becomes_absolute_and_gets_a_slug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = _write(tmp_path, GOOD)
    monkeypatch.chdir(tmp_path)
    for typed in ("mine.py:build", "mine.py", "./mine.py:build", name):
        assert get_architecture(typed).name == name
    assert get_architecture(name).slug == "mine-build"


def test_a_missing_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match=r"no file nowhere\.py"):
        get_architecture("nowhere.py:build")
    with pytest.raises(RecipeError, match="bring it back"):
        source_sha256(f"{tmp_path}/gone/nowhere.py:build")


def test_a_file_that_moved_into_the_current_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    name = _write(tmp_path, GOOD)
    digest = source_sha256(name)
    (tmp_path / "mine.py").rename(tmp_path / "here" / "mine.py")
    monkeypatch.chdir(tmp_path / "here")
    assert get_architecture(name).name == name
    assert source_sha256(name) == digest
    build_model(_recipe(name), Weights(kind="none"))


def test_a_change_of_the_file_is_seen(tmp_path: Path) -> None:
    name = _write(tmp_path, GOOD)
    before = source_sha256(name)
    _write(tmp_path, GOOD + "\n# changed")
    assert len(before) == 64 and source_sha256(name) != before
    assert source_sha256("unet") == source_sha256("smp:Unet/resnet34") == ""


def test_what_the_module_says_is_taken_over(tmp_path: Path) -> None:
    name = _write(tmp_path, GOOD)
    weights = resolve(get_architecture(name).needs, "pretrained")
    assert (weights.kind, weights.label) == ("own", "own") and "unknown" in weights.licence and weights.two_stages
    model = build_model(_recipe(name), weights, 3)
    assert model.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert model.prepare(torch.rand(1, 3, 9, 17)).shape[-2:] == (16, 24)
    assert model.auxiliary == 0.3
    assert [tuple(one.shape) for one in model.train().forward_with_auxiliary(torch.rand(2, 3, 9, 17))] == [
        (2, 3, 9, 17)
    ] * 2
    assert model.eval()(torch.rand(2, 3, 9, 17)).shape == (2, 3, 9, 17)
    assert len(model.encoder_parameters()) == 4 and len(model.decoder_parameters()) == 4
    assert len(set(model.state_dict())) == len({value.data_ptr() for value in model.state_dict().values()})


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    name = _write(tmp_path, GOOD)
    subject = contract.ModelUnderTest(entry=get_architecture(name), recipe=_recipe(name))
    assert [one for one in contract.examine(subject) if one.fault] == []
    assert contract.verdict(name, 5, _recipe(name)) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nothing_like_it\ndef build(recipe, channels): ...", "does not run.*nothing_like_it"),
        ("def build(recipe, channels): return 3", "returns int; return a torch.nn.Module"),
        ("def other(recipe, channels): ...", "no function build"),
        ("def build(recipe, channels): raise ValueError('first\\nlast')", "ValueError: last"),
        (GOOD.replace("3, 8, 3, stride", "3, 8, -3, stride"), "building it fails"),
        (GOOD.replace("nn.Conv2d(8, channels, 1)", "nn.Conv2d(8, channels + 1, 1)"), r"shape \(2, 2, .*h, w\) logits"),
        (GOOD.replace("else self.head(x)", "else {'out': self.head(x)}"), "returns dict"),
        (GOOD.replace("else self.head(x)", "else self.head(x) / 0"), "NaN"),
        (
            GOOD.replace("x = self.dropout(", "x = self.dropout(torch.ones(2, 3) @ x if 0 else 1 // 0 * "),
            "ZeroDivision",
        ),
        (GOOD.replace("self.dropout(self.encoder(x))", "self.encoder(x).detach()"), "no gradient reaches the encoder"),
        (GOOD.replace("stride = 8", "stride = 0"), "stride is 0"),
        (GOOD.replace("(0.1, 0.2, 0.3)", "0.5"), "three numbers"),
    ],
)
def test_a_broken_one_gets_its_verdict_in_a_line(tmp_path: Path, text: str, said: str) -> None:
    name = _write(tmp_path, text)
    lines = contract.verdict(name, 1, _recipe(name))
    assert lines and all("\n" not in line and line.startswith("architecture ") for line in lines)
    assert re.search(said, lines[0]), lines


def test_a_pretrained_one_without_encoder_is_refused(tmp_path: Path) -> None:
    name = _write(tmp_path, GOOD.replace("self.encoder", "self.body"))
    with pytest.raises(WeightsError, match="has no encoder"):
        resolve(get_architecture(name).needs, "available")


def test_dead_dropout_is_a_note(tmp_path: Path) -> None:
    name = _write(tmp_path, GOOD.replace("nn.Dropout2d(dropout)", "nn.Identity()"))
    subject = contract.ModelUnderTest(entry=get_architecture(name), recipe=_recipe(name))
    (found,) = [one for one in contract.examine(subject) if one.fault]
    assert "decoder_dropout changes nothing" in found.fault and not found.failed


def test_an_installed_one_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_package_x.py").write_text(GOOD)
    (tmp_path / "my_package_x-1.dist-info").mkdir()
    (tmp_path / "my_package_x-1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: my-package-x\nVersion: 1\n"
    )
    (tmp_path / "my_package_x-1.dist-info" / "entry_points.txt").write_text(
        f"[{own_source.ENTRY_POINTS}]\nmy_small = my_package_x:build\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    families.installed.cache_clear()
    try:
        assert get_architecture("my_small").slug == "my_small"
        assert len(source_sha256("my_small")) == 64
        assert contract.verdict("my_small", 1, _recipe("my_small")) == []
        with pytest.raises(TilesweepError, match="did you mean 'my_small'"):
            get_architecture("my_smal")
    finally:
        families.installed.cache_clear()
