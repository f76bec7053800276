"""Charts as files: whole, named, and in colours that every program knows."""

from __future__ import annotations

from xml.etree import ElementTree

from sweep.charts.picture import picture
from sweep.charts.svg import Axis, Mark, Series, chart

EVIL = '<script>alert(1)</script> & "quotes"'
AXIS = Axis(label=EVIL, low=0.0, high=1.0)


def test_a_file_needs_no_page_and_names_are_text() -> None:
    series = [Series(label=EVIL, number=1, marks=[Mark(x=0.2, y=0.5), Mark(x=0.4, y=0.6)], architecture=EVIL)]
    drawn = chart(label=EVIL, x=AXIS, y=AXIS, series=series, width=300, height=200)
    keys = [(number, f"{EVIL} {number}") for number in range(4)]
    content = picture(EVIL, [(EVIL, drawn)] * 3, keys, size=(300, 200), columns=2)
    root = ElementTree.fromstring(content)
    assert not [one for one in root.iter() if one.tag.endswith("script")] and b"var(" not in content
    texts = [one.text for one in root.iter() if one.tag.endswith("text")]
    assert {EVIL, f"{EVIL} 3"} <= set(texts) and "#c14a00" in content.decode(), "the second series' colour on white"
    width, height = (int(root.get(name, "0")) for name in ("width", "height"))
    assert width == 3 * 16 + 2 * 300 and height > 2 * 200


def test_names_at_the_side_have_the_room_that_they_are_given() -> None:
    drawn = chart(label="x", x=AXIS, y=AXIS, series=[], width=300, height=200, left=120)
    assert '<text class="tick" x="114"' in drawn and 'd="M120,' in drawn
