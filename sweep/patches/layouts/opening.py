"""Finds the images of ``--src`` and how to read their truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sweep.patches.adding.prelabels import without_untouched
from sweep.patches.labels.formats import open_labels
from sweep.patches.labels.labelled import only_labelled
from sweep.patches.labels.names import LabelNames
from sweep.patches.labels.vector_files import VectorChoices
from sweep.patches.layouts.by_hand import ByHand, named
from sweep.patches.layouts.describing import contents
from sweep.patches.layouts.label_files import all_images, labelled_images
from sweep.patches.layouts.layout import FoundSources
from sweep.patches.layouts.listing import ENDINGS, Listing
from sweep.patches.layouts.registry import recognise
from sweep.patches.layouts.sources import ReadTruth, SourceSet
from sweep.patches.options import Make
from sweep.patches.rasters.foreground import ForegroundReader, parse_foreground
from sweep.patches.rasters.mask_truth import MaskTruth
from sweep.patches.tasks import as_written, read_task
from trainables.errors import DataError
from trainables.task import Task

LABEL_FILES = ("file of labels", "files of labels")
"""What sources with labels have in place of masks."""


def open_sources(options: Make, meaning: Task | None = None) -> SourceSet:
    """Return the images of ``--src`` with their masks or labels.

    Args:
        options: What is asked for.
        meaning: What labels and several classes mean, unless ``--task`` or ``--classes`` says.

    Raises:
        DataError: Flags that do not go together, or everything that is wrong with the files' names.
    """
    parse_foreground(options.foreground)
    if options.foreground and (options.task or options.labels):
        other = "--task" if options.task else "--labels"
        raise DataError(f"--foreground {options.foreground}: does not go with {other}; leave one of them out")
    choices = VectorChoices(layer=options.layer, class_attribute=options.class_attribute, crs=options.crs)
    task = read_task(options.task) if options.task else None
    listing = Listing.walk(options.src, without=options.dst)
    by_hand = ByHand(images=options.images, masks=options.masks, suffix=options.mask_suffix)
    if options.labels:
        if options.masks or options.mask_suffix:
            raise DataError(f"{by_hand.words}: does not go with --labels; leave one of them out")
        name, finding = f"images and {options.labels.name}", find_images(listing, options.labels, options.images)
    elif by_hand:
        name, finding = by_hand.words, by_hand.find(listing)
    else:
        layout, finding = recognise(listing)
        name = layout.name
        if finding.task_faults and not (task or options.foreground):
            raise DataError(finding.task_faults)
    if finding.labels:
        finding = without_untouched(finding, take=options.take_prelabels)
        labelled = _labels(choices, name, finding, names_of(options, task or meaning or finding.task))
        return only_labelled(labelled, options.extent, options.crs)
    if choices.flag and not (options.crs and options.extent):
        raise DataError(f"{choices.flag}: is about a file with polygons; name it by --labels")
    if options.classes:
        raise DataError(
            f"--classes {options.classes}: chooses labels by their names, and these are masks; leave it out, and name "
            f"their values by --task FILE"
        )
    if task is None and meaning is not None and not meaning.binary and not options.foreground:
        task = meaning
    truth, task = _masks(options, finding, task)
    found = SourceSet(layout=name, sources=finding.sources, truth=truth, task=task, notes=finding.notes)
    return only_labelled(found, options.extent, options.crs)


def names_of(options: Make, task: Task | None) -> LabelNames:
    """Return what is said of labels' names.

    Raises:
        DataError: Both classes and a task.
    """
    classes = tuple(name for name in (part.strip() for part in options.classes.split(",")) if name)
    if classes and options.task:
        raise DataError(f"--classes {options.classes}: does not go with --task, which names classes itself; leave one")
    return LabelNames(task=None if classes else task, classes=classes)


def find_images(listing: Listing, labels: Path, images: str = "") -> FoundSources:
    """Find the images of a folder whose labels are named by ``--labels``.

    Args:
        listing: Holds ``imgs/`` (or ``images/``) at any depth, or the images themselves.
        labels: The labels' file or folder.
        images: What ``--images`` says; empty without it.

    Raises:
        DataError: No image in it, or two of one name.
    """
    paths = list(named(listing, images, "--images")) if images else all_images(listing)
    if not paths:
        raise DataError(
            f"--src {listing.root}: holds no image ({', '.join(ENDINGS)}), but {contents(listing)}; put the labelled "
            f"images there"
        )
    return labelled_images(listing, paths, labels)


def _labels(choices: VectorChoices, layout: str, finding: FoundSources, names: LabelNames) -> SourceSet:
    """Return what paints the labels; they may know a split that the folders do not."""
    labels = open_labels(finding.sources, names, choices)
    meaning = labels.meaning
    splits = {name: one.split or labels.splits.get(name, "") for name, one in finding.sources.items()}
    divided = len(set(splits.values())) > 1
    sources = {name: replace(one, split=splits[name] if divided else "") for name, one in finding.sources.items()}
    notes = (*finding.notes, *meaning.notes)
    return SourceSet(
        layout=layout, sources=sources, truth=labels.rasterise, task=meaning.task, kind=LABEL_FILES, notes=notes
    )


def _masks(options: Make, finding: FoundSources, task: Task | None) -> tuple[ReadTruth, Task]:
    """Return what reads the masks: by ``--task`` or ``--foreground``, else as the publisher means them."""
    task = task or (None if options.foreground else finding.task)
    foreground = ForegroundReader(parse_foreground(options.foreground or finding.foreground))
    return MaskTruth(task, foreground, binarise=finding.binarise), as_written(task or Task())
