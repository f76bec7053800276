"""The loop as a person goes through it: choose, label, add, sweep again; each command as the one before prints it."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.commands import Run
from tests.conftest import WriteDataset
from tests.models import write_best
from trainables.data.manifest import Manifest


def typed(done: Any) -> list[str]:
    """Return the words behind ``python -m sweep.`` of the command that a command ends with."""
    assert done.returncode == 0, done.stdout + done.stderr
    line = done.stdout.rstrip().splitlines()[-1].removeprefix("next").strip()
    words = shlex.split(line)
    assert words[:2] == ["python", "-m"], line
    return [words[2].removeprefix("sweep."), *words[3:]]


def test_chosen_tiles_come_back_as_the_next_version_and_are_swept(
    write_dataset: WriteDataset, here: Run, run: Run, tmp_path: Path
) -> None:
    patches = write_dataset(tmp_path / "patches", size=128)
    assert here("patches", "check", "--patches", patches).returncode == 0
    model = write_best(tmp_path / "m.safetensors", patches, "unet")
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(5):
        image = np.random.default_rng(number).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(image).resize((128, 128)).save(photos / f"p{number}.png")
    shutil.copyfile(patches / "test/images/t6.png", photos / "t6.png")

    out = tmp_path / "next"
    chosen = here("next", photos, "--model", model, "--patches", patches, "--count", 2, "--out", out)
    back = typed(chosen)
    assert "1 in test" in chosen.stdout
    for path in (out / "tiles").glob("*.json"):  # what a person does in LabelMe
        values = json.loads(path.read_text())
        values["shapes"] = [{"label": "foreground", "shape_type": "rectangle", "points": [[10, 10], [70, 50]]}]
        path.write_text(json.dumps(values))

    added = here(*back)
    check = typed(added)
    second = tmp_path / "patches-2"
    assert str(second) in back and (second / "manifest.json").is_file()
    manifest = Manifest.read(second)
    assert manifest is not None and len(manifest.splits["train"]) == 5 and manifest.splits["val"] == ["t4", "t5"]

    typed(here(*check))
    flags = ("--profile", "smoke", "--architectures", "unet", "--storage", tmp_path / "results")
    swept = run("phase1", "--patches", second, *flags)
    assert swept.returncode == 0, swept.stdout + swept.stderr
