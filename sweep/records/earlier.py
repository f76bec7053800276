"""Reads what versions before this one wrote."""

from __future__ import annotations

import re
from typing import Any


def with_role(values: dict[str, Any]) -> dict[str, Any]:
    """Return a trial's values with ``role`` and ``study``, which an earlier version said by ``group`` and its name."""
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
