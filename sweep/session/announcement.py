"""What a sweep says of itself before its first trial."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence

from sweep.cli.durations import duration
from sweep.cli.output import Output, say
from sweep.planning.bands import bands_in_words
from sweep.planning.packing import Packing
from sweep.planning.resources import Resources
from sweep.planning.run import Run
from sweep.planning.warm_plans import starts_in_words
from sweep.ray_tune.allocation import estimator_for
from trainables.data.imagery import RGB
from trainables.invocation import command
from trainables.task import Task
from trainables.wording import counted


def announce(run: Run, resources: Resources, packing: Packing | None, output: Output, *, again: bool) -> None:
    """Say what is run, where, and for how long, before the first trial."""
    data, plan, console = run.data, run.plan, output.console
    kind = ", synthetic" if data.synthetic else ""
    task = "" if data.task == Task() else f"; {data.task.summary}"
    seconds = estimator_for(run.request, data, resources).sweep(plan, resources)
    output.events.emit(
        "started",
        experiment=run.experiment.name,
        address=run.experiment.address,
        phase=run.phase,
        profile=run.profile.name,
        resumed=again,
        trials=plan.total,
        concurrent=resources.concurrent,
        estimated_seconds=seconds,
        data={"name": data.name, "synthetic": data.synthetic, "train": len(data.train), "val": len(data.val)},
        folds=plan.folds,
        warm_from=plan.warm_from or None,
        starts={study.name: [one.origin for one in study.starts] for study in plan.studies},
        task=data.task.to_dict(),
        imagery=data.imagery.to_dict(),
        crop_notes=list(run.crop_notes),
        unlabelled=run.unlabelled and run.unlabelled.to_dict(),
    )
    say(console, "experiment", run.experiment.address)
    say(console, "data", f"{data.name}{kind}: {tiles_in_words(run)}{task}")
    for line in scenes_in_words(run):
        say(console, "scenes", line)
    for line in unlabelled_in_words(run):
        say(console, "unlabelled", line)
    for line in models_in_words(run):
        say(console, "models", line)
    whole = "" if output.afterwards is None else f", {duration(seconds + output.afterwards())} to the end of the study"
    say(console, "trials", f"{plan.total}, {resources}; about {duration(seconds)}{whole}")
    for line in starts_in_words(plan):
        say(console, "searches", line)
    for note in run.crop_notes:
        say(console, "crops", note)
    if run.overlays_every is not None and run.experiment.storage.is_local:
        board = shlex.join(["tensorboard", "--logdir", run.experiment.address])
        console.print(f"TensorBoard    {board}", soft_wrap=True)
    for line in packing.lines if packing else ():
        console.print(line)
    if not data.leaks_checked:
        look = command("patches", "check", "--patches", str(run.patches))
        say(console, "leaks", f"never looked for; do so with {look}")
    if data.imagery != RGB:
        say(console, "bands", bands_in_words(data.imagery))
    if absent := data.absent_classes:
        say(console, "classes", f"no train tile shows {', '.join(absent)}")


def tiles_in_words(run: Run) -> str:
    """Say how many tiles are trained on and scored, and how they are divided."""
    data, folds = run.data, run.plan.known()[0].folds
    if not folds:
        return f"{len(data.train)} train and {counted(len(data.val), 'val tile')}"
    sizes = ", ".join(str(len(fold.val)) for fold in folds)
    return f"{len(data.train)} train and val tiles in {len(folds)} folds of {sizes}, by scene"


def unlabelled_in_words(run: Run) -> list[str]:
    """Say which unlabelled images there are, and what is to be known of them, a line each."""
    return [run.unlabelled.summary, *run.unlabelled.notes] if run.unlabelled else []


def models_in_words(run: Run) -> list[str]:
    """Say in a line where models are not the real ones, or train less than others for lack of real weights."""
    said = "tiny stand-ins with random weights, to see how a run works; --weights pretrained trains the real models"
    few = run.profile.random_epochs
    epochs = {trial.recipe.max_epochs for trial in run.plan.trials}
    short = [one for one in run.plan.trials if one.weights.kind == "random" and one.recipe.max_epochs == few]
    lines = [said] if run.profile.stand_ins else []
    if few is not None and short and max(epochs) > few:
        lines.append(
            f"{counted(len(short), 'row')} with random weights for lack of real ones: {few} epochs instead of "
            f"{max(epochs)}; --weights pretrained fetches the real ones"
        )
    return lines


def scenes_in_words(run: Run) -> list[str]:
    """Say where scenes come from, which were joined, and which is too large for equal folds, a line each."""
    if run.scenes is None:
        return []
    lines = [run.scenes.origin, *run.scenes.joined]
    if folds := run.plan.folds:
        (name, size), *_ = Counter(run.scenes.of.values()).most_common(1)
        if size * folds > len(run.data.train) + folds - 1:
            lines.append(
                f"{name} has {counted(size, 'tile')}, more than an equal fold holds, so its fold is larger than others"
            )
        if not run.data.same_ground_checked:
            look = command("patches", "check", "--update", "--patches", str(run.patches))
            lines.append(f"nobody has looked whether two of them show the same ground; do so with {look}")
    return lines


def filled_in_words(names: Sequence[str]) -> str:
    """Say what trains on GPUs that would be idle."""
    if not names:
        return "nothing: no GPU would be idle"
    return f"{', '.join(names)} train again with other seeds, on GPUs that would be idle"
