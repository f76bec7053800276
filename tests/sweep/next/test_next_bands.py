"""More bands than a labelling program shows, and 16 bits: the tile keeps them, a picture is labelled, both return."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.bands import BANDS, BYTES, WORDS, write_nir, write_scene
from tests.commands import run_here
from tests.models import write_best
from trainables.data.imagery import Imagery
from trainables.data.manifest import Manifest
from trainables.data.tiles import TuningData


@pytest.mark.parametrize("imagery", [BYTES, WORDS], ids=["bytes", "16 bits"])
def test_tiles_of_four_bands_are_labelled_on_pictures_and_come_back(imagery: Imagery, tmp_path: Path) -> None:
    patches = write_nir(tmp_path / "patches", imagery)
    model = write_best(tmp_path / "m.safetensors", patches, "unet")
    write_scene(tmp_path / "scene.tif", imagery)
    out = tmp_path / "next"
    flags = ("--model", model, "--patches", patches, "--count", 2, "--out", out)
    done = run_here("next", tmp_path / "scene.tif", *flags)
    assert done.returncode == 0, done.stderr
    names = [path.stem for path in (out / "tiles").glob("*.tif")]
    assert len(names) == 2 and {path.stem for path in (out / "labels").glob("*.json")} == set(names)
    assert all(Image.open(out / "labels" / f"{name}.png").mode == "RGB" for name in names)
    for path in (out / "labels").glob("*.json"):
        values = json.loads(path.read_text())
        values["shapes"] = [{"label": "foreground", "shape_type": "rectangle", "points": [[8, 8], [40, 40]]}]
        path.write_text(json.dumps(values))

    words = shlex.split(done.stdout.rstrip().splitlines()[-1].removeprefix("next").strip())
    added = run_here("patches", *words[3:])
    assert added.returncode == 0, added.stderr
    before, after = TuningData.read(patches), TuningData.read(tmp_path / "patches-2")
    assert after.imagery == before.imagery and after.imagery.bands == BANDS
    new = {tile.name: tile for tile in after.train if tile.name in names}
    assert set(new) == set(names)
    for tile in new.values():
        assert tile.mask[20, 20] == 1 and tile.mask[60, 60] == 0
    manifest = Manifest.read(tmp_path / "patches-2")
    assert manifest is not None
    entry = manifest.files[f"train/images/{names[0]}.tif"]
    assert "crs" in entry and "scene.tif x=" in entry["source"]

    again = run_here("next", tmp_path / "scene.tif", *flags[:2], "--patches", tmp_path / "patches-2", *flags[4:6],
                     "--out", tmp_path / "again")  # fmt: skip
    assert "2 labelled already" in again.stdout, "what came back is known by its place"
    assert not np.array_equal(*(tile.image for tile in new.values()))
