"""Where a command may write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.records.outputs import unused_beside


def test_the_first_free_number_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unused_beside(tmp_path / "out") == tmp_path / "out_2"
    (tmp_path / "out_2").mkdir()
    (tmp_path / "out_3").symlink_to(tmp_path / "nowhere")
    assert unused_beside(tmp_path / "out") == tmp_path / "out_4"
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert unused_beside(Path()) == tmp_path / "here_2"
    assert unused_beside(Path("..")) == tmp_path.with_name(f"{tmp_path.name}_2")
