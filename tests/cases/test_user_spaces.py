"""Whatever a space of one's own does or returns is one line; Ctrl-C in it says a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.custom import check_spaces, include_shared, load_space
from search_spaces.phase1 import shared_recipe
from search_spaces.profiles import get_profile
from sweep.phase2.command import COMMAND
from trainables.errors import SpaceError

HEAD = "from collections.abc import Mapping\nfrom optuna.distributions import *\n"
HOSTILE = {
    "an exception that is none": "raise BaseException('x')",
    "the end of a generator": "raise GeneratorExit",
    "an exit": "raise SystemExit(3)",
    "too deep": "return space(architecture)",
    "an exception without a text": """
    class Odd(Exception):
        def __str__(self): raise ValueError
    raise Odd""",
    "a mapping whose values raise": """
    class Odd(Mapping):
        def __getitem__(self, name): raise RuntimeError('x')
        def __iter__(self): return iter(['learning_rate'])
        def __len__(self): return 1
    return Odd()""",
    "a mapping without an end": """
    class Odd(Mapping):
        def __getitem__(self, name): return 1
        def __iter__(self):
            while True: yield 'learning_rate'
        def __len__(self): return 1
    return Odd()""",
    "a distribution without fields": """
    class Odd(FloatDistribution):
        def __init__(self): pass
    return {'learning_rate': Odd()}""",
    "a distribution of one's own": """
    class Odd(distributions.BaseDistribution):
        to_external_repr = single = _contains = lambda self, *x: None
    return {'learning_rate': Odd()}""",
    "an object that cannot be shown": """
    class Odd:
        def __repr__(self): raise ValueError('x')
    return {'learning_rate': Odd()}""",
    "names that are no plain text": """
    class Odd(str): pass
    return {Odd('learning_rate'): FloatDistribution(0.1, 0.2)}""",
    "a huge whole number": "return {'crop_size': IntDistribution(32, 10**400)}",
    "a million choices": "return {'seed' if 0 else 'batch_size': CategoricalDistribution(list(range(2, 1_000_002)))}",
}


def _check(path: Path) -> None:
    recipe = shared_recipe("unet", get_profile("smoke"))
    found = {"unet": load_space(path)("unet")}
    check_spaces(found, {"unet": recipe}, f"--space {path}")
    include_shared(found["unet"], recipe)


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_space_is_one_short_line(tmp_path: Path, body: str) -> None:
    path = tmp_path / "space.py"
    path.write_text(f"{HEAD}from optuna import distributions\ndef space(architecture):\n    {body.strip()}\n")
    with pytest.raises(SpaceError, match=r"^--space .*space\.py: ") as caught:
        _check(path)
    assert "\n" not in str(caught.value) and len(caught.value.faults) == 1
    assert len(str(caught.value).replace(str(path), "")) < 300


@pytest.mark.parametrize("text", ["raise BaseException", "raise GeneratorExit", "1/0", "x" * 10, "def f(:", "exit(4)"])
def test_a_file_that_does_not_run_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "space.py"
    path.write_text(text)
    with pytest.raises(SpaceError, match="does not run"):
        load_space(path)


@pytest.mark.parametrize("name", ["/dev/zero", "x" * 5_000, ".", "none.py"])
def test_what_is_no_file_is_one_line(name: str) -> None:
    with pytest.raises(SpaceError, match="is not a Python file"):
        load_space(Path(name))


def test_ctrl_c_says_where_it_came(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "space.py"
    path.write_text("def space(architecture):\n    raise KeyboardInterrupt\n")
    with pytest.raises(SystemExit) as caught:
        COMMAND.run(["--plan", "--profile", "smoke", "--space", str(path)])
    assert caught.value.code == 130
    assert capsys.readouterr().err == f"interrupted while --space {path} ran; nothing was started\n"
