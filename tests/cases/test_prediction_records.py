"""What is in --out: known by all that it was made of, replaced whole, never lost to another command."""

from __future__ import annotations

import json
import threading
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image

from sweep.predict import job
from sweep.predict.cover import Cover
from sweep.predict.parts import Parts
from sweep.predict.record import Record
from sweep.rasters.addresses import unsigned
from sweep.rasters.files import Stamp, file_of, stamp
from sweep.rasters.inputs import find_inputs, hidden_files, result_name
from tests.cases.stub_model import names, predict, redness
from tests.rasters import write_tif
from trainables.errors import ExperimentError

HERE = Affine(0.3, 0, 500_000, 0, -0.3, 5_300_000)
SETTINGS = {"threshold": 0.5}


def image(red: int, side: int = 64) -> NDArray[np.uint8]:
    values = np.full((side, side, 3), 60, dtype=np.uint8)
    values[..., 0] = red
    return values


def mask(path: Path) -> NDArray[np.uint8]:
    with rasterio.open(path) as file:
        return file.read(1)


def entries(out: Path) -> dict[str, Any]:
    return json.loads((out / "predictions.json").read_text())["inputs"]


def test_a_virtual_raster_is_predicted_again_when_one_of_its_files_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tif(tmp_path / "tile.tif", image(60))
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><SimpleSource><SourceFilename relativeToVRT="1">tile.tif'
        f"</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
        for band in (1, 2, 3)
    )
    path, out = tmp_path / "mosaic.vrt", tmp_path / "out"
    path.write_text(
        f'<VRTDataset rasterXSize="64" rasterYSize="64"><SRS>EPSG:32633</SRS><GeoTransform>500000,0.3,0,5300000,0,-0.3'
        f"</GeoTransform>{bands}</VRTDataset>"
    )
    predict(path, "--out", out)
    assert not mask(out / "mosaic_mask.tif").any()
    predict(path, "--out", out)
    assert "mosaic: is there already" in capsys.readouterr().out
    write_tif(tmp_path / "tile.tif", image(220))
    predict(path, "--out", out)
    assert mask(out / "mosaic_mask.tif").all()


def test_a_world_file_that_comes_later_gives_the_map_its_place(tmp_path: Path) -> None:
    path, out = tmp_path / "late.png", tmp_path / "out"
    Image.fromarray(image(220)).save(path)
    predict(path, "--out", out)
    assert names(out) == ["late_mask.png", "late_overlay.jpg", "predictions.json"]
    (tmp_path / "late.pgw").write_text("0.3\n0\n0\n-0.3\n500000.15\n5299999.85\n")
    predict(path, "--out", out)
    assert names(out) == [
        "late_mask.qml",
        "late_mask.tif",
        "predictions.json",
    ]  # and the picture without a place is gone


def test_an_aux_xml_counts_by_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "a.png", tmp_path / "out"
    Image.fromarray(image(220)).save(path)
    predict(path, "--out", out)
    notes = tmp_path / "a.png.aux.xml"
    statistics = '<PAMRasterBand band="1"><Metadata><MDI key="STATISTICS_MEAN">220</MDI></Metadata></PAMRasterBand>'
    notes.write_text(f"<PAMDataset>{statistics}</PAMDataset>")
    capsys.readouterr()
    predict(path, "--out", out)
    assert "a: is there already" in capsys.readouterr().out
    place = "<SRS>EPSG:32633</SRS><GeoTransform>500000,0.3,0,5300000,0,-0.3</GeoTransform>"
    notes.write_text(f"<PAMDataset>{place}{statistics}</PAMDataset>")
    predict(path, "--out", out)
    assert names(out) == ["a_mask.qml", "a_mask.tif", "predictions.json"]


def test_a_virtual_raster_of_another_machine_s_files_is_still_known_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.vrt"
    path.write_text("x")

    class Dataset:
        files = (str(path), "/vsicurl/https://h/y.tif?sig=abc")
        driver, name, crs, gcps, nodatavals, dtypes = "VRT", str(path), None, ((), None), (None,), ("uint8",)
        transform, mask_flag_enums, colorinterp = Affine.identity(), (), ()

    found = stamp(Dataset(), str(path))
    assert found[str(path)] == [1, path.stat().st_mtime_ns] and found["/vsicurl/https://h/y.tif"] == []


def test_an_archive_of_this_machine_is_known_by_its_state(tmp_path: Path) -> None:
    archive = tmp_path / "scenes.zip"
    archive.touch()
    for address in (f"/vsizip/{archive}/a.tif", f"/vsizip/{{{archive}}}/a.tif", f"zip://{archive}!a.tif", str(archive)):
        assert file_of(address) == archive
    for address in ("https://host/scenes.zip", "/vsicurl/https://host/a.tif", "s3://bucket/a.tif"):
        assert file_of(address) is None


def test_a_raster_that_changes_while_it_is_predicted_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = write_tif(tmp_path / "in" / "a.tif", image(60)), tmp_path / "out"

    def forward(images: Any) -> Any:
        write_tif(path, image(220))
        return redness(images)

    with pytest.raises(ExperimentError, match="was changed while it was predicted"):
        predict(path, "--out", out, forward=forward)
    assert names(out) == []
    predict(path, "--out", out)
    assert mask(out / "a_mask.tif").all()


@pytest.mark.parametrize(
    "address, known_as",
    [
        ("https://x.blob.core.windows.net/c/y.tif?sv=2024-11-04&se=2026-01-01&sr=b&sp=r&sig=a%2Fb/c", "https://x.blob.core.windows.net/c/y.tif"),
        ("https://b.s3.amazonaws.com/y.tif?X-Amz-Date=1&X-Amz-Expires=3600&X-Amz-Signature=ab", "https://b.s3.amazonaws.com/y.tif"),
        ("https://storage.googleapis.com/b/y.tif?Expires=1&GoogleAccessId=a&Signature=s%2F", "https://storage.googleapis.com/b/y.tif"),
        ("/vsicurl/https://h/y.tif?version=3&sig=abc", "/vsicurl/https://h/y.tif?version=3"),
        ("https://user:secret@h/y.tif", "https://h/y.tif"),
        ("https://h/download.php?id=1&st=Berlin", "https://h/download.php?id=1&st=Berlin"),
        ("s3://bucket/y.tif", "s3://bucket/y.tif"),
        ("a?sig=1.tif", "a?sig=1.tif"),
    ],
)  # fmt: skip
def test_a_signed_address_is_known_without_its_signature(address: str, known_as: str) -> None:
    assert unsigned(address) == known_as


@pytest.mark.parametrize(
    "path, name",
    [
        ("http://x/y.tif?sig=a/b.c", "y"),
        ("http://x/y.tif?raw=true", "y"),
        ("https://x/download.php?id=1", "download-id-1"),
        ("https://x/download.php?id=2&sig=abc", "download-id-2"),
        ("/vsizip/a.zip/b.tif", "b"),
        ("in/what?.tif", "what?"),
        (f"in/{unicodedata.normalize('NFD', 'Köln')}.tif", unicodedata.normalize("NFC", "Köln")),
    ],
)
def test_results_are_called_after_the_raster_not_after_its_signature(path: str, name: str) -> None:
    assert result_name(path) == name


def test_two_spellings_of_one_name_would_share_their_results(tmp_path: Path) -> None:
    paths = [tmp_path / f"{unicodedata.normalize(form, 'Köln')}.tif" for form in ("NFC", "NFD")]
    for path in paths:
        path.touch()
    with pytest.raises(ExperimentError, match="would be called like those of"):
        find_inputs(map(str, paths), tmp_path / "out")


def test_names_that_begin_with_a_dot_are_not_read_and_counted(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.tif", "._a.tif", ".hidden.png", ".DS_Store"):
        (folder / name).touch()
    assert [one.name for one in find_inputs([str(folder)], tmp_path / "out")] == ["a"]
    assert hidden_files([str(folder), "s3://bucket", str(folder / "a.tif")]) == {str(folder): 2}


def test_parts_of_a_signed_address_are_kept_when_the_signature_changes(tmp_path: Path) -> None:
    cover = Cover.of(64, 64, 64)
    first, second = (
        find_inputs([f"https://h/y.tif?sig={signature}&se=1"], tmp_path / "out")[0] for signature in ("a", "b")
    )
    assert first.identity == second.identity
    parts = Parts(tmp_path / ".y.parts", cover, {"raster": {first.identity: []}})
    (parts.folder / "row000000-stripe000.tif").touch()
    again = Parts(tmp_path / ".y.parts", cover, {"raster": {second.identity: []}})
    assert again.first_missing(cover.stripes[0]) == 1
    record = Record(tmp_path / "out", SETTINGS)
    record.add(first, {first.identity: []}, [], {})
    assert record.has(second, {second.identity: []})
    assert "sig" not in (tmp_path / "out" / "predictions.json").read_text()


def test_parts_with_holes_are_kept_for_who_asks_for_holes(tmp_path: Path) -> None:
    cover = Cover.of(64, 64, 64)
    for content, kept in (('["block in row 1, column 1"]', 0), ("[]", 1), ("[" * 100_000, 0), ('{"a": 1}', 0)):
        parts = Parts(tmp_path / ".y.parts", cover, {})
        (parts.folder / "row000000-stripe000.tif").touch()
        (parts.folder / "bad.json").write_text(content)
        assert Parts(tmp_path / ".y.parts", cover, {}, keep_bad=False).first_missing(cover.stripes[0]) == kept
        (parts.folder / "bad.json").unlink(missing_ok=True)


def two(tmp_path: Path) -> tuple[Any, Any]:
    a, b = find_inputs([str(write_tif(tmp_path / "in" / f"{name}.tif", image(60))) for name in "ab"], tmp_path / "out")
    return a, b


def state(one: Any) -> Stamp:
    with rasterio.open(one.path) as dataset:
        return stamp(dataset, one.identity)


def test_two_commands_on_one_folder_keep_each_other_s_entries(tmp_path: Path) -> None:
    a, b = two(tmp_path)
    first, second = (Record(tmp_path / "out", SETTINGS) for _ in range(2))
    first.add(a, state(a), [], {"windows": 1})
    second.add(b, state(b), [], {"windows": 2})
    assert {name: entry["windows"] for name, entry in entries(tmp_path / "out").items()} == {"a": 1, "b": 2}
    assert first.has(b, state(b)) and second.has(a, state(a))


def test_many_commands_at_once_lose_no_entry(tmp_path: Path) -> None:
    inputs = find_inputs([f"s3://bucket/{number}.tif" for number in range(24)], tmp_path / "out")

    def fill(share: list[Any]) -> None:
        record = Record(tmp_path / "out", SETTINGS)
        for one in share:
            record.add(one, {one.identity: []}, [], {})

    threads = [threading.Thread(target=fill, args=(inputs[part::4],)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(entries(tmp_path / "out")) == {str(number) for number in range(24)}
    assert names(tmp_path / "out") == ["predictions.json"]


def test_the_same_command_twice_at_once_predicts_each_raster_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a, _ = two(tmp_path)
    out = tmp_path / "out"
    other = Record(out, {})
    begun, predicted = threading.Event(), []

    def elsewhere() -> None:
        with other.predicting(a, wait=False) as ours:
            assert ours
            begun.set()
            deadline = time.monotonic() + 30
            while not (out / "b_mask.tif").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.2)

    write = job.write_geotiff
    monkeypatch.setattr(job, "write_geotiff", lambda *words: (predicted.append(words[-1].name), write(*words)))
    thread = threading.Thread(target=elsewhere)
    thread.start()
    begun.wait()
    predict(tmp_path / "in", "--out", out)
    thread.join()
    assert predicted == ["b_mask.tif", "a_mask.tif"]
    assert "a: another command predicts it; sharing what is left" in capsys.readouterr().out
    assert names(out) == ["a_mask.qml", "a_mask.tif", "b_mask.qml", "b_mask.tif", "predictions.json"]


def test_overwrite_removes_what_the_record_lists_and_nothing_else(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    for name in ("a", "b"):
        write_tif(folder / f"{name}.tif", image(220))
    predict(folder, "--out", out, "--polygons", "gpkg")
    (out / "a_notes.txt").write_text("mine")
    (out / "a_probability.tif").write_text("mine, too")
    with pytest.raises(ExperimentError, match="no such file"):  # nothing is removed by a command that cannot run
        predict(folder / "none.tif", "--out", out, "--threshold", "0.9", "--overwrite")
    with pytest.raises(ExperimentError, match="no raster"):
        predict(folder / "a.tif", write_nothing(folder / "c.tif"), "--out", out, "--threshold", "0.9", "--overwrite")
    assert {"a_polygons.gpkg", "b_polygons.gpkg"} < set(names(out))
    predict(folder / "a.tif", "--out", out, "--threshold", "0.9", "--overwrite")
    assert names(out) == ["a_mask.qml", "a_mask.tif", "a_notes.txt", "a_probability.tif", "predictions.json"]
    before = (out / "a_mask.tif").stat().st_mtime_ns
    predict(folder / "a.tif", "--out", out, "--threshold", "0.9", "--overwrite")  # resumed: it is there
    assert (out / "a_mask.tif").stat().st_mtime_ns == before


@pytest.mark.parametrize("ending", ["_mask.tif", "_mask.png", "_polygons.gpkg"])
def test_a_file_that_no_prediction_made_is_not_replaced_without_being_asked(tmp_path: Path, ending: str) -> None:
    """Whoever keeps masks drawn by hand beside the images may call them just so."""
    path, drawn = write_tif(tmp_path / "a" / "roofs.tif", image(200)), tmp_path / "a" / f"roofs{ending}"
    drawn.write_bytes(b"drawn by hand")
    with pytest.raises(ExperimentError, match=f"--out .*roofs{ending}: exists already; choose another name, or say"):
        predict(path, "--out", tmp_path / "a")
    assert drawn.read_bytes() == b"drawn by hand" and not (tmp_path / "a" / "predictions.json").exists()
    predict(path, "--out", tmp_path / "a", "--overwrite")
    assert mask(tmp_path / "a" / "roofs_mask.tif").all()
    predict(path, "--out", tmp_path / "a")


def test_a_run_that_was_killed_before_it_wrote_its_record_is_resumed(tmp_path: Path) -> None:
    path, out = write_tif(tmp_path / "roofs.tif", image(200)), tmp_path / "out"
    (out / ".roofs.parts").mkdir(parents=True)
    (out / "roofs_mask.tif").write_bytes(b"half")
    predict(path, "--out", out)
    assert mask(out / "roofs_mask.tif").all()


def test_a_folder_of_tiles_takes_no_predictions(tmp_path: Path) -> None:
    path, out = write_tif(tmp_path / "roofs.tif", image(200)), tmp_path / "data" / "train" / "masks"
    out.mkdir(parents=True)
    with pytest.raises(ExperimentError, match="is where a dataset keeps its tiles"):
        predict(path, "--out", out, "--overwrite")
    assert not list(out.iterdir())


def write_nothing(path: Path) -> Path:
    path.touch()
    return path


def test_results_of_another_raster_of_that_name_are_not_replaced_without_being_asked(tmp_path: Path) -> None:
    out = tmp_path / "out"
    first, second = (write_tif(tmp_path / folder / "RGB.tif", image(red)) for folder, red in (("x", 60), ("y", 220)))
    predict(first, "--out", out)
    with pytest.raises(ExperimentError, match=r"y/RGB.tif: --out .* holds results of another raster .*x/RGB.tif"):
        predict(second, "--out", out)
    assert not mask(out / "RGB_mask.tif").any()
    predict(second, "--out", out, "--overwrite")
    assert mask(out / "RGB_mask.tif").all() and entries(out)["RGB"]["path"] == str(second)


def with_entry(change: Callable[[dict[str, Any]], Any]) -> str:
    content: dict[str, Any] = {
        "format": 1,
        "settings": SETTINGS,
        "inputs": {"a": {"path": "a.tif", "files": ["a_mask.tif"]}},
    }
    change(content)
    return json.dumps(content)


@pytest.mark.parametrize(
    "content, said",
    [
        ("[]", "damaged"),
        ("{", "damaged"),
        ("[" * 200_000, "damaged"),
        ('{"format": ' + "9" * 5000 + "}", "damaged|newer"),
        ("\ufeff{}", "damaged"),
        (with_entry(lambda c: c.update(format=99)), "newer tilesweep"),
        (with_entry(lambda c: c["inputs"]["a"].update(files="a_mask.tif")), "damaged"),
        (with_entry(lambda c: c["inputs"].update(a=3)), "damaged"),
        (with_entry(lambda c: c["inputs"]["a"].update(files=["../precious_mask.tif"])), "no result of 'a'"),
        (with_entry(lambda c: c["inputs"]["a"].update(files=["/etc/passwd"])), "no result of 'a'"),
        (with_entry(lambda c: c["inputs"]["a"].update(files=["a_notes.txt"])), "no result of 'a'"),
        (with_entry(lambda c: c["inputs"].update({"../a": {"path": "", "files": ["../a_mask.tif"]}})), "no result of"),
        (with_entry(lambda c: c["inputs"]["a"].update(bad="x")), "damaged"),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_record_of_anyone_s_making_is_one_line(tmp_path: Path, content: str, said: str, overwrite: bool) -> None:
    (tmp_path / "precious_mask.tif").touch()
    out = tmp_path / "out"
    out.mkdir()
    (out / "predictions.json").write_text(content)
    with pytest.raises(ExperimentError, match=said) as caught:
        Record(out, {"threshold": 0.9}, overwrite=overwrite).begin()
    (fault,) = caught.value.faults
    assert "predictions.json" in fault and "\n" not in fault and len(fault) < 400
    assert (tmp_path / "precious_mask.tif").exists()


def test_a_record_of_before_is_still_read(tmp_path: Path) -> None:
    (one, _) = two(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    entry = {"path": "in/a.tif", "stamp": [one.path, 3, 5], "files": ["a_mask.tif"], "windows": 3}
    (out / "predictions.json").write_text(
        json.dumps({"format": 1, "settings": SETTINGS, "inputs": {"a": entry, "z": entry | {"files": []}}})
    )
    record = Record(out, SETTINGS)
    assert not record.has(one, state(one))
    record.add(one, state(one), [], {"windows": 1})
    assert entries(out)["z"]["windows"] == 3 and record.has(one, state(one))
