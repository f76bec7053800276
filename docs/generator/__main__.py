"""``python -m docs.generator``: gather the pages, write the command reference, and build ``site/``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from docs.generator.finishing import finish
from docs.generator.reference import page_name, write_reference
from docs.generator.staging import stage
from sweep.commands import ALL

ROOT = Path(__file__).resolve().parents[2]


REFERENCE = "docs/reference"
Nav = list[dict[str, Any]]


def complete(nav: Nav) -> Nav:
    """Return the navigation with a page a command.

    Args:
        nav: As ``mkdocs.yml`` has it: titles to pages or to sections of the same form.
    """
    kept: Nav = []
    for entry in nav:
        ((title, held),) = entry.items()
        if isinstance(held, list):
            kept.append({title: complete(held)})
        elif held == REFERENCE:
            pages = dict.fromkeys(page_name(one).removesuffix(".md") for one in ALL.commands())
            kept.append({title: [{"All": f"{held}/README.md"}, *({page: f"{held}/{page}.md"} for page in pages)]})
        else:
            kept.append(entry)
    return kept


def make(root: Path, work: Path, site: Path) -> int:
    """Build the site, strictly: a link that leads nowhere ends it.

    Args:
        root: The project.
        work: Where gathered pages go; replaced.
        site: Where the site goes; replaced.

    Returns:
        The exit code of Zensical.
    """
    source = work / "docs-source"
    stage(root, source)
    write_reference(ALL.commands(), source / REFERENCE)
    settings = yaml.safe_load((root / "mkdocs.yml").read_text(encoding="utf-8"))
    settings |= {"docs_dir": source.name, "site_dir": "html", "nav": complete(settings["nav"])}
    config = work / "mkdocs.yml"
    config.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", str(config)]
    code = subprocess.run(command, check=False).returncode
    if code == 0:
        finish(work / "html", site)
    return code


if __name__ == "__main__":
    sys.exit(make(ROOT, ROOT / "build" / "docs", ROOT / "site"))
