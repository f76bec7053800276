"""Labels that a model wrote and nobody has touched: they are none, until somebody has looked at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sweep.patches.layouts.layout import FoundSources
from sweep.records.choice import Choice, read_choice
from sweep.records.outputs import is_sealed
from trainables.data.tiles import same_name
from trainables.errors import DataError
from trainables.wording import counted

LABELS = ".json"


def choice_of(folder: Path) -> Choice | None:
    """Return what ``sweep.next`` wrote of the windows in a folder; None where it did not make it.

    Raises:
        ExperimentError: The record is damaged.
    """
    return read_choice(folder) or read_choice(folder.resolve().parent)


def without_untouched(finding: FoundSources, *, take: bool) -> FoundSources:
    """Leave out the images whose labels are as the model wrote them.

    Args:
        finding: Images with the folder of their labels.
        take: Take them as they are.

    Raises:
        DataError: No other image is left.
    """
    files: dict[Path, Mapping[str, Path]] = {}
    left = {}
    for name, source in finding.sources.items():
        if source.mask not in files:
            files[source.mask] = _labels_in(source.mask)
        file = files[source.mask].get(same_name(source.image.stem))
        if file is None or take or not _is_untouched(file):
            left[name] = source
    if len(left) == len(finding.sources):
        return finding
    untouched = len(finding.sources) - len(left)
    said = f"{counted(untouched, 'image')} whose labels are as the model wrote them"
    fix = "correct and save each in a labelling program, or --take-prelabels takes them as they are"
    if not left:
        raise DataError(f"--src: holds {said}, and no other; {fix}")
    return replace(finding, sources=left, notes=(*finding.notes, f"left out {said}: {fix}"))


def _labels_in(folder: Path) -> Mapping[str, Path]:
    """Return the JSON files of a folder that a choice was written into, by name."""
    if not folder.is_dir() or choice_of(folder) is None:
        return {}
    return {same_name(path.stem): path for path in folder.rglob(f"*{LABELS}") if path.is_file()}


def _is_untouched(file: Path) -> bool:
    return is_sealed(file.read_bytes(), LABELS)
