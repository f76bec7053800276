"""No example holds a secret or an account, and every one that starts Ray says how the token comes to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "examples" / "cluster"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())
FORBIDDEN = {
    "an access key": r"\b(AKIA|ASIA)[0-9A-Z]{16}\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY",
    "a long random word": r"\b(?=[0-9a-zA-Z+/_-]*\d)(?=[0-9a-zA-Z+/_-]*[a-zA-Z])[0-9a-f]{32,}\b",
    "a login in a URL": r"://[^/\s:@]+:[^/\s@]+@",
    "a value for a secret": r"(?i)(secret_access_key|auth_token|password|api_key)\s*[:=]\s*['\"]?(?!\.\.\.)[\w+/-]{4,}",
    "a registry or an account in it": r"(?i)\b[\w.-]+\.(io|com|dev)/[\w-]+/[\w-]+:\S+|\b\d{12}\b|\.dkr\.ecr\.",
    "authentication switched off": r"(?i)RAY_AUTH_MODE\s*[:=]\s*['\"]?disabled|mode:\s*disabled",
    "a dashboard that is open to all": r"dashboard-host[=: ]+['\"]?0\.0\.0\.0",
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_an_example_holds_no_secret_and_no_account(path: Path) -> None:
    text = path.read_text()
    found = {name: hit[0] for name, pattern in FORBIDDEN.items() if (hit := re.search(pattern, text))}
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "AWS_ACCESS_KEY_ID=AKIA" + "ABCDEFGHIJKLMNOP",
        "RAY_AUTH_TOKEN: " + "0123456789abcdef" * 4,
        "auth_token: hunter2hunter2",
        "storage: s3://me:mine@bucket/runs",
        "image: quay.io/someone/tilesweep:1",
        "image: 123456789012.dkr.ecr.eu-central-1.amazonaws.com/x",
        "RAY_AUTH_MODE=disabled ray start --head",
        "ray start --head --dashboard-host=0.0.0.0",
    ],
)
def test_the_search_finds_what_it_is_made_for(text: str) -> None:
    assert any(re.search(pattern, text) for pattern in FORBIDDEN.values())


def test_every_way_to_start_ray_has_its_token() -> None:
    starts = [
        path
        for path in FILES
        if path.suffix != ".md" and re.search(r"ray (start|symmetric-run)|kind: Ray", path.read_text())
    ]
    assert {path.parent.name for path in starts} == {"slurm", "ray-up", "kuberay"}
    for path in starts:
        assert re.search(r"RAY_AUTH_MODE=token|mode: token", path.read_text()), path


def test_every_folder_says_what_it_is() -> None:
    for folder in {path.parent for path in FILES}:
        assert (folder / "README.md").exists()
