"""Which running Ray cluster is meant, and in one line why it cannot be joined."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sweep.ray_tune.ray_token import MODE_VARIABLE, PATH_VARIABLE, TOKEN_VARIABLE, home_file
from trainables.errors import ExperimentError, causes

ADDRESS_VARIABLE = "RAY_ADDRESS"
LOCAL = "local"
CONNECT_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Target:
    """A running cluster that is to be joined.

    Attributes:
        address: ``auto`` or ``HOST:PORT``.
        origin: Who named it: ``--address`` or ``RAY_ADDRESS``.
    """

    address: str
    origin: str

    @classmethod
    def of(cls, given: str | None) -> Target | None:
        """Return the cluster that is meant; None where one is started here.

        Args:
            given: What ``--address`` says. ``local`` starts one even where ``RAY_ADDRESS`` names another, as it does
                inside every Ray job.
        """
        named = os.environ.get(ADDRESS_VARIABLE)
        if given == "auto" and named:
            given = None  # as Ray reads it
        address = given or named
        if not address or address == LOCAL:
            return None
        return cls(address=address, origin="--address" if given else ADDRESS_VARIABLE)

    @property
    def named(self) -> str:
        """The flag or variable with its value, for messages."""
        return f"{self.origin} {self.address}"

    def __str__(self) -> str:
        return self.address if self.origin == "--address" else f"{self.address}, as {self.origin} says"


def prepare_to_join(target: Target) -> None:
    """Make sure that something answers at the address, and present this machine's token to it.

    Raises:
        ExperimentError: Nothing answers, or the address has another form.
    """
    _require_answer(target)
    _present_token()


@contextmanager
def silent_core() -> Iterator[None]:
    """Keep what Ray's core writes to standard error to itself: a wrong token is a line of ours."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def could_not_join(target: Target, error: BaseException) -> ExperimentError:
    """Return the line that says why a cluster that answers could not be joined."""
    said = " ".join(str(one) for one in causes(error))
    if "Version mismatch" in said:
        versions = ", ".join(line.strip() for line in said.splitlines() if line.strip().startswith(("Ray:", "Python:")))
        return ExperimentError(
            f"{target.named}: the cluster runs other versions than this machine ({versions}: the cluster's first); "
            f"install the same Ray and Python on both"
        )
    if "No node info found" in said:
        return ExperimentError(
            f"{target.named}: this machine is no node of that cluster; run on one of its nodes, make it one (ray start "
            f"--address HOST:PORT --num-cpus 0), or submit a job (ray job submit)"
        )
    if "no authentication token was found" in said:
        return ExperimentError(
            f"{target.named}: RAY_AUTH_MODE is token and there is no token here; bring the cluster's (there: ray "
            f"get-auth-token) as RAY_AUTH_TOKEN or ~/.ray/auth_token"
        )
    if isinstance(error, ConnectionError) and target.address != "auto":
        return ExperimentError(
            f"{target.named}: does not let us in; its token is another one than this machine's: bring it (there: ray "
            f"get-auth-token) as RAY_AUTH_TOKEN or ~/.ray/auth_token"
        )
    if isinstance(error, SystemExit):
        return ExperimentError(
            f"{target.named}: answers, but not as a Ray cluster; give the port of ray start --head (6379), not the "
            f"dashboard's"
        )
    reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return ExperimentError(
        f"{target.named}: no Ray cluster answers there ({reason}); start one with: ray start --head, and bring its "
        f"token (ray get-auth-token) to this machine"
    )


def _present_token() -> None:
    """Present this machine's token to the cluster, if there is one.

    Ray starts clusters with token authentication, but a driver that joins one sends its token only in this mode.
    """
    given = os.environ.get(TOKEN_VARIABLE) or os.environ.get(PATH_VARIABLE)
    if given or home_file().exists():
        os.environ.setdefault(MODE_VARIABLE, "token")


def _require_answer(target: Target) -> None:
    """Try to reach ``HOST:PORT`` for some seconds: Ray itself would try for minutes.

    Raises:
        ExperimentError: Nothing answers, or the address has another form.
    """
    if target.address == "auto":
        return
    if "://" in target.address:
        fix = "python -m sweep.phase1 joins a cluster at HOST:PORT; from outside it submit a job: ray job submit"
        raise ExperimentError(f"{target.named}: is no cluster's own address; {fix}, or unset it")
    host, _, port = target.address.rpartition(":")
    if not host or not port.isdigit():
        raise ExperimentError(f"{target.named}: give auto or HOST:PORT, such as 10.0.0.1:6379")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ExperimentError(
            f"{target.named}: nothing answers there ({error}); start a cluster with: ray start --head"
        ) from error
