"""The installed wheel, used from an empty folder outside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep import __version__
from tests.conftest import WriteDataset
from tests.packaging.conftest import Installed

pytestmark = pytest.mark.packaging


def test_commands_run_from_an_empty_folder(installed: Installed, tmp_path: Path) -> None:
    where = installed("-c", "import sweep; print(sweep.__file__, sweep.__version__)", cwd=tmp_path).stdout.split()
    assert "site-packages" in where[0] and where[1] == __version__
    helped = installed("-m", "sweep.phase1", "--help", cwd=tmp_path)
    assert helped.returncode == 0 and "--max-concurrent" in helped.stdout
    assert not list(tmp_path.iterdir())


def test_without_tiles_the_mend_is_told_and_works(installed: Installed, tmp_path: Path) -> None:
    refused = installed("-m", "sweep.phase1", "--profile", "smoke", "--plan", cwd=tmp_path)
    assert refused.returncode == 2 and "Traceback" not in refused.stderr
    mend = "python -m sweep.patches synthesize --dst patches"
    assert refused.stderr.startswith("error: --patches patches: no such folder") and mend in refused.stderr
    small = ("--counts", "2,1,1", "--size", "128")
    drawn = installed(*mend.split()[1:], *small, cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stdout + drawn.stderr
    planned = installed("-m", "sweep.phase1", "--profile", "smoke", "--plan", cwd=tmp_path)
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "sam_vit_b_unet" in planned.stdout


def test_the_script_runs_the_same_commands(installed: Installed, write_dataset: WriteDataset, tmp_path: Path) -> None:
    """Its hints name the script, too."""
    assert installed.script("--version", cwd=tmp_path).stdout == f"tilesweep {__version__}\n"
    listed = installed.script(cwd=tmp_path).stdout
    assert "\n  phase1 " in listed and "tilesweep NAME --help" in listed
    write_dataset(tmp_path / "patches")
    flags = ("--profile", "smoke", "--architectures", "unet", "--plan")
    done = installed.script("phase1", *flags, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.endswith(f"next           tilesweep phase1 {' '.join(flags[:-1])}\n")
    same = installed("-m", "sweep.phase1", *flags, cwd=tmp_path).stdout.replace("python -m sweep.", "tilesweep ")
    assert [line for line in done.stdout.splitlines() if "free" not in line] == [
        line for line in same.splitlines() if "free" not in line
    ]
    checked = installed.script("patches", "check", cwd=tmp_path)
    said = checked.stdout + checked.stderr
    assert checked.returncode == 0 and "next           tilesweep study" in checked.stdout, said
