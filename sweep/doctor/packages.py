"""Installed packages against what tilesweep asks for, and against the versions that were tested together."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from sweep.doctor.finding import Finding, fail, ok, warn
from sweep.doctor.probing import ROOT
from sweep.doctor.subject import Subject
from trainables.errors import ExperimentError
from trainables.models.registry import get_architecture

OURS = "tilesweep"
SHOWN = 4
"""Packages that a line names."""
ALL_OF_THEM = "dev"
"""The extra of those who change tilesweep; says nothing to those who use it."""


def check_packages(subject: Subject) -> Sequence[Finding]:
    """Compare what is installed with the ranges that tilesweep asks for, and with the constraints."""
    file = constraints_file(subject.constraints)
    pins = read_constraints(file) if file else None
    asked = asked_for()
    return [judge_packages(asked[""], pins, install_command(file))] if asked else [_not_installed(file)]


def judge_packages(needed: Sequence[Requirement], pins: Mapping[str, str] | None, fix: str) -> Finding:
    """Judge installed packages; ``pins`` says which versions were tested, and is None where nobody knows."""
    if wrong := [fault for requirement in needed for fault in faults(requirement)]:
        return fail(some(wrong), fix)
    found = f"{len(needed)} packages in their ranges"
    if pins is None:
        return ok(f"{found}; which versions were tested together is not known here (--constraints FILE)")
    other = [
        f"{name} {version} (tested: {pins[name]})"
        for name, version in _installed(pins).items()
        if not SpecifierSet(f"=={pins[name]}").contains(version, prereleases=True)
    ]
    if other:
        return warn(f"{found}; other versions than were tested: {some(other)}", fix)
    return ok(f"{found}, all in the versions that were tested together")


def check_extras(subject: Subject) -> Sequence[Finding]:
    """Tell which extras are installed, and find those that the architectures lack, or in a version that does not fit.

    Raises:
        RecipeError: An architecture lacks a package.
    """
    for name in subject.architectures:
        get_architecture(name).require()
    file = constraints_file(subject.constraints)
    asked = asked_for()
    return [judge_extras(asked, file)] if asked else [_not_installed(file)]


def judge_extras(asked: Mapping[str, Sequence[Requirement]], file: Path | None) -> Finding:
    """Judge extras."""
    names = [name for name in asked if name not in ("", ALL_OF_THEM)]
    wrong = {name: [fault for one in asked[name] for fault in faults(one)] for name in names}
    absent = [name for name in names if wrong[name]]
    there = [name for name in names if not wrong[name]]
    text = f"installed: {', '.join(there) or 'none'}" + (f"; not installed: {', '.join(absent)}" if absent else "")
    if old := [fault for name in absent for fault in wrong[name] if OLD in fault]:
        out_of_range = [name for name in absent if any(OLD in fault for fault in wrong[name])]
        return warn(f"{text}; {some(old)}", install_command(file, out_of_range))
    return ok(text)


def asked_for() -> dict[str, list[Requirement]]:
    """Return what tilesweep asks for, by extra; ``""`` is what it always needs, and nothing is known of it if empty.

    Read from the source tree's pyproject.toml, else from the installed package: what was installed as editable
    remembers the file as it was then.
    """
    file = ROOT / "pyproject.toml"
    if file.is_file():
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        texts = {"": project["dependencies"], **project["optional-dependencies"]}
        return {name: [one for one in map(Requirement, texts[name]) if _applies(one)] for name in texts}
    ours = _find(OURS)
    if ours is None:
        return {}
    always = [one for one in _requirements(ours) if _applies(one)]
    extras = ours.metadata.get_all("Provides-Extra") or ()
    only = {name: [one for one in _requirements(ours) if _applies(one, name) and not _applies(one)] for name in extras}
    return {"": always, **only}


def _not_installed(file: Path | None) -> Finding:
    return fail(f"{OURS} is not installed", install_command(file))


OLD = ", wanted "
"""Tells a version out of range from a package that is missing."""


def faults(requirement: Requirement) -> Iterator[str]:
    """Find what is missing or out of range for a requirement, the packages of its own extras included.

    Yields:
        ``ray is missing``, ``ray 2.9.0, wanted >=2.60``.
    """
    there = _find(requirement.name)
    if there is None:
        yield f"{requirement.name} is missing"
        return
    if not requirement.specifier.contains(there.version, prereleases=True):
        yield f"{requirement.name} {there.version}{OLD}{requirement.specifier}"
    for extra in requirement.extras:
        for inner in _requirements(there):
            if _applies(inner, extra) and not _applies(inner):
                yield from faults(inner)


def read_constraints(file: Path) -> Mapping[str, str]:
    """Read a constraints file's ``NAME==VERSION`` lines.

    Raises:
        ExperimentError: It cannot be read, or a line pins nothing.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ExperimentError(f"--constraints {file}: cannot be read ({error}); name a constraints.txt") from error
    pins = {}
    for number, line in enumerate(lines, start=1):
        text = re.sub(r"(^|\s)#.*", "", line).strip()
        if not text:
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            requirement = Requirement("unreadable")
        exact = [one.version for one in requirement.specifier if one.operator == "=="]
        if not exact:
            raise ExperimentError(f"--constraints {file}: line {number} is no NAME==VERSION ({text}); fix it")
        pins[str(canonicalize_name(requirement.name))] = exact[0]
    return pins


def constraints_file(named: Path | None) -> Path | None:
    """Return the file that a flag names, else that of the source tree; a wheel brings none."""
    beside = ROOT / "constraints.txt"
    return named or (beside if beside.is_file() else None)


def install_command(file: Path | None, extras: Sequence[str] = ()) -> str:
    """Return the command that installs tilesweep from where it is, with constraints and extras if there are any."""
    tree = (ROOT / "pyproject.toml").is_file()
    what = (str(ROOT) if tree else OURS) + (f"[{','.join(extras)}]" if extras else "")
    limits = ["--constraint", str(file)] if file else []
    return shlex.join(["pip", "install", *limits, *(["--editable"] if tree else ["--upgrade"]), what])


def _requirements(package: Distribution) -> list[Requirement]:
    return [Requirement(text) for text in package.requires or ()]


def _applies(requirement: Requirement, extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


@cache
def _find(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _installed(names: Mapping[str, str]) -> dict[str, str]:
    found = {name: _find(name) for name in names}
    return {name: package.version for name, package in found.items() if package is not None}


def some(texts: Sequence[str]) -> str:
    """Join the first texts, and say how many there are besides."""
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return ", ".join(texts[:SHOWN]) + more
