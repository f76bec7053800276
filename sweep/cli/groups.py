"""Under which headings a help lists options."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from tyro.conf import create_mutex_group

HEADINGS: Mapping[str, str] = MappingProxyType(
    {
        "images and labels": "src images masks mask_suffix labels layer class_attribute extent crs foreground task "
        "classes bands band_files scale",
        "tiles and splits": "size grid tiles_per_source overlap min_foreground negatives nudge split shares counts "
        "split_origin subset val_share",
        "dataset": "dst add take_prelabels title origin licence gsd no_leak_check dry_run force",
        "model": "model fold refit ensemble tta calibrated threshold",
        "rasters": "bands band_files scale nodata ignore_alpha clip mosaic on_top resample skip_bad uncertainty_map",
        "map": "probability uncertainty polygons min_area simplify regularise",
        "choice": "count strategy size",
        "replay": "replay draws tiles folds architecture",
        "file": "format int8 opset for_program size",
        "data and models": "patches unlabelled profile grid architectures architecture recipes folds group_by pool_val "
        "refit allow_leak repeats fill no_probes seed weights sam_checkpoint sam_sha256 offline trust_code",
        "search": "trials space extra_knobs max_epochs grace_period reduction_factor halving warm_from sampler "
        "optuna_storage confirm tiles draws tune",
        "this run": "name resume trust_owner plan measure time budget until",
        "machine": "storage address device max_concurrent gpus_per_trial max_failures compile batch_size workers",
        "watching": "tensorboard overlays_every mlflow wandb profile_trace",
        "output": "out overwrite quiet json",
    }
)
"""Heading to names of options, in the order of a help; what is in none of them is under ``options``, which is first."""
COMMA = "\N{SINGLE LOW-9 QUOTATION MARK}"
"""Stands for a comma within a word, where tyro would else break the line."""
_HELP = "-h, --help"
_SAID_OF_GROUPS = "At most one argument can be overridden."
_CHOICES = re.compile(r"\{([\w,.-]+)\}")
"""Tyro's form of values to choose from."""


class Headings:
    """Puts options under headings; tyro knows them as groups of options that exclude each other.

    Args:
        names: Of all options of the command: one that is named under two headings is where more of the others are.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._groups: dict[str, Any] = {}
        crowds = {heading: set(listed.split()) & set(names) for heading, listed in HEADINGS.items()}
        fewest_first = sorted(crowds.items(), key=lambda one: len(one[1]))
        self._of_name = {name: heading for heading, crowd in fewest_first for name in crowd}

    def heading(self, name: str) -> str | None:
        """Return the heading of an option; None for ``options``."""
        return self._of_name.get(name)

    def of(self, name: str) -> tuple[Any, ...]:
        """Return the remark that puts an option under its heading; none for ``options``."""
        heading = self.heading(name)
        if heading is None:
            return ()
        if heading not in self._groups:
            self._groups[heading] = create_mutex_group(required=False, title=heading)
        return (self._groups[heading],)


def sections_of(text: str) -> dict[str, list[tuple[str, str]]]:
    """Read tyro's help, as it is written to a file: heading -> (option, what it does), in our order."""
    lines = [line.rstrip() for line in text.replace(COMMA, ",").splitlines()]
    starts = [place for place, line in enumerate(lines[1:]) if _is_rule(line) and _SAID_OF_GROUPS not in lines[place]]
    sections: dict[str, list[tuple[str, str]]] = {}
    for start, end in pairwise([*starts, len(lines)]):
        body = [line for line in lines[start + 2 : end] if line and not _is_rule(line) and _SAID_OF_GROUPS not in line]
        sections[lines[start].strip()] = [row for row in _rows(body) if not row[0].startswith(_HELP)]
    order = list(HEADINGS)
    ordered = sorted(sections.items(), key=lambda one: order.index(one[0]) if one[0] in order else -1)
    return {heading: rows for heading, rows in ordered if rows}


def _rows(lines: Sequence[str]) -> list[tuple[str, str]]:
    """Read options: each begins behind two blanks, what it does stands further in, in one line or several."""
    rows: list[list[str]] = []
    for line in lines:
        if line.startswith("   "):
            rows[-1].append(line.strip())
        else:
            name, _, text = line.strip().partition("  ")
            rows.append([_CHOICES.sub(lambda found: found[1].replace(",", "|"), name), text.strip()])
    return [(name, " ".join(filter(None, texts)).removesuffix(" (default: )")) for name, *texts in rows]


def _is_rule(line: str) -> bool:
    return len(line) > 2 and not line.strip(" -")
