"""No password, key, token or signature is written into a record or shown, whatever form its URL has."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.cli.console import Command
from sweep.cli.output import Output
from sweep.records.provenance import typed_command
from sweep.session.search_options import SearchOptions
from sweep.session.stored_options import to_store
from trainables.errors import ExperimentError
from trainables.secrets import hide_secret
from trainables.storage import Storage

LETTERS = st.characters(codec="utf-8", exclude_characters="&", exclude_categories=("Cc", "Cs", "Z"))
SECRETS = st.builds(lambda text: f"Z{text}Z", st.text(LETTERS, min_size=3, max_size=12)).filter(
    lambda one: "***" not in one
)
PARAMETERS = (
    "password",
    "passwd",
    "PWD",
    "sslpassword",
    "secret_key",
    "access_key",
    "sig",
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "token",
    "api_key",
    "AccountKey",
    "pass%77ord",
)
LOGINS = (
    "postgresql://me:{}@host:5432/db",
    "mysql+pymysql://me@server:{}@host/db",
    "redis://:{}@host",
    "s3://KEY:{}@b/p",
)


def test_what_has_no_secret_stays_as_it_is() -> None:
    for text in (
        "sqlite:///my studies.db",
        "http://host:5000",
        "postgresql://me@host:5432/db?sslmode=require",
        "s3://bucket/runs@2/x?endpoint_override=localhost:9000&scheme=http",
        "abfs://container@account.dfs.core.windows.net/x",
        "--nudge a=1,2",
        "see http://host:5000, or write to me@example.org",
    ):
        assert hide_secret(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:s3/cr@e:t?@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgresql://u@h/db?password=SECRET&sslmode=require", "postgresql://u@h/db?password=***&sslmode=require"),
        ("https://blob/x?sv=1&sig=abcd", "https://blob/x?sv=1&sig=***"),
        ("https://token@host/x", "https://***@host/x"),
        ("s3://key:secret@bucket/runs", "s3://***@bucket/runs"),
        ("--optuna-storage=mysql://a@b:pw@h/x", "--optuna-storage=mysql://a@b:***@h/x"),
        ("cannot open postgresql://u:p@h/d: refused", "cannot open postgresql://u:***@h/d: refused"),
        ("--storage s3://b/x?secret_key=***: is refused", "--storage s3://b/x?secret_key=***: is refused"),
        ("s3://b?endpoint_override=http%3A%2F%2Fu%3Asecret%40h", "s3://b?endpoint_override=***"),
    ],
)
def test_a_secret_becomes_three_stars(text: str, shown: str) -> None:
    assert hide_secret(text) == shown
    assert hide_secret(shown) == shown


@settings(max_examples=150, derandomize=True, database=None)
@given(SECRETS, st.sampled_from(LOGINS), st.sampled_from(("{}", "--mlflow={}", "cannot open {} now", "'{}'")))
def test_no_password_survives(secret: str, url: str, place: str) -> None:
    for written in (secret, quote(secret, safe="")):
        assert written not in hide_secret(place.format(url.format(written)))


@settings(max_examples=150, derandomize=True, database=None)
@given(
    SECRETS,
    st.sampled_from(PARAMETERS),
    st.sampled_from(
        ("s3://b/x?{}", "postgresql://u@h/d?a=1&{}&b=2", "https://h/x#{}", "jdbc://h/d;{}", "--x=s3://b?{}")
    ),
)
def test_no_secret_parameter_survives(secret: str, name: str, url: str) -> None:
    for written in (secret, quote(secret, safe=""), quote_plus(secret)):
        assert written not in hide_secret(url.format(f"{name}={written}"))


def test_the_recorded_command_and_options_hold_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    url, address = "postgresql://me:s3/cr@et@host/db", "http://me:s3/cr@et@host:5000"
    monkeypatch.setattr(
        sys, "argv", ["phase2", "--optuna-storage", url, f"--mlflow={address}", "--patches", "my tiles"]
    )
    assert "cr@et" not in typed_command() and "s3/" not in typed_command()
    kept = json.dumps(to_store(SearchOptions(optuna_storage=url, mlflow=address, patches=Path("s3://b/t?sig=abcdef"))))
    assert "cr@et" not in kept and "abcdef" not in kept


@pytest.mark.parametrize("flag", ["--storage", "--patches"])
def test_a_storage_with_a_secret_is_refused_without_showing_it(flag: str) -> None:
    for address in ("s3://KEY:sec/ret@bucket/x", "s3://bucket/x?secret_key=sec/ret", "gs://b/x?token=sec/ret"):
        with pytest.raises(ExperimentError, match=f"^{flag} .*would write its secret") as caught:
            Storage.open(address, flag)
        assert "sec/ret" not in str(caught.value)


def test_a_command_line_that_cannot_be_read_is_shown_without_its_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--optuna-storage", "postgresql://me:s3cret@h/d", "--sed", "1", "--seed", "postgresql://me:s3cret@h/d"]
    with pytest.raises(SystemExit) as caught:
        Command(name="x", options=SearchOptions, main=lambda *_: 0, examples={}).run(words)
    said = capsys.readouterr()
    assert caught.value.code == 2 and "--sed:" in said.err and "--seed postgresql" in said.err
    assert "s3cret" not in said.err + said.out


def test_no_error_of_any_command_shows_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(options: SearchOptions, output: Output) -> int:
        raise ExperimentError("postgresql://me:s3/cr@et@host/db: cannot be opened")

    with pytest.raises(SystemExit):
        Command(name="x", options=SearchOptions, main=fail, examples={}).run([])
    assert "cr@et" not in capsys.readouterr().err
