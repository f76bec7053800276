"""Lines that libtiff prints by itself are an error, and others are printed."""

from __future__ import annotations

import os

import pytest

from sweep.rasters.libtiff import libtiff_faults


def say(text: bytes) -> None:
    os.write(2, text)


def test_what_libtiff_prints_is_an_error_and_not_on_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError) as caught, libtiff_faults():
        say(b"before\n_tiffWriteProc: No space left on device.\n_tiffSeekProc: No space left on device.\nafter\n")
    assert caught.value.strerror == "No space left on device"
    assert capfd.readouterr().err == "before\nafter\n"


def test_it_is_the_reason_of_what_fails_after_it(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError) as caught, libtiff_faults():
        say(b"_tiffWriteProc: File too large.\n")
        raise ValueError("cannot read the directory")
    assert caught.value.strerror == "File too large" and isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(ValueError, match="other"), libtiff_faults():
        raise ValueError("other")
    assert capfd.readouterr().err == ""


def test_other_lines_come_afterwards_and_stderr_is_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    with libtiff_faults():
        say(b"within\n")
        assert capfd.readouterr().err == ""
    say(b"after\n")
    assert capfd.readouterr().err == "within\nafter\n"
