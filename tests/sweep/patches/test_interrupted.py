"""Ctrl-C while tiles are cut leaves nothing behind."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np
from PIL import Image

from tests.commands import start

SIDE = 2048


def test_nothing_is_left_of_a_dataset_whose_cutting_was_interrupted(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(6):
        for kind, shape in (("images", (SIDE, SIDE, 3)), ("masks", (SIDE, SIDE))):
            (tmp_path / "in" / kind).mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 256, shape, dtype=np.uint8)
            pixels = pixels if kind == "images" else np.uint8(pixels > 127) * np.uint8(255)
            Image.fromarray(pixels).save(tmp_path / "in" / kind / f"r{number}.png", compress_level=0)
    words = ["make", "--src", str(tmp_path / "in"), "--dst", str(tmp_path / "out"), "--grid", "--size", "64"]
    making = start("patches", *words)
    end = time.monotonic() + 100
    while making.poll() is None and time.monotonic() < end and len(list(tmp_path.glob(".out*/*/images/*"))) < 3:
        time.sleep(0.02)
    making.send_signal(signal.SIGINT)
    said, _ = making.communicate(timeout=100)
    assert making.returncode == 130, said
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
