"""The Dockerfile: passes its linter, copies what exists, and installs what pyproject.toml and constraints.txt say."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from sweep import __version__
from tests.conftest import ROOT

FILE = ROOT / "examples" / "cluster" / "docker" / "Dockerfile"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions and their arguments."""
    text = "\n".join(line for line in FILE.read_text().splitlines() if not line.lstrip().startswith("#"))
    joined = text.replace("\\\n", " ")
    parts = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name.upper(), rest) for name, rest in parts]


def copied() -> list[str]:
    """Return the sources of every COPY."""
    return [source for name, rest in instructions() if name == "COPY" for source in rest.split()[:-1]]


def test_the_linter_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("needs hadolint")
    found = subprocess.run([hadolint, str(FILE)], capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stdout


def test_everything_that_is_copied_exists_and_reaches_docker() -> None:
    lines = (FILE.parent / "Dockerfile.dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    let_in = {pattern.removeprefix("!") for pattern in patterns if pattern.startswith("!")}
    assert let_in == set(copied())
    for source in copied():
        assert (ROOT / source).exists()
        assert not any(fnmatch(source, pattern) for pattern in patterns[1:] if not pattern.startswith("!"))


def test_the_layer_of_packages_can_be_built_before_the_code_is_there(tmp_path: Path) -> None:
    """What that layer runs, up to pip's resolving: the project's name, version and requirements are found."""
    (command,) = re.findall(r"^    (mkdir .*?) \\$", FILE.read_text(), re.MULTILINE)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    subprocess.run(["sh", "-ec", command], cwd=tmp_path, check=True, timeout=60)
    build = "from setuptools.build_meta import prepare_metadata_for_build_wheel as make; print(make('.'))"
    done = subprocess.run([sys.executable, "-c", build], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (metadata,) = tmp_path.glob("tilesweep-*.dist-info/METADATA")
    assert "Requires-Dist: torch" in metadata.read_text()


def test_every_package_of_the_project_is_installed() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks", "docs"}
    assert packages <= set(copied())


def test_what_pip_installs_is_constrained_and_its_extras_exist() -> None:
    commands = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
    assert len(commands) == 2
    assert all("--constraint constraints.txt" in command for command in commands)
    suggested = re.search(r"EXTRAS=([\w,]+)", FILE.read_text())
    assert suggested is not None
    assert set(suggested[1].split(",")) <= set(PROJECT["optional-dependencies"])
    assert ("ARG", 'EXTRAS=""') in instructions()


def test_the_base_image_has_a_tag_and_a_python_that_the_project_takes() -> None:
    (base,) = (rest for name, rest in instructions() if name == "FROM")
    found = re.fullmatch(r"python:(3)\.(\d+)\.\d+-slim-\w+", base)
    assert found is not None
    lowest = PROJECT["requires-python"].removeprefix(">=").split(".")
    assert (int(found[1]), int(found[2])) >= tuple(map(int, lowest))


def test_the_container_runs_without_rights_as_the_user_of_the_kubernetes_pods() -> None:
    users = [rest for name, rest in instructions() if name == "USER"]
    assert users[-1] == "1000"
    assert "--uid 1000" in FILE.read_text()
    assert "runAsUser: 1000" in (FILE.parents[1] / "kuberay" / "rayjob.yaml").read_text()
    assert f"tilesweep:{__version__}" in (FILE.parents[1] / "kuberay" / "rayjob.yaml").read_text()
