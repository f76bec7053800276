"""What is given out: the wheel holds what a command needs, the sdist what its tests need."""

from __future__ import annotations

import email
import tarfile
import zipfile

import pytest

from sweep import __version__
from tests.packaging.conftest import Built, checked_out

pytestmark = pytest.mark.packaging

PACKAGES = ("sweep/", "trainables/", "search_spaces/", "tilesweep/")
ONLY_IN_GIT = {".gitignore", "ray_results/.gitkeep"}
MADE_BY_THE_BUILD = ("PKG-INFO", "setup.cfg", "tilesweep.egg-info/")


def test_the_wheel_holds_our_packages_whole_and_nothing_else(built: Built) -> None:
    names = set(zipfile.ZipFile(built.wheel).namelist())
    own = {name for name in names if ".dist-info/" not in name}
    assert own == {name for name in checked_out() if name.startswith(PACKAGES)}
    assert {"sweep/report/style.css", "sweep/report/templates/page.html", "sweep/py.typed"} <= own
    assert {"sweep/charts/page.css", "sweep/patches/look/sheet/templates/sheet.html"} <= own
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names - own)


def test_the_sdist_holds_the_checkout(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {entry.name.partition("/")[2] for entry in archive if entry.isfile()}
    made = {name for name in names if name.startswith(MADE_BY_THE_BUILD)}
    assert names - made == checked_out() - ONLY_IN_GIT


def test_the_metadata_states_version_licence_and_extras(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        (path,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_string(wheel.read(path).decode())
    assert metadata["Name"] == "tilesweep" and metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT"
    assert {"geo", "mlflow", "wandb", "dev"} <= set(metadata.get_all("Provides-Extra", []))
    assert "Programming Language :: Python :: 3.11" in metadata.get_all("Classifier", [])
