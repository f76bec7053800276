"""The blocks of the pages that are marked to be run, run in the order in which they stand there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.pages import PAGES, marked_blocks, name_of, run_block

HEAVY = {"README.md", "docs/tutorial.md", "docs/maintainers/design.md"}
"""Pages whose blocks train, here on small tiles."""
MARKED = {name_of(page): marked_blocks(page.read_text(encoding="utf-8")) for page in PAGES}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in HEAVY)) for name, blocks in MARKED.items() if blocks],
)
def test_a_page_s_blocks_work_one_after_the_other(name: str, tmp_path: Path) -> None:
    if name in HEAVY:
        run_block("python -m sweep.patches synthesize --dst patches --counts 24,6,6 --size 128", tmp_path)
    else:
        (tmp_path / "patches").symlink_to(ROOT / "patches")
    for block in MARKED[name]:
        run_block(block, tmp_path)
    if name == "docs/tutorial.md":
        assert (tmp_path / "ray_results" / "phase1-smoke" / "report.html").is_file()
        assert (tmp_path / "ray_results" / "phase3-smoke" / "budget_curve.md").is_file()
        assert list((tmp_path / "map").iterdir()) and list(tmp_path.glob("phase2-smoke-*.safetensors"))


def test_marked_blocks_are_found_as_they_are_meant() -> None:
    text = "<!-- run -->\n\n    one\n    two \\\n        three\n\ntext\n"
    text += "<!-- run in smoke -->\n\n```bash\nx --profile demo\n```\n"
    assert marked_blocks(text) == ["one\ntwo \\\n    three", "x --profile smoke"]
    assert {name for name in MARKED if MARKED[name]} >= HEAVY | {"docs/watching.md", "docs/study-command.md"}
    assert (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8").count("<!-- run") == len(
        MARKED["docs/tutorial.md"]
    )
