"""An Optuna storage that waits for a database that is locked or away, and says so in one line when it stays away."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from sqlalchemy.exc import InterfaceError, OperationalError

from trainables.errors import StorageError
from trainables.storage import RETRY_SECONDS

AWAY = (StorageInternalError, OperationalError, InterfaceError)
"""What Optuna and SQLAlchemy make of a locked file, a refused connection, or one that broke."""


class _Patience:
    """Does what another storage does, again after a while where that is out of reach."""

    def __init__(self, storage: BaseStorage, name: str) -> None:
        self._storage = storage
        self._name = name

    def insist(self, method: str, *arguments: Any, **named: Any) -> Any:
        for pause in (*RETRY_SECONDS, None):
            try:
                return getattr(self._storage, method)(*arguments, **named)
            except AWAY as error:
                if pause is None:
                    raise StorageError(
                        f"{self._name}: is out of reach ({first_cause(error)}); bring it back"
                    ) from error
                time.sleep(pause)
        raise AssertionError("unreachable")


def _method(name: str) -> Callable[..., Any]:
    def call(self: _Patience, *arguments: Any, **named: Any) -> Any:
        return self.insist(name, *arguments, **named)

    return call


_METHODS = {name: _method(name) for name in dir(BaseStorage) if not name.startswith("_")}
_PatientStorage = type("_PatientStorage", (_Patience, BaseStorage), _METHODS)


def patient(storage: BaseStorage, name: str) -> BaseStorage:
    """Return a storage that tries everything again, ``RETRY_SECONDS`` apart, while the database is locked or away.

    Returns:
        A storage whose methods raise a ``StorageError`` when the database does not come back.
    """
    made: BaseStorage = _PatientStorage(storage, name)
    return made


def first_cause(error: BaseException) -> str:
    """Return the first line of what is behind an error: ``database is locked``."""
    while cause := error.__cause__ or getattr(error, "orig", None):
        error = cause
    return (str(error).splitlines() or [type(error).__name__])[0]
