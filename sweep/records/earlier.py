"""Reads what versions before this one wrote."""

from __future__ import annotations

import re
from typing import Any


def with_present_names(values: dict[str, Any]) -> dict[str, Any]:
    """Return a trial's values under their present names.

    An earlier version had ``entry`` for ``contender``, and said ``role`` and ``study`` by ``group`` and its name.
    """
    if "entry" in values:
        values = {("contender" if name == "entry" else name): value for name, value in values.items()}
    if "group" not in values:
        return values
    found = {name: value for name, value in values.items() if name not in ("group", "preliminary")}
    group, attempt = values["group"], values["attempt"]
    number = re.fullmatch(re.escape(group) + r"-(\d{3,})", attempt)
    if number:
        role, study = "search" if int(number[1]) else "baseline", group
    elif values.get("candidate") and group.endswith("-confirm"):
        role, study = "confirm", group.removesuffix("-confirm")
    elif group.endswith("-finals"):
        role, study = "final", group.removesuffix("-finals")
    else:
        role, study = "planned", ""
    return {**found, "role": role, "study": study}
