"""What a message says to type is taken out of it and typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from sweep.patches.options import CheckOptions, Make
from tests.commands import run_here
from tests.sweep.patches.advice.files import Build

SWITCHES = {
    f"--{one.name.replace('_', '-')}"
    for options in (Make, CheckOptions)
    for one in fields(options)
    if re.match(r"bool|Annotated\[bool", str(one.type))
} | {"--allow-leak"}
VALUE = r"""("[^"]*"|'[^']*'|[^\s;]+)"""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """A message, what leads to it, and what of it a person types.

    Attributes:
        at: The module below ``sweep/patches`` that has the message.
        says: A part of the message.
        template: The same as the source has it, where that differs.
        build: Makes the files, in an empty folder.
        typed: The command that prints the message.
        code: Its exit code.
        takes: Flags that are taken out of the message with their values; ``--flag=PATTERN`` finds the value itself.
        fills: Placeholder in the message to what a person puts there.
        drops: Flags that the message says to leave out.
        places: Flags whose value the message describes in words, such as "choose another folder".
        after: The command that the flags are for, if another one.
        command: A pattern for a whole command in the message, which is typed instead.
        edits: Does with files what the message says; takes the folder and the message.
        reads: The file that has the message; empty for what was printed.
        then: What the next command says, and what is typed then.
    """

    at: str
    says: str
    build: Build
    template: str = ""
    typed: str = "make --src data"
    code: int = 2
    takes: Sequence[str] = ()
    fills: Mapping[str, str] = field(default_factory=dict)
    drops: Sequence[str] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    after: str = ""
    command: str = ""
    edits: Callable[[Path, str], object] | None = None
    reads: str = ""
    then: Sequence[Advice] = ()

    def __str__(self) -> str:
        typed = " ".join((*self.takes, *self.drops, *self.places)) or "a file"
        return f"{self.at}: {self.says[:50]}: {typed}"

    def follow(self, folder: Path) -> None:
        """Print the message, type what it says, and so on, until a command ends well.

        Raises:
            AssertionError: The message is not printed, does not hold what is to be typed, or is printed again.
        """
        self.build(folder)
        words, said = shlex.split(self.typed), list[str]()
        for step in (self, *self.then):
            printed = _run(words, folder, step.code)
            message = (folder / step.reads).read_text() if step.reads else _line(printed, step.says)
            message = printed if step.command and not step.reads else message
            said.append(step.says)
            if step.edits:
                step.edits(folder, message)
            words = step.next_words(words, message)
            if step.code == 0 and words[0] == "make":  # there is a dataset already
                words = [*_without(words, "--force"), "--force"]
        last = _run(words, folder, 0)
        assert not [one for one in said if one in last], f"{shlex.join(words)} leads back: {last}"

    def next_words(self, words: Sequence[str], message: str) -> list[str]:
        """Return what is typed after a message."""
        if self.command:
            found = re.search(self.command, message)
            assert found, (self.command, message)
            return shlex.split(self._filled(found[1]))
        message = self._filled(message)
        words = shlex.split(self.after) if self.after else list(words)
        for flag in self.drops:
            assert "leave" in message, message
            words = _without(words, flag)
        for take in self.takes:
            flag, _, pattern = take.partition("=")
            value = [] if flag in SWITCHES else [_value(message, flag, pattern)]
            words = [*_without(words, flag), flag, *value]
        for flag, value in self.places.items():
            words = [*_without(words, flag), flag, value]
        return words

    def _filled(self, text: str) -> str:
        for placeholder, value in self.fills.items():
            assert re.search(r"[A-Z]|\.\.\.", placeholder), placeholder
            assert placeholder in text, (placeholder, text)
            text = re.sub(rf"(?<![A-Za-z]){re.escape(placeholder)}(?![A-Za-z])", lambda _, value=value: value, text)
        return text


def _run(words: Sequence[str], folder: Path, code: int) -> str:
    if sweep := next((one for one in words if one in ("phase1", "study")), ""):
        done = run_here(sweep, *[one for one in words if one != sweep], "--plan", cwd=folder)  # trains nothing
    else:
        done = run_here("patches", *words, cwd=folder)
    printed = done.stdout + done.stderr
    assert "Traceback" not in printed and done.returncode == code, f"{shlex.join(words)}: {printed}"
    return printed


def _line(printed: str, says: str) -> str:
    lines = [line for line in printed.splitlines() if says in line]
    assert lines, f"{says!r} is not in: {printed}"
    return lines[0]


def _value(message: str, flag: str, pattern: str) -> str:
    """Return the last value that a message gives a flag."""
    found = re.findall(pattern or rf"{flag} {VALUE}", message)
    assert found, (flag, message)
    text: str = found[-1]
    return shlex.split(text.rstrip(",.:)") if text[0] not in "\"'" else text)[0]


def _without(words: Sequence[str], flag: str) -> list[str]:
    if flag not in words:
        return list(words)
    at = list(words).index(flag)
    return [*words[:at], *words[at + (1 if flag in SWITCHES else 2) :]]
