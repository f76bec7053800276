"""What ``sweep.predict`` wrote down of a map is read by one reader, and what that refuses is not believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sweep.audit.maps.origin import MapOrigin, origin_of
from sweep.records.predictions import FORMAT, RECORD_FILE


def _write(folder: Path, **changes: Any) -> str:
    image = folder / "city.tif"
    image.touch()
    record: dict[str, Any] = {
        "format": FORMAT,
        "settings": {"models": {"phase1-demo/unet-0": "a1b2"}},
        "inputs": {"city": {"path": str(image), "files": ["city_mask.tif"]}},
    }
    (folder / RECORD_FILE).write_text(json.dumps(record | changes))
    return str(folder / "city_mask.tif")


def test_a_map_is_known_by_its_record(tmp_path: Path) -> None:
    place = _write(tmp_path)
    assert origin_of(place) == MapOrigin(image=str(tmp_path / "city.tif"), experiment="phase1-demo")
    assert origin_of(str(tmp_path / "another_mask.tif")) == MapOrigin()


@pytest.mark.parametrize(
    "changes",
    [
        {"format": FORMAT + 1},
        {"inputs": {"city": {"path": "city.tif", "files": ["../city.tif"]}}},
        {"inputs": ["city"]},
        {"settings": {}},
    ],
    ids=["a newer format", "a file elsewhere", "no table", "no models"],
)
def test_a_record_that_is_not_ours_says_nothing(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert origin_of(_write(tmp_path, **changes)) == MapOrigin()
    (tmp_path / RECORD_FILE).write_bytes(b"\xff{")
    assert origin_of(str(tmp_path / "city_mask.tif")) == MapOrigin()
