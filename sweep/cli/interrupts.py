"""Signals that ask a sweep to stop: Ctrl-C, a batch system's or spot instance's goodbye, a closed terminal."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class Interrupt:
    """Whether a sweep was asked to stop.

    Attributes:
        asked: A signal has come.
    """

    def __init__(self) -> None:
        self.asked = False


@contextmanager
def interruptible(at_once: Callable[[], None]) -> Iterator[Interrupt]:
    """Take the first signal during the block as a wish to stop, and the second one as an order.

    A signal that is ignored already, as under nohup, stays so.

    Args:
        at_once: Called at the second signal, before the process ends.

    Yields:
        What has been asked.
    """
    interrupt = Interrupt()

    def handle(number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP:
            leave_terminal()
        if interrupt.asked:
            at_once()
            os._exit(INTERRUPTED)
        interrupt.asked = True

    previous = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in previous.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, handle)
    try:
        yield interrupt
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def end_on_signals() -> None:
    """Let every signal of ``SIGNALS`` raise ``KeyboardInterrupt``, as Ctrl-C does."""

    def handle(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            leave_terminal()
        signal.default_int_handler(number, frame)

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)


def leave_terminal() -> None:
    """Point standard output and error nowhere: the terminal that they belong to is gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
