"""Files of ours with any structure: sound values, and values that differ from sound ones in some place."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import strategies as st

from sweep.planning.plan import SweepPlan
from sweep.records.shapes import DescriptionShape, RecordShape, ReportShape, parse_table, read_lines
from sweep.records.store import SCORES_SCHEMA
from tests.fuzz.test_bad_input import CASES, JSON, each
from tests.reports import plan_of
from trainables.documents import DamagedError, parse_json

PLAN = plan_of()
DATA = {"path": "p", "name": "x", "synthetic": False, "fingerprint": "f", "train": ["a"], "val": ["b"], "leaks": []}
SOUND: dict[type[Any], dict[str, Any]] = {
    DescriptionShape: {
        "format": 1,
        "phase": "phase1",
        "profile": "smoke",
        "ended": False,
        "data": DATA,
        "plan": SweepPlan(trials=(PLAN,)).to_dict(),
        "options": {"seed": 1},
        "provenance": {"gpus": [], "packages": {}, "git": {"commit": "c", "dirty": False}},
    },
    RecordShape: {**PLAN.to_dict(), "state": "finished", "reason": ""},
    ReportShape: {"epoch": 1, "val_iou": 0.5, "final_tiles": {"a": {"iou": 1, "f1": 1, "confusion": [[1, 2]]}}},
}
ODD = JSON | st.sampled_from((10**400, -(10**30), 1e308, "x" * 1000, "\ud800", [[]] * 3))


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values within a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, one in inner for place in _places(one, (*path, name)))]


@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize("shape", SOUND, ids=lambda one: one.__name__)
def test_any_structure_is_taken_or_told_in_a_line(shape: type[Any], cases: int) -> None:
    sound = SOUND[shape]
    assert parse_json(json.dumps(sound), shape) == sound

    @each(cases, st.sampled_from(_places(sound)[1:]), ODD, st.booleans())
    def damage(path: tuple[Any, ...], value: Any, removed: bool) -> None:
        whole = copy.deepcopy(sound)
        *outer, last = path
        inner: Any = whole
        for name in outer:
            inner = inner[name]
        if removed:
            del inner[last]
        else:
            inner[last] = value
        try:
            list(read_lines(json.dumps(whole).encode(), shape))
        except DamagedError as error:
            assert str(error).startswith("line 1 is damaged (") and "\n" not in str(error) and len(str(error)) < 300


@pytest.mark.parametrize("cases", CASES)
def test_any_bytes_as_a_table_are_taken_or_told_in_a_line(cases: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"attempt": "a", "tile": f"t{number}", "iou": 0.5, "f1": 0.5, "confusion": [[1]]} for number in range(9)]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=SCORES_SCHEMA), sink)
    sound = sink.getvalue().to_pybytes()
    assert parse_table(sound, SCORES_SCHEMA, ("attempt", "iou")).to_pylist() == rows

    @each(cases, st.integers(0, len(sound)), st.integers(0, len(sound) - 1), st.integers(0, 7))
    def damage(cut: int, at: int, bit: int) -> None:
        flipped = bytearray(sound)
        flipped[at] ^= 1 << bit
        for data in (sound[:cut] if cut < len(sound) else b"x", bytes(flipped)):
            try:
                parse_table(data, SCORES_SCHEMA, ("attempt", "iou"))
            except DamagedError as error:
                assert "\n" not in str(error) and len(str(error)) < 300
