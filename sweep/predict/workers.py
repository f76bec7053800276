"""``--workers N``: more processes of the same command, which share its rasters and have GPUs of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from typing import IO, Any

import torch

from sweep.cli.marks import flag
from sweep.cli.output import Output, say
from sweep.machine.share import cpu_share
from trainables.documents import DamagedError, parse_json
from trainables.errors import ExperimentError
from trainables.escaping import visible

LEFT_OUT = ("inputs", "workers", "patches", "quiet", "json")
"""Options that a further process has not, or has in its own way; what needs the dataset, the first one does alone."""
FIRST = "TILESWEEP_FIRST_PROCESS"
"""The variable by which a further process knows that it is one, and what the first one has fitted."""
END_SECONDS = 20.0
"""A process that does not end within so long after it was asked to is killed."""
GPUS = "CUDA_VISIBLE_DEVICES"


def words_of(options: Any) -> list[str]:
    """Return the words by which a command with these options is typed, without those of ``LEFT_OUT``.

    Args:
        options: The command's, a dataclass.
    """
    words: list[str] = []
    for one in fields(options):
        value = getattr(options, one.name)
        if one.name in LEFT_OUT or value == one.default or value is None or value is False:
            continue
        words.append(flag(one.name))
        if isinstance(value, tuple):
            words[-1] += f"={','.join(map(str, value))}"
        elif value is not True:
            words[-1] += f"={value}"
    return words


def is_further() -> bool:
    """Whether this process was begun by another one of the same command."""
    return FIRST in os.environ


def told_by_first() -> dict[str, float]:
    """Return what the first process has fitted, by name; empty where this is the first one, or nothing was fitted.

    Two fits need not agree to the last digit, as threads add in another order, and parts of one map have to.

    Raises:
        ExperimentError: The variable was set by something else.
    """
    try:
        return parse_json(os.environ.get(FIRST, "{}"), dict[str, float])
    except DamagedError as error:
        raise ExperimentError(f"{FIRST}: was not set by tilesweep ({error}); unset it") from error


@contextmanager
def working(
    command: str, options: Any, count: int, output: Output, fitted: Mapping[str, float] | None = None
) -> Iterator[None]:
    """Have further processes work on the same inputs during the block; they end with it at the latest.

    Args:
        command: The command's module, such as ``sweep.predict``.
        options: The command's; ``inputs`` are its positional ones.
        count: All processes together, this one included.
        output: Where it is said that one failed: the others have taken its work over.
        fitted: What the first one found, see ``told_by_first``.
    """
    if count < 2:
        yield
        return
    threads = max(1, cpu_share().count // count)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    words = [sys.executable, "-m", command, "--quiet", *words_of(options), "--", *options.inputs]
    say(output.console, "workers", f"{count}{_places(count)}")
    told = {FIRST: json.dumps(dict(fitted or {}))}
    with ExitStack() as stack:
        started: list[tuple[int, subprocess.Popen[bytes], IO[bytes]]] = []
        for number in range(1, count):
            said: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())
            environment = {**os.environ, **_own_gpu(number), **told, "OMP_NUM_THREADS": str(threads)}
            process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=said, env=environment)
            started.append((number + 1, process, said))
        try:
            yield
        finally:
            torch.set_num_threads(before)
            for number, process, said in started:
                _end(number, process, said, output)


def _end(number: int, process: subprocess.Popen[bytes], said: IO[bytes], output: Output) -> None:
    """End a process if it has not ended by itself, and say so if it failed before."""
    code = process.poll()
    if code is None:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    elif code:
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
        why = f": {lines[-1]}" if lines else f" (exit code {code})"
        text = f"worker {number} ended early, and the others did its work{why}"
        say(output.results, "warning", visible(text))
        output.events.emit("warning", text=text)


def _gpus() -> Sequence[str]:
    """Return the GPUs of this process, as its environment names them."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = [one for one in os.environ.get(GPUS, "").split(",") if one]
    return named[:count] if len(named) >= count else [str(number) for number in range(count)]


def _own_gpu(number: int) -> dict[str, str]:
    gpus = _gpus()
    return {GPUS: gpus[number % len(gpus)]} if len(gpus) > 1 else {}


def _places(count: int) -> str:
    gpus = len(_gpus())
    if gpus > 1:
        return f", on {min(gpus, count)} GPUs"
    return ", on one GPU, which they share" if gpus else ", on the CPUs"
