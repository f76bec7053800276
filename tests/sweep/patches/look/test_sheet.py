"""The contact sheet: one safe file with all tiles, those whose masks look wrong first."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sweep.patches.checks.checking import Report, check
from sweep.patches.look.sheet import cards
from sweep.patches.look.sheet.page import draw_sheet
from sweep.patches.look.suspicion.registry import suspicious_masks
from tests.commands import CHROMIUM, Run, needs_chromium
from trainables.data.imagery import Imagery
from trainables.data.tiffs import encode_tiff
from trainables.data.tiles import SPLITS

HOSTILE = "<script>alert(1)<"
"""A tile's name; a file's cannot hold a slash."""
Draw = Callable[..., Path]


@pytest.fixture
def drawn(tmp_path: Path) -> Draw:
    """Return a function that writes a dataset of tiles with bright squares, the mask of one of them moved."""

    def write(names: tuple[str, ...] = ("a", "b", "c", "d", "e", "f"), moved: str = "", side: int = 192) -> Path:
        for number, name in enumerate(names):
            split = SPLITS[number % 3]
            random = np.random.default_rng(number)
            image, mask = random.normal(90, 8, (side, side, 3)), np.zeros((side, side), np.uint8)
            for top, left in random.integers(20, side - 50, (9, 2)):
                image[top : top + 30, left : left + 30] += 70
                mask[top : top + 30, left : left + 30] = 255
            if name == moved:
                mask = np.roll(mask, 8, axis=1)
            for kind, pixels, ending in (
                ("images", image.clip(0, 255).astype(np.uint8), "png"),
                ("masks", mask, "png"),
            ):
                (tmp_path / "d" / split / kind).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(tmp_path / "d" / split / kind / f"{name}.{ending}")
        return tmp_path / "d"

    return write


def _sheet(root: Path, **changes: object) -> str:
    report = replace(check(root, leaks=False), **changes)
    assert not report.faults
    return draw_sheet("tiles", report, suspicious_masks(report)).html


def _names(html: str) -> list[str]:
    return re.findall(r"<h3>(.*?)</h3>", html)


def test_every_tile_is_there_with_its_mask_and_the_suspicious_one_first(drawn: Draw) -> None:
    html = _sheet(drawn(moved="e"))
    assert _names(html) == ["e", "a", "d", "b", "c", "f"]
    assert "1 mask looks wrong" in html and "<li>objects fit the image 8 px further left</li>" in html
    pictures = re.findall(r'src="([^"]*)"', html)
    assert len(pictures) == 3 * 6 and all(one.startswith("data:image/") for one in pictures)
    assert 'data-split="val" data-scene="" data-kinds="[shifted]"' in html


def test_a_sheet_of_sound_masks_says_so(drawn: Draw) -> None:
    html = _sheet(drawn())
    assert "No mask looks wrong" in html and "Look at these first" not in html


def test_nothing_is_loaded_and_no_other_script_runs(drawn: Draw) -> None:
    html = _sheet(drawn())
    assert "default-src &#39;none&#39;" in html and len(re.findall("<script", html)) == 1
    assert not re.search(r"https?://|url\(|@import|<link|srcset", html)


def test_a_hostile_name_is_text(drawn: Draw) -> None:
    html = _sheet(drawn(("a", HOSTILE, "c", 'd" onerror="x', "{{ 7*7 }}"), moved=HOSTILE))
    assert HOSTILE not in html and "&lt;script&gt;alert(1)&lt;" in html
    assert 'onerror="x' not in html and "{{ 7*7 }}" in html


def test_many_tiles_are_a_stated_sample_with_all_suspicious_ones(drawn: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "MOST_TILES", 4)
    monkeypatch.setattr("sweep.patches.look.sheet.page.MOST_TILES", 4)
    html = _sheet(drawn(moved="f"))
    assert len(_names(html)) == 4 and _names(html)[0] == "f"
    assert "4 of 6 tiles are shown, as a sheet has 4 tiles at most: 1 whose masks look wrong" in html


def test_a_sheet_has_a_budget_of_bytes(drawn: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    root = drawn(moved="f")
    full = len(_sheet(root))
    monkeypatch.setattr(cards, "BUDGET", full // 2)
    html = _sheet(root)
    assert 1 < len(_names(html)) < 6 and _names(html)[0] == "f" and len(html) < full
    assert "tiles are shown, as its pictures take" in html


def test_500_tiles_of_noise_stay_within_the_budget() -> None:
    assert cards.MOST_TILES == 500 and cards.BUDGET <= 20 * 2**20


def test_more_bands_are_named_and_the_first_three_shown(drawn: Draw) -> None:
    root = drawn()
    for path in root.glob("*/images/*.png"):
        pixels = np.asarray(Image.open(path))
        path.with_suffix(".tif").write_bytes(encode_tiff(np.dstack([pixels, pixels[..., :1]])))
        path.unlink()
    report = check(root, leaks=False, imagery=Imagery(bands=("red", "green", "blue", "nir")))
    assert not report.faults
    html = draw_sheet("tiles", report, suspicious_masks(report)).html
    assert "Pictures show RGB, of 4 bands (red, green, blue, nir)." in html and len(_names(html)) == 6


def test_the_command_writes_it_and_says_what_looks_wrong(drawn: Draw, here: Run) -> None:
    root = drawn(moved="e")
    done = here("patches", "sheet", "--patches", root)
    assert done.returncode == 0, done.stderr
    assert "1 mask looks wrong" in done.stdout and "objects fit the image 8 px further left" in done.stdout
    assert f"wrote {root / 'contact_sheet.html'}: 6 of 6 tiles" in done.stdout
    events = [json.loads(line) for line in here("patches", "sheet", "--patches", root, "--json").stdout.splitlines()]
    (odd,) = (event for event in events if event["event"] == "suspicion")
    assert (odd["tile"], odd["split"], odd["mask"], odd["kind"]) == ("e", "val", "val/masks/e.png", "shifted")
    (sheet,) = (event for event in events if event["event"] == "sheet")
    assert sheet["shown"] == sheet["tiles"] == 6


def test_bad_input_is_one_line(drawn: Draw, here: Run) -> None:
    root = drawn()
    assert "must end in .html" in here("patches", "sheet", "--patches", root, "--out", "x.png").stderr
    (root / "train" / "images" / "a.png").write_bytes(b"no picture")
    done = here("patches", "sheet", "--patches", root)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "a.png" in done.stderr
    assert not (root / "contact_sheet.html").exists()


def test_a_place_that_cannot_be_written_is_one_line(drawn: Draw, here: Run) -> None:
    done = here("patches", "sheet", "--patches", drawn(), "--out", "/proc/sheet.html")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "cannot be written" in done.stderr


def test_make_writes_it_beside_the_overview_and_a_dry_run_does_not(drawn: Draw, tmp_path: Path, here: Run) -> None:
    drawn(moved="e")
    for kind in ("images", "masks"):
        (tmp_path / "src" / kind).mkdir(parents=True)
        for path in (tmp_path / "d").glob(f"*/{kind}/*.png"):
            path.rename(tmp_path / "src" / kind / path.name)
    words = ("patches", "make", "--src", tmp_path / "src", "--dst", tmp_path / "out", "--size", 192)
    assert here(*words, "--dry-run").returncode == 0 and not (tmp_path / "out").exists()
    done = here(*words)
    assert done.returncode == 0, done.stderr
    place = tmp_path / "out" / "contact_sheet.html"
    assert f"contact sheet  1 mask looks wrong: see {place}" in done.stdout
    assert _names(place.read_text())[0] == "e"


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    sync = pytest.importorskip("playwright.sync_api", reason="needs the dev extra: pip install '.[dev]'")
    with sync.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser(width: int, scheme: str, browser: object, drawn: Draw, tmp_path: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    report: Report = check(drawn(("a", HOSTILE, "c", "d", "e" * 150, "f"), moved=HOSTILE), leaks=False)
    place = tmp_path / "sheet.html"
    place.write_text(draw_sheet("tiles", report, suspicious_masks(report)).html)
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[attr-defined]
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(place.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not (found := Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]})).response["violations"], found

    def seen(kind: str) -> bool:
        return bool(page.locator(f".card .{kind}").first.is_visible())

    assert seen("outlines") and not seen("areas")
    page.locator("#as-outlines").focus()
    page.keyboard.press("ArrowRight")
    assert seen("areas") and not seen("outlines")
    page.keyboard.press("ArrowRight")
    assert not seen("areas") and not seen("outlines")
    page.get_by_label("split").select_option("val")
    assert page.locator("#count").inner_text() == "2 of 6 shown" and page.locator(".card:visible").count() == 2
    page.get_by_label("suspicion").select_option("any")
    assert page.locator(".card:visible h3").all_inner_texts() == [HOSTILE]
    page.locator(".card:visible button").press("Enter")
    assert page.locator("dialog img").first.is_visible()
    shown = page.locator(".card:visible img").evaluate_all("all => all.map((one) => one.src)")
    assert page.locator("dialog img").evaluate_all("all => all.map((one) => one.src)") == shown
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    context.close()
    assert not said
