"""One version, in one place, and a changelog by release."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from packaging.version import Version

from sweep import __version__
from sweep.records.provenance import provenance
from tests.conftest import ROOT

pytestmark = pytest.mark.packaging

HEADING = re.compile(r"^## (\S+)(?: - (\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)
GROUPS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_results_record_the_version_of_the_code_that_made_them() -> None:
    assert provenance()["packages"]["tilesweep"] == __version__


def test_a_copy_that_is_not_installed_knows_its_version() -> None:
    # -I and -S: neither the environment's packages nor the current folder.
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import sweep; print(sweep.__version__)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == __version__


def test_the_newest_release_of_the_changelog_is_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = HEADING.findall(text)
    assert len(headings) == len(re.findall(r"^## ", text, re.MULTILINE)), "a heading that is no release"
    assert headings[0][0] == "Unreleased"
    releases = [(Version(name), date) for name, date in headings[1:]]
    assert str(releases[0][0]) == __version__
    assert all(date for _, date in releases)
    assert releases == sorted(releases, reverse=True)


def test_the_changelog_is_in_the_usual_groups() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= GROUPS
