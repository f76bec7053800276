"""Pages for users are few words, once and plain; README fits on two screens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import architectures, layouts_table
from tests.conftest import ROOT
from tests.docs.pages import FENCE, MAINTAINERS, PAGES, WRITTEN, name_of

USERS = [ROOT / "README.md", *(page for page in (ROOT / "docs").glob("*.md") if page not in WRITTEN)]
MOST_WORDS, MOST_LINES = 12_000, 120
PLAIN = [page for page in PAGES if page.name != "CHANGELOG.md" and page not in WRITTEN]
ODD = re.compile(
    r"\bmend(s|ed|ing)?\b|\bgo(es)? on\b|\bwent on\b|\blies? in\b|\btold\b|\b(give|gives|given|gave) up\b|\bwants?\b"
    r"|\banew\b|\b(once|twice) an? \w"
    r"|\b(row|line|trial|point|copy|process|request|run)s? an? (trial|epoch|tile|node|fold|attempt)\b"
    r"|\b(draws|steps|seconds|entry|number|kept|checkpoint|keypoints|metres|m|s|GB|MB|calls|deviation) an? "
    r"(trial|epoch|tile|node|fold|attempt|pixel|step|row|call|GPU|channel)\b"
    r"|\btells? of\b|\bnothing tells\b|\bgo on\b|\bis taken for nothing\b|\b(empty|None) for nothing\b"
)
"""Words that said "fix", "resume", "is in", "again", "early-stopped" and "per"."""


def test_the_users_pages_are_twelve_thousand_words_at_most() -> None:
    counts = {name_of(page): len(page.read_text(encoding="utf-8").split()) for page in USERS}
    assert sum(counts.values()) <= MOST_WORDS, sorted(counts.items(), key=lambda item: -item[1])


def test_a_page_that_code_writes_holds_little_else() -> None:
    heads = [len(head.split()) for head in (architectures.HEAD, layouts_table.HEAD)]
    assert max(heads) <= 100 and not any(page.is_relative_to(MAINTAINERS) for page in (*USERS, *WRITTEN))


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("page", PLAIN, ids=name_of)
def test_words_are_plain(page: Path) -> None:
    prose = re.sub(r"`[^`]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))
    assert not [found.group() for found in ODD.finditer(prose)]


def test_an_odd_word_would_be_found() -> None:
    for odd in (
        "once an attempt",
        "a row a trial",
        "it goes on",
        "the file lies in a folder",
        "whoever wants",
        "was told",
    ):
        assert ODD.search(odd)
    for plain in ("once per attempt", "as a row", "a trial and an epoch", "toward", "unwanted"):
        assert not ODD.search(plain)
