"""What an output may replace: files of ours, anything else only with --overwrite, and some things never."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from sweep.commands import ALL
from sweep.records.outputs import ending_of, is_sealed, require_free, sealed, write_files
from sweep.results.leaderboard import Leaderboard
from tests.cases.experiments import write_experiment
from trainables.errors import ExperimentError
from trainables.storage import Storage

CONTENTS = {
    ".html": b"<!doctype html>\n<p>report</p>\n",
    ".svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>\n',
    ".md": b"# Report\n\ntext",
    ".pdf": b"%PDF-1.4\n%%EOF\n",
    ".yml": b"a: 1\n",
    ".json": b'{"a": [1, 2.5, "x"]}',
}


@pytest.fixture
def picture(tmp_path: Path) -> bytes:
    """A PNG."""
    Image.new("RGB", (8, 8), "red").save(tmp_path / "p.png")
    data = (tmp_path / "p.png").read_bytes()
    (tmp_path / "p.png").unlink()
    return data


def test_a_seal_is_whole_until_a_byte_changes(picture: bytes) -> None:
    for ending, content in {**CONTENTS, ".png": picture}.items():
        ours = sealed(content, ending)
        assert is_sealed(ours, ending) and not is_sealed(content, ending), ending
        assert is_sealed(sealed(content, ending), ending), "the same again"
        edited = ours.replace(b"2.5", b"2.6") if ending == ".json" else ours[:-90] + b"!" + ours[-90:]
        assert not is_sealed(edited, ending) and not is_sealed(b"", ending), ending


def test_a_sealed_file_is_read_as_before(picture: bytes, tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(sealed(picture, ".png"))
    with Image.open(tmp_path / "p.png") as image:
        image.load()
        assert image.getpixel((3, 3)) == (255, 0, 0)
    assert json.loads(sealed(CONTENTS[".json"], ".json"))["a"] == [1, 2.5, "x"]


@pytest.mark.parametrize("rubbish", [b"\xff" * 300, b"[" * 100_000, b"null", b"<!-- tilesweep -->"])
def test_rubbish_is_not_ours(rubbish: bytes) -> None:
    assert not any(is_sealed(rubbish, ending) for ending in (*CONTENTS, ".png"))


def _refused(path: Path, said: str, *, overwrite: bool = False, ending: str | None = ".md") -> None:
    with pytest.raises(ExperimentError, match=said) as caught:
        require_free(path, overwrite=overwrite, ending=ending)
    assert len(caught.value.faults) == 1 and str(path) in str(caught.value)


def test_ours_is_replaced_and_what_a_person_wrote_is_not(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    write_files({path: sealed(b"one", ".md")})
    write_files({path: sealed(b"two", ".md")})
    path.write_text(path.read_text() + "and my own words\n")
    _refused(path, "exists already, not as tilesweep wrote it; choose another name, or say --overwrite")
    write_files({path: sealed(b"three", ".md")}, overwrite=True)
    assert path.read_text().startswith("three\n")


def test_some_things_are_never_replaced(tmp_path: Path, dataset: Path) -> None:
    (tmp_path / "folder.md").mkdir()
    mine = tmp_path / "mine.md"
    mine.write_text("mine")
    (tmp_path / "link.md").symlink_to(mine)
    (tmp_path / "dangling.md").symlink_to(tmp_path / "nowhere")
    experiment = tmp_path / "results" / "phase1-demo"
    (experiment / "unet").mkdir(parents=True)
    (experiment / "sweep.json").write_text("{}")
    (experiment / "unet" / "trial.md").write_text("log")
    (tmp_path / "results" / "test_ledger.jsonl").write_text("")
    (dataset / "manifest.json").write_text("{}")
    (tmp_path / "elsewhere").symlink_to(dataset / "train" / "masks")
    (tmp_path / "runs").symlink_to(experiment)
    for overwrite in (False, True):
        for name, said in {
            "folder.md": "is a folder; name a file",
            "link.md": "is a link to .*mine.md; name a file that is no link",
            "dangling.md": "is a link to",
            "results/phase1-demo/unet/trial.md": "is a file of an experiment",
            "runs/unet/trial.md": "is a file of an experiment",
            "results/test_ledger.jsonl": "is a record of tilesweep",
            "patches/manifest.json": "is a record of tilesweep",
            "patches/train/masks/t1.png": "keeps its tiles",
            "patches/train/images/new.md": "keeps its tiles",
            "elsewhere/new.md": "keeps its tiles",
        }.items():
            _refused(tmp_path / name, said, overwrite=overwrite)
            _refused(tmp_path / name, said, overwrite=overwrite, ending=None)
    assert mine.read_text() == "mine"


def test_a_new_file_beside_an_experiments_files_is_fine(tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text("{}")
    write_files({tmp_path / "page.html": sealed(b"one", ".html")})
    write_files({tmp_path / "page.html": sealed(b"two", ".html")})
    assert (tmp_path / "page.html").read_bytes().startswith(b"two")


def test_all_are_checked_before_one_is_written(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("mine")
    files = {tmp_path / "a.html": sealed(b"page", ".html"), tmp_path / "a.md": sealed(b"text", ".md")}
    with pytest.raises(ExperimentError, match=r"a\.md: exists already"):
        write_files(files)
    assert [path.name for path in tmp_path.iterdir()] == ["a.md"] and (tmp_path / "a.md").read_text() == "mine"


def test_a_hard_link_elsewhere_keeps_its_content(tmp_path: Path) -> None:
    write_files({tmp_path / "a.md": sealed(b"one", ".md")})
    (tmp_path / "b.md").hardlink_to(tmp_path / "a.md")
    write_files({tmp_path / "a.md": sealed(b"two", ".md")})
    assert (tmp_path / "b.md").read_bytes().startswith(b"one")


def test_an_unwritable_place_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExperimentError, match=r"--out .*/file/a\.md: cannot be written \(Not a directory\)"):
        write_files({tmp_path / "file" / "a.md": sealed(b"", ".md")})


def test_endings_say_how_a_file_is_sealed() -> None:
    assert [ending_of(Path(name)) for name in ("a.HTM", "a.html", "b.md", "c")] == [".html", ".html", ".md", ""]


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """An experiment that has ended and has a leaderboard."""
    experiment = write_experiment(tmp_path / "results")
    Leaderboard(experiment).write()
    return Path(experiment.path())


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command here, and gives its exit code and what it printed."""

    def command(name: str, *words: object) -> tuple[int, str]:
        chosen = next(one for one in ALL.commands() if one.name == name)
        with pytest.raises(SystemExit) as caught:
            chosen.run(list(map(str, words)))
        told = "".join(capsys.readouterr())
        assert "Traceback" not in told
        return int(caught.value.code or 0), told

    return command


@pytest.mark.parametrize(
    ("name", "ending"), [("patches overview", ".png"), ("patches sheet", ".html"), ("patches describe", ".svg")]
)
def test_a_picture_replaces_neither_a_mask_nor_a_photo(
    name: str, ending: str, dataset: Path, tmp_path: Path, run: Run
) -> None:
    mask, photo = dataset / "train" / "masks" / "t1.png", tmp_path / f"photo{ending}"
    photo.write_bytes(mask.read_bytes())
    for place in (mask, photo, dataset / "train" / "images" / "t1.png"):
        before = place.read_bytes()
        code, told = run(name, "--patches", dataset, "--out", place)
        assert code == 2 and told.startswith(f"error: --out {place}: ") and told.count("\n") == 1
        assert place.read_bytes() == before
    assert run(name, "--patches", dataset, "--out", mask, "--overwrite")[0] == 2
    assert run(name, "--patches", dataset, "--out", photo, "--overwrite")[0] == 0
    assert run(name, "--patches", dataset, "--out", photo)[0] == 0, "now it is ours"


def test_the_default_place_follows_the_same_rule(dataset: Path, run: Run) -> None:
    place = dataset / "overview.png"
    assert run("patches overview", "--patches", dataset)[0] == 0
    assert run("patches overview", "--patches", dataset)[0] == 0
    place.write_bytes(b"mine")
    code, told = run("patches overview", "--patches", dataset)
    assert code == 2 and f"{place}: exists already" in told and place.read_bytes() == b"mine"
    assert run("patches overview", "--patches", dataset, "--overwrite")[0] == 0


def test_a_monitoring_folder_keeps_foreign_files(tmp_path: Path, run: Run) -> None:
    (tmp_path / "prometheus.yml").write_text("scrape_configs: []\n")
    code, told = run("monitoring", "--out", tmp_path)
    assert code == 2 and "prometheus.yml: exists already" in told
    assert [path.name for path in tmp_path.iterdir()] == ["prometheus.yml"]
    assert run("monitoring", "--out", tmp_path, "--overwrite")[0] == 0
    assert run("monitoring", "--out", tmp_path)[0] == 0


def test_a_report_replaces_only_reports(finished: Path, tmp_path: Path, run: Run) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# My project\n")
    words = ("--storage", finished.parent, "--out", tmp_path / "README.html")
    code, told = run("report", *words)
    assert code == 2 and "README.md: exists already" in told and readme.read_text() == "# My project\n"
    assert not (tmp_path / "README.html").exists()
    assert run("report", *words, "--overwrite")[0] == 0 and readme.read_text() != "# My project\n"
    assert run("report", *words)[0] == 0
    assert run("report", "--storage", finished.parent)[0] == 0 and run("report", "--storage", finished.parent)[0] == 0
    (finished / "report.md").write_text("my notes")
    code, told = run("report", "--storage", finished.parent)
    assert code == 2 and f"{finished / 'report.md'}: exists already" in told and "move it, or say --overwrite" in told
    assert (finished / "report.md").read_text() == "my notes"
    out = ("--out", finished / "leaderboard.html", "--overwrite")
    before = (finished / "leaderboard.md").read_bytes()
    code, told = run("report", "--storage", finished.parent, *out)
    assert code == 2 and "leaderboard.md: is a file of an experiment" in told
    assert (finished / "leaderboard.md").read_bytes() == before


def test_a_storage_that_cannot_be_written_has_a_report_elsewhere(
    finished: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainables.errors import StorageError

    def refuse(self: Storage, relative: str, data: bytes, *, durable: bool = True) -> None:
        raise StorageError(f"{self.path(relative)}: cannot be written (Read-only file system)")

    monkeypatch.setattr(Storage, "write", refuse)
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    code, told = run("report", "--storage", finished.parent, "--out", tmp_path / "page.html")
    assert code == 0 and (tmp_path / "page.html").stat().st_size > 10_000
    assert f"tables         not renewed in {finished}, which cannot be written" in told
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before
    code, told = run("report", "--storage", finished.parent)
    assert code == 2 and "Read-only file system" in told and told.count("\n") == 1
