"""``python -m sweep.doctor``: what is wrong, and how to fix it, before a sweep finds out."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import arg

from sweep.cli.console import MISTAKE, Command
from sweep.cli.output import Output
from sweep.doctor.options import CheckupOptions
from trainables.invocation import words


@dataclass(frozen=True, kw_only=True)
class DoctorOptions(CheckupOptions):
    """Check whether this machine, these tiles and this storage are fit for a sweep; changes and fetches nothing.

    With --architecture, check instead whether an architecture does what all here do, on images with --patches' bands.
    """

    architecture: Annotated[str | None, arg(metavar="NAME")] = None
    """A built-in's name, smp:ARCHITECTURE/ENCODER, or a file of your own: my_models.py:build."""

    classes: Annotated[int, arg(metavar="N")] = 2
    """With --architecture: classes of the task; with two, the model has one logit per pixel."""

    size: Annotated[int, arg(metavar="PIXELS")] = 64
    """With --architecture: side of the images that it is tried on."""

    model_size: Literal["tiny", "full"] = "tiny"
    """With --architecture: try the tiny stand-in, in seconds, or the model at its full size."""


def main(options: DoctorOptions, output: Output) -> int:
    """Run the command; returns its exit code."""
    if options.architecture is not None:
        return examine_architecture(options.architecture, options, output)
    from sweep.doctor.findings import show_findings
    from sweep.doctor.listing import CHECKS
    from sweep.doctor.running import run_checks
    from sweep.doctor.subject import Subject

    return show_findings(run_checks(CHECKS, Subject(options)), options, output)


def examine_architecture(name: str, options: DoctorOptions, output: Output) -> int:
    """Run the contract suite on one architecture.

    Returns:
        The exit code: 0, or 2 where it cannot be used.

    Raises:
        RecipeError: No such architecture, or an option out of range.
    """
    from trainables.errors import RecipeError
    from trainables.models.registry import get_architecture, trust_typed
    from trainables.task import MAX_CLASSES

    if not 2 <= options.classes <= MAX_CLASSES:
        raise RecipeError(f"--classes {options.classes}: must be 2 to {MAX_CLASSES}")
    if not 32 <= options.size <= 4096:
        raise RecipeError(f"--size {options.size}: must be 32 to 4096")
    entry = get_architecture(name)
    entry.require()
    trust_typed((name,))

    from trainables.data.imagery import Imagery
    from trainables.data.manifest import Manifest
    from trainables.models.contract import ModelUnderTest, examine
    from trainables.recipe import Recipe

    manifest = Manifest.read(options.patches)
    imagery = manifest.imagery if manifest else Imagery()
    recipe = Recipe(architecture=entry.name, model_size=options.model_size)
    channels = 1 if options.classes == 2 else options.classes
    bands = len(imagery.bands)
    if imagery != Imagery():
        output.results.print(f"images are of {imagery.summary}, as in {options.patches}", markup=False)
    model = ModelUnderTest(entry=entry, recipe=recipe, channels=channels, size=options.size, bands=bands)
    found = examine(model)
    for one in found:
        word = "fail" if one.failed else "note" if one.fault else "ok"
        line = f"{word:6}" + ": ".join(filter(None, (one.check.name, "; ".join(filter(None, (one.fault, one.fix))))))
        output.results.print(line)
        output.events.emit("check", name=one.check.name, outcome=word, fault=one.fault, fix=one.fix)
    if any(one.failed for one in found):
        return MISTAKE
    output.next(shlex.join([*words("study"), "--architectures", name]))
    return 0


COMMAND = Command(
    name="doctor",
    options=DoctorOptions,
    main=main,
    examples={
        "": "check this machine",
        "--profile paper --patches my_tiles/": "this machine, for a sweep of these",
        "--architecture my_models.py:build": "check an architecture of your own",
    },
)
