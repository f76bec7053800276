"""A trial's curves and pictures for TensorBoard."""

from __future__ import annotations

import io
import math
import struct
import time
from typing import TYPE_CHECKING, Any

from PIL import Image

from trainables.overlays import draw_row
from trainables.recipe import Recipe
from trainables.report import SCALARS, EpochReport
from trainables.storage import Storage

if TYPE_CHECKING:
    from tensorboardX.proto.event_pb2 import Event

    from trainables.epochs import Training

FOLDER = "tensorboard"

TILES = 3
"""Val tiles that are drawn."""

SIDE = 512
"""Largest height of a picture in pixels: 0.2 MB each as JPEG."""


class EventFiles:
    """Writes event files into the trial's folder, one for each time that the trial starts or resumes.

    Records are made with tensorboardX's messages, but written by ourselves: its writer knows local files only, and
    loses a full disk's error in a thread of its own.

    Args:
        overlays_every: Epochs from one set of pictures to the next, the first epoch's excepted; 0 draws none.
    """

    def __init__(self, overlays_every: int) -> None:
        self._overlays_every = overlays_every
        self._folder: Storage | None = None
        self._name = ""
        self._written = b""

    def begin(self, attempt: str, recipe: Recipe, folder: Storage) -> None:
        """Begin a new file with the next epoch."""
        self._folder, self._name, self._written = folder, "", b""

    def epoch(self, report: EpochReport, trainer: Training) -> None:
        """Write an epoch's numbers, and pictures if it is their turn."""
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.proto.summary_pb2 import Summary

        now, step = time.time(), report.epoch
        events = []
        if not self._name:
            # Readers take event files in the order of their names.
            self._name = f"{FOLDER}/events.out.tfevents.{int(now):010d}.from-epoch-{step:05d}"
            start = SessionLog(status=SessionLog.START)  # TensorBoard forgets epochs from here on that were lost
            events = [
                Event(wall_time=now, file_version="brain.Event:2"),
                Event(wall_time=now, step=step, session_log=start),
            ]
        scalars = {tag: getattr(report, field) for tag, field in SCALARS.items()}
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items() if not math.isnan(value)]
        if self._overlays_every and (step == 1 or step % self._overlays_every == 0):
            values += [
                Summary.Value(tag=f"val/{scored.tile.name}", image=_image(draw_row(scored, SIDE)))
                for scored in trainer.preview(TILES)
            ]
        events.append(Event(wall_time=now, step=step, summary=Summary(value=values)))
        assert self._folder is not None
        records = b"".join(map(_record, events))
        self._folder.append(self._name, records, self._written)
        if not self._folder.is_local:
            self._written += records

    def end(self) -> None:
        """Let go of the file."""
        self._folder, self._name, self._written = None, "", b""


def _record(event: Event) -> bytes:
    """Frame a message as the files' format is: length, its checksum, content, its checksum."""
    from tensorboardX.record_writer import masked_crc32c

    content = event.SerializeToString()
    length = struct.pack("<Q", len(content))
    return b"".join(
        (length, struct.pack("<I", masked_crc32c(length)), content, struct.pack("<I", masked_crc32c(content)))
    )


def _image(picture: Any) -> Any:
    """Encode a (H, W, 3) uint8 RGB picture."""
    from tensorboardX.proto.summary_pb2 import Summary

    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="JPEG", quality=85)
    height, width, _ = picture.shape
    return Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=file.getvalue())
