"""What labels' names mean: which class each of them paints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sweep.patches.tasks import as_written
from trainables.data.tiles import natural_order
from trainables.errors import DataError, nearest
from trainables.escaping import visible
from trainables.task import IGNORE, IGNORE_INDEX, REST, Task

ALL = "all"
"""What ``--classes`` calls every label that a file holds."""
BACKGROUND, BACKGROUNDS = "background", ("background", "_background_")
"""What is painted where nothing is; the second one is LabelMe's."""
SHOWN = 40
"""Letters of a label that a message shows."""
LISTED = 12
"""Labels that a message lists."""


@dataclass(frozen=True, kw_only=True)
class LabelMeaning:
    """What a file's labels mean.

    Attributes:
        task: Of the masks that are painted.
        values: Label to class index, 255 for pixels that do not count; a label that is left out is not in it.
        ignored: What annotations paint that are marked to be ignored.
        notes: What was decided without being asked, one line each.
    """

    task: Task
    values: Mapping[str, int]
    ignored: int = IGNORE_INDEX
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class LabelNames:
    """What a person says of labels' names.

    Attributes:
        task: Whose classes or remapping labels name; None for no task.
        classes: Labels that become classes, others being background; ``all`` alone takes every label.

    Without both every label is foreground.
    """

    task: Task | None = None
    classes: Sequence[str] = field(default=())

    def meaning(self, counts: Mapping[str, int], path: Path, *, ignored: int = 0) -> LabelMeaning:
        """Decide what each label paints.

        Args:
            counts: Label to how many annotations have it.
            path: The labels, which errors name.
            ignored: How many annotations are marked to be ignored, whatever their label.

        Raises:
            DataError: Labels that the task does not know, or classes that no annotation has.
        """
        if self.task:
            return self._by_task(self.task, counts, path, ignored)
        if self.classes:
            return self._chosen(counts, path, ignored)
        values = {name: 0 if name.lower() in BACKGROUNDS else IGNORE_INDEX if name == IGNORE else 1 for name in counts}
        joined = [name for name, value in values.items() if value == 1]
        others = [name for name, value in values.items() if value != 1]
        notes = [f"{path}: {listed({name: counts[name] for name in others})}: no foreground by name"] if others else []
        if len(joined) > 1:
            notes.append(
                f"{path}: its labels {listed({name: counts[name] for name in joined})} are joined as foreground; "
                f"--classes all keeps them apart, --classes {','.join(joined[:2])} takes those alone"
            )
        ignores = bool(ignored) or IGNORE_INDEX in values.values()
        return LabelMeaning(task=Task(ignores=ignores), values=values, notes=notes)

    def _by_task(self, task: Task, counts: Mapping[str, int], path: Path, ignored: int) -> LabelMeaning:
        index = {name: number for number, name in enumerate(task.classes)}
        if task.ignores_pixels:
            index[IGNORE] = IGNORE_INDEX
        known = index | {label: index[name] for label, name in task.remap.items()}
        values = {name: known.get(name, known.get(REST, -1)) for name in counts}
        if unknown := {name: counts[name] for name, value in values.items() if value < 0}:
            first = next(iter(unknown))
            raise DataError(
                f"{path}: {_labels(unknown)} no class of --task; add {_them(unknown)} to its classes or to its remap, "
                f'or "remap": {{"*": "{task.classes[0]}"}} for all others; {nearest(first, index)}'
            )
        if ignored and not task.ignores_pixels:
            raise DataError(
                f'{path}: {ignored} of its annotations are marked to be ignored; give a --task with "ignores": true, '
                f"or remove them"
            )
        return LabelMeaning(task=as_written(task), values=values)

    def _chosen(self, counts: Mapping[str, int], path: Path, ignored: int) -> LabelMeaning:
        if list(self.classes) == [ALL]:
            names = [name for name in sorted(counts, key=natural_order) if name.lower() not in (*BACKGROUNDS, IGNORE)]
        else:
            names = list(dict.fromkeys(self.classes))
        if unknown := [name for name in names if name not in counts]:
            raise DataError(
                f"--classes {','.join(self.classes)}: {unknown[0]!r} is no label of {path}; it holds {listed(counts)}"
            )
        if not names:
            raise DataError(f"--classes {ALL}: {path} holds no annotation, so it names no class; leave --classes out")
        ignores = bool(ignored) or IGNORE in counts
        try:
            task = Task(
                kind="binary" if len(names) == 1 else "multiclass",
                classes=(BACKGROUND, *(name for name in names if name != BACKGROUND)),
                ignores=ignores,
            )
        except DataError as error:
            reason = str(error).removeprefix("task: ")
            raise DataError(f"--classes {','.join(self.classes)}: {reason}; {path} holds {listed(counts)}") from error
        values = {name: 0 for name in counts if name.lower() in BACKGROUNDS}
        values |= {name: IGNORE_INDEX for name in counts if name == IGNORE}
        values |= {name: task.classes.index(name) for name in names}
        rest = {name: count for name, count in counts.items() if name not in values}
        notes = [f"{path}: its labels {listed(rest)} are left out, as --classes says"] if rest else []
        return LabelMeaning(task=task, values=values, notes=notes)


def listed(counts: Mapping[str, int]) -> str:
    """Write labels with how often they occur, the most frequent first: ``roof (120), car (40)``."""
    most = Counter(dict(counts)).most_common(LISTED)
    more = f" and {len(counts) - LISTED} more" if len(counts) > LISTED else ""
    return ", ".join(f"{visible(name[:SHOWN])!r} ({count:,})" for name, count in most) + more or "no label"


def _labels(counts: Mapping[str, int]) -> str:
    return f"label {listed(counts)} is" if len(counts) == 1 else f"labels {listed(counts)} are"


def _them(counts: Mapping[str, int]) -> str:
    return "it" if len(counts) == 1 else "them"
