"""What is noted of tiles while they are read: nothing is decoded again, and the pages are the same as without notes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sweep.patches.checks.checking import check
from sweep.patches.look.notes import Notes
from sweep.patches.look.overview import overview_png
from sweep.patches.look.sheet.page import draw_sheet
from sweep.patches.look.suspicion.registry import suspicious_masks
from tests.commands import run_here
from trainables.data import tiles as reading

SIDE, TILE = 1152, 384
WRONG = (0, 1)
"""Row and column of the tile whose mask is moved."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photos of bright squares, nine tiles each, with masks of which one part is moved by 9 pixels."""
    root = tmp_path_factory.mktemp("photos")
    for number in range(3):
        random = np.random.default_rng(number)
        image, mask = random.normal(90, 8, (SIDE, SIDE, 3)), np.zeros((SIDE, SIDE), np.uint8)
        for top, left in random.integers(0, SIDE - 40, (110, 2)):
            image[top : top + 36, left : left + 36] += 20
            mask[top : top + 36, left : left + 36] = 255
        if number == 0:
            rows, columns = (slice(TILE * place, TILE * (place + 1)) for place in WRONG)
            mask[rows, columns] = np.roll(mask[rows, columns], 9, axis=1)
        for folder, pixels in (("images", image.clip(0, 255).astype(np.uint8)), ("masks", mask)):
            (root / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(root / folder / f"p{number}.png")
    return root


def test_make_decodes_each_tile_once_and_those_that_look_wrong_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: Counter[str] = Counter()
    original = reading.decode_image

    def counting(data: bytes, path: Path, *rest: object) -> NDArray[np.uint8]:
        decoded[path.stem] += 1
        return original(data, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "decode_image", counting)
    made = run_here("patches", "make", "--src", photos, "--dst", tmp_path / "out", "--grid", "--size", TILE)
    assert made.returncode == 0 and "1 mask looks wrong" in made.stdout, made.stderr
    again = {name: times for name, times in decoded.items() if times > 1}
    assert len(decoded) == 27 and again == {"p0_r0_c1": 2}


def test_pages_from_notes_are_those_from_files(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "out"
    assert run_here("patches", "make", "--src", photos, "--dst", root, "--grid", "--size", TILE).returncode == 0
    noted = Notes(root)
    report = check(root, leaks=False, see=noted.see_all)

    def drawn(notes: Notes) -> tuple[object, ...]:
        odd = suspicious_masks(report, notes=notes)
        sheet = draw_sheet("tiles", report, odd, notes=notes).html
        return odd, sheet, overview_png("t", report.splits, report.task, lambda files: notes.small.of(report, files))

    pages = drawn(noted)
    assert pages == drawn(Notes()) and {one.tile for one in suspicious_masks(report, notes=noted)} == {"p0_r0_c1"}
