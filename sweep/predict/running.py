"""One raster after the other, with other processes that fill the same folder."""

from __future__ import annotations

from sweep.cli.output import Output, say
from sweep.predict.job import BusyError, Job, Mapped
from sweep.predict.record import Record
from sweep.predict.saying import made_in_words
from sweep.rasters.addresses import unsigned
from sweep.rasters.files import SHOWN
from sweep.rasters.inputs import Input
from sweep.records.provenance import typed_command
from trainables.escaping import visible


def map_all(job: Job, inputs: list[Input], record: Record, output: Output) -> None:
    """Predict one raster after the other; those that other processes are at come last, with a share in their work."""
    try:
        elsewhere = [one for one in inputs if not _map(job, one, record, output, join=False)]
        for one in elsewhere:
            output.console.print(f"{visible(one.name)}: another command predicts it; sharing what is left")
            _map(job, one, record, output, join=True)
    except KeyboardInterrupt:
        output.results.print("interrupted; what is finished is kept")
        output.next(typed_command())
        raise
    say(output.results, "results", str(job.out))


def _map(job: Job, one: Input, record: Record, output: Output, *, join: bool) -> bool:
    """Predict a raster unless it is done; returns whether it is done now."""
    if job.is_done(one, record):
        output.console.print(f"{visible(one.name)}: is there already")
        return True
    try:
        mapped = job.map(one, record, join=join)
    except BusyError:
        return False
    if mapped is None:
        output.console.print(f"{visible(one.name)}: is there, written by another command")
    else:
        _say_mapped(one, mapped, output)
    return True


def _say_mapped(one: Input, mapped: Mapped, output: Output) -> None:
    output.results.print(made_in_words(one.name, mapped.files, mapped.facts))
    path = unsigned(one.path)
    if bad := mapped.bad:
        more = f" and {len(bad) - SHOWN} more, all listed in predictions.json" if len(bad) > SHOWN else ""
        text = f"{path}: damaged and left out: {'; '.join(bad[:SHOWN])}{more}"
        say(output.results, "warning", visible(text))
    output.events.emit("predicted", input=path, files=[str(file) for file in mapped.files], **mapped.facts)
