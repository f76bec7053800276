"""Options as an experiment stores them: what a resume takes from there, and what it refuses. Their marks decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from sweep.cli.marks import OnResume, flag, marked, require_in_bounds, typed
from sweep.cli.options import CommonOptions, SweepOptions
from sweep.records.experiment import DESCRIPTION_FILE, Experiment
from trainables.documents import DamagedError, check
from trainables.errors import ExperimentError
from trainables.secrets import HIDDEN, hide_secret

PLACED = ("patches", "optuna_storage")
"""May be elsewhere now; their places are in the description itself."""

Options = TypeVar("Options", bound=CommonOptions)


def to_store(options: CommonOptions) -> dict[str, Any]:
    """Return the options as they are stored: plain values without secrets."""
    return {
        one.name: stored_form(getattr(options, one.name))
        for one in fields(options)
        if one.name != "optuna_storage"  # beside them, as every command needs it
    }


def stored_form(value: Any) -> Any:
    """Return a value as it is stored: plain, and without secrets."""
    if isinstance(value, tuple):
        return [stored_form(one) for one in value]
    return hide_secret(str(value)) if isinstance(value, str | Path) else value


def with_stored(options: Options, experiment: Experiment) -> Options:
    """Return the options of a run that resumes: what was not typed is as it was at the first start.

    Raises:
        ExperimentError: A stored value is damaged, or had a secret, which is not stored.
    """
    saved = {name: one for name, one in experiment.description["options"].items() if name not in PLACED}
    return restored(options, saved, {OnResume.MAY_CHANGE}, experiment.path(DESCRIPTION_FILE))


def restored(options: Options, saved: Mapping[str, Any], kinds: set[OnResume], file: str) -> Options:
    """Return options in which what was not typed is as it was stored.

    Args:
        options: As they were typed.
        saved: As they were stored.
        kinds: The marks of those that are restored.
        file: Where they are stored.

    Raises:
        ExperimentError: A stored value is damaged, or had a secret, which is not stored.
    """
    hints = get_type_hints(type(options))
    given = typed(options)
    stored: dict[str, Any] = {}
    for name, mark in marked(type(options), OnResume).items():
        if mark not in kinds or name in given or name not in saved:
            continue
        value = saved[name]
        if name == "gpus_per_trial" and isinstance(value, int | float):
            value = f"{value:g}"  # as earlier versions saved it
        try:
            stored[name] = check(value, hints[name])
        except DamagedError as error:
            raise ExperimentError(
                f"{file}: its options.{name} is damaged ({error}); give {flag(name)} again"
            ) from error
        if isinstance(value, str) and HIDDEN in value:
            raise ExperimentError(f"{flag(name)}: passwords are not stored; give the whole URI of {value} again")
    found = replace(options, **stored)
    require_in_bounds(found)
    return found


def require_unchanged(options: SweepOptions, experiment: Experiment) -> None:
    """Refuse options beside ``--resume`` that would make it another experiment.

    A file is refused even under the name that it had: what was read of it is in the experiment's plan.

    Raises:
        ExperimentError: All of them at once.
    """
    description = experiment.description
    saved = {
        **description["options"],
        "name": experiment.name,
        "profile": description["profile"],
        "optuna_storage": description["optuna_storage"],
    }
    refuse_changes(options, lambda name: _same(options, name, saved, experiment))


def refuse_changes(options: CommonOptions, same: Callable[[str], bool]) -> None:
    """Refuse typed options that belong to what was begun, unless they are the same.

    Raises:
        ExperimentError: All of them at once.
    """
    faults = [
        f"{flag(name)} {_said(getattr(options, name))}: {mark.value}; leave it out, or start another one under "
        f"another --name, without --resume"
        for name, mark in marked(type(options), OnResume).items()
        if mark is OnResume.FIXED and name in typed(options) and not same(name)
    ]
    if faults:
        raise ExperimentError(faults)


def differing(options: CommonOptions, saved: Mapping[str, Any]) -> list[str]:
    """Return the names of the options that belong to what was begun and are not as they were stored."""
    fixed = [name for name, mark in marked(type(options), OnResume).items() if mark is OnResume.FIXED]
    return [name for name in fixed if name not in saved or stored_form(getattr(options, name)) != saved[name]]


def _same(options: SweepOptions, name: str, saved: Mapping[str, Any], experiment: Experiment) -> bool:
    value = getattr(options, name)
    if isinstance(value, Path) or name not in saved:
        return False
    if stored_form(value) == saved[name]:
        return True
    if name == "optuna_storage" and value:
        from sweep.search.journal import holds_studies

        return saved[name] is not None and holds_studies(value, experiment.name)  # the database has moved
    return False


def _said(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else hide_secret(str(value))
