"""How a result was made."""

from __future__ import annotations

import pytest

from sweep.records.provenance import provenance


def test_the_command_can_be_pasted_and_holds_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://me:s3cret@host:5432/studies"
    monkeypatch.setattr("sys.argv", ["phase2", "--optuna-storage", url, "--patches", "my tiles"])
    command = provenance()["command"]
    assert command.endswith("--optuna-storage 'postgresql://me:***@host:5432/studies' --patches 'my tiles'")
    assert "s3cret" not in str(provenance())
