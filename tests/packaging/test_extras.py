"""A package that is missing is one line that names the extra to install."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT, WriteDataset

pytestmark = pytest.mark.packaging

BLOCKED = [
    ("geo", "pyogrio", ["sweep.predict", "photo.png", "--model", "any", "--out", "map"]),
    ("geo", "geopandas", ["sweep.patches", "make", "--src", "patches/train", "--dst", "out", "--labels", "areas.gpkg"]),
    (
        "labels",
        "pycocotools",
        ["sweep.patches", "make", "--src", "patches/train", "--dst", "out", "--labels", "coco.json"],
    ),
    ("report", "playwright", ["sweep.report", "--pdf"]),
    ("export", "onnx", ["sweep.export", "--model", "any", "--format", "onnx"]),
    ("lora", "peft", ["sweep.doctor", "--architecture", "sam_vit_b_unet_lora"]),
    ("sam2", "sam2", ["sweep.doctor", "--architecture", "sam2_hiera_t_conv"]),
    ("mlflow", "mlflow", ["sweep.phase1", "--profile", "smoke", "--mlflow", "sqlite:///m.db"]),
    ("wandb", "wandb", ["sweep.phase1", "--profile", "smoke", "--wandb", "project"]),
]


@pytest.mark.parametrize(("extra", "package", "command"), BLOCKED, ids=[f"{one[0]}-{one[1]}" for one in BLOCKED])
def test_a_missing_package_names_its_extra(
    extra: str,
    package: str,
    command: list[str],
    write_dataset: WriteDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_dataset(tmp_path / "patches")
    (tmp_path / "coco.json").write_text('{"images": [], "annotations": [], "categories": []}')
    (tmp_path / "areas.gpkg").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)  # what Python calls a package that cannot be imported
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.delitem(sys.modules, command[0], raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    (line,) = [one for one in capsys.readouterr().err.splitlines() if one.startswith("error: ")]
    assert ended.value.code == 2
    assert package in line and f"pip install 'tilesweep[{extra}]'" in line
    assert not list((tmp_path / "ray_results").glob("*")), "a sweep began before it was refused"


def test_the_server_names_its_extra(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['starlette'] = None\n")
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "serve.py", "--help"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "starlette" in done.stderr and "pip install 'tilesweep[serve]'" in done.stderr


def test_every_extra_that_a_message_names_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {extra for extra, _, _ in BLOCKED} | {"serve"} <= set(project["optional-dependencies"])


def test_constraints_pin_what_dev_asks_for() -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {canonicalize_name(one.name): one for one in map(Requirement, (x for x in lines if x and x[0] != "#"))}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for text in [*project["dependencies"], *(one for extra in extras for one in extras[extra] if extra != "wandb")]:
        asked = Requirement(text)
        if asked.name == "tilesweep":
            continue
        (pinned,) = pins[canonicalize_name(asked.name)].specifier
        assert pinned.operator == "==" and asked.specifier.contains(pinned.version), text
