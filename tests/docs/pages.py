"""What the pages of the documentation hold: their command lines, and the blocks that tests run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from docs import architectures, layouts_table
from sweep.commands import ALL
from tests.commands import environment
from tests.conftest import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
MAINTAINERS = ROOT / "docs" / "maintainers"
"""Pages for those who change or review tilesweep."""
WRITTEN = (architectures.PAGE, layouts_table.PAGE)
"""Pages that are written by code."""
COMMANDS = ALL.commands()
NAMES = sorted({command.name.split()[0] for command in COMMANDS})
COMMAND = re.compile(
    r"(?:python -m sweep\.([a-z]\w*)"
    rf"|^(?: {{4}})?tilesweep ({'|'.join(NAMES)})\b"
    r"|`tilesweep ([a-z]\w*))"
    r"((?:\\\n|[^\n`])*)",
    re.MULTILINE,
)
"""Either way of calling a command."""
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
"""Blocks that are no prose."""
RUN = re.compile(r"<!-- (run|run in smoke) -->\n+((?:```(?:bash|python)\n.*?```)|(?:(?: {4}[^\n]*\n)+))", re.DOTALL)
"""Marks the block after it: run as it stands there, or in the smoke profile."""


def name_of(page: Path) -> str:
    """Return a page's path in the project, as tests are called."""
    return page.relative_to(ROOT).as_posix()


def command_lines(text: str) -> list[tuple[str, list[str]]]:
    """Return every command line of a page: the command's name and its arguments.

    ``SEED`` stands for a number. What stands behind ``#``, ``|``, ``>`` or ``;`` is not the command's, and ``...``
    stands for anything: it is left out with the flag before it. A quote that was opened before the command ends it.
    """
    found = []
    for module, line, inline, rest in COMMAND.findall(text):
        quote = next((one for one in "'\"" if rest.count(one) % 2), None)
        rest = rest.rpartition(quote)[0] if quote else rest
        lexer = shlex.shlex(rest.replace("\\\n", " "), posix=True, punctuation_chars="|;><&()")
        lexer.whitespace_split, lexer.commenters = True, "#"
        words: list[str] = []
        for word in lexer:
            if set(word) <= set("|;><&()"):
                break
            if word == "...":
                words = words[:-1]
                continue
            words.append(word.replace("SEED", "42"))
        found.append((module or line or inline, words))
    return found


def run_block(block: str, folder: Path, timeout: float = 1800) -> str:
    """Run a block of commands as a shell does, with this Python; returns what it printed."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f"set -e\n{block}"],
        cwd=folder,
        env=environment(PATH=path),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, block + done.stdout + done.stderr
    return done.stdout


def marked_blocks(text: str) -> list[str]:
    """Return the blocks of a page that are marked to be run."""
    found = []
    for how, block in RUN.findall(text):
        lines = block.splitlines()
        script = "\n".join(lines[1:-1] if lines[0].startswith("```") else [line[4:] for line in lines])
        if lines[0] == "```python":
            script = f"python - <<'END_OF_BLOCK'\n{script}\nEND_OF_BLOCK"
        found.append(re.sub(r"\b(demo|paper)\b", "smoke", script) if how == "run in smoke" else script)
    return found
