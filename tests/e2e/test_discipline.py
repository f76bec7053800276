"""No sweep opens a file of the test split: driver, Ray's processes and workers are watched by an audit hook.

That holds after a resume, too: see ``test_phase2``, ``test_phase3`` and ``test_watching``.
"""

from __future__ import annotations

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize("sweep", ["scored", "searched", "curve"])
def test_a_sweep_opens_no_test_file(sweep: str, request: pytest.FixtureRequest) -> None:
    """Once with test as a folder, once with a link to it, once with links to its files."""
    found = request.getfixturevalue(sweep)
    assert found.audit.opened(found.folder / "data") and not found.audit.of_test(found.patches)
    # Were the workers not watched, this would prove nothing about them.
    lines = found.audit.log.read_text().splitlines()
    code = f"default_worker.py {ROOT / 'trainables'}"
    assert any(line.startswith(code) and "segmentation" in line for line in lines)
