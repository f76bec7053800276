"""The clock: it agrees with the storage's, and nothing was written in its future."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from sweep.doctor.finding import Finding, fail, ok, warn
from sweep.doctor.subject import Subject
from sweep.records.lease import PRESUMED_DEAD_SECONDS
from sweep.sealed.ledger import Ledger
from trainables.errors import LedgerError, StorageError
from trainables.storage import Storage

SKEW_SECONDS = 5.0
"""Between two clocks; from ``PRESUMED_DEAD_SECONDS`` on, a living driver elsewhere is taken for dead."""
MEND = "timedatectl set-ntp true"


def check_clock(subject: Subject) -> Sequence[Finding]:
    """Compare the clock with the storage's and with what was written."""
    try:
        there = subject.reach()
    except StorageError:  # the check of the storage says that
        return [judge_clock(None, None, time.time())]
    return [judge_clock(storage_skew(there), _last_reading(subject.storage), time.time())]


def judge_clock(skew: float | None, last: float | None, now: float) -> Finding:
    """Judge a clock; all in seconds.

    Args:
        skew: By how much the storage's is ahead; None where that cannot be known.
        last: When the ledger's newest reading was made, since 1970; None where there is none.
        now: The clock.
    """
    if skew is not None and abs(skew) > SKEW_SECONDS:
        judge = fail if abs(skew) >= PRESUMED_DEAD_SECONDS else warn
        return judge(f"the storage's clock differs by {skew:+.0f} s: a driver that lives may be taken for dead", MEND)
    if last is not None and last - now > SKEW_SECONDS:
        moment = datetime.fromtimestamp(last, UTC).isoformat(timespec="seconds")
        return warn(f"the ledger's newest reading is of {moment}, which has not come yet by this clock", MEND)
    agrees = "" if skew is None else ", agrees with the storage's"
    return ok(f"{datetime.fromtimestamp(now, UTC).isoformat(timespec='seconds')}{agrees}")


def storage_skew(storage: Storage) -> float | None:
    """Write a file and see by how many seconds its time is off; None where the storage keeps no times."""
    name = f".tilesweep-clock-{os.getpid()}"
    before = time.time()
    storage.write(name, b"")
    after, changed = time.time(), storage.changed(name)
    storage.delete(name)
    if changed is None:
        return None
    # A storage that counts whole seconds rounds down.
    return 0.0 if before - 1 <= changed <= after else changed - (after if changed > after else before)


def _last_reading(storage: Storage) -> float | None:
    try:
        moments = [datetime.fromisoformat(reading.time) for reading in Ledger(storage).readings()]
    except (LedgerError, ValueError):
        return None  # the check of the ledger says that
    return max((one.replace(tzinfo=one.tzinfo or UTC).timestamp() for one in moments), default=None)
