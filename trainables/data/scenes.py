"""Scenes: which tiles show neighbouring ground, so that a model trained on some of them knows the others, too."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trainables.data.tiles import natural_order
from trainables.errors import DataError
from trainables.escaping import visible

UNKNOWN = "not known, each tile counts as its own; --group-by names them"
LISTED = 3
"""Names that a sentence lists."""


def _ending(pattern: str) -> re.Pattern[str]:
    """Return the pattern of a name that ends so; its first group is the rest."""
    return re.compile(rf"(.*?[^_-]){pattern}", re.IGNORECASE)


OFFSETS = _ending(r"[_-](\d+)[_-](\d+)")
"""Two numbers are a place where both are pixels in all names: multiples of ``OFFSET``."""
OFFSET = 16
ENDINGS = (
    _ending(r"[_-]x\d+[_-]?y\d+"),
    _ending(r"[_-]y\d+[_-]?x\d+"),
    _ending(r"[_-]r(?:ow)?_?\d+[_-]?c(?:ol)?_?\d+"),
    _ending(r"(?:[_-](?:image|img|tile|patch|crop|chip|part))+[_-]?\d+"),
    OFFSETS,
    re.compile(r"((?:.*[_-])?\d*[^\d_-][^_-]*)-\d+"),
)
"""How programs that cut a scene into tiles end a tile's name. ``_12`` is none, since whole pictures are numbered so;
nor is ``-12`` after another number, as in a date."""


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """The scene of every tile.

    Attributes:
        of: Tile name to scene name. No two scenes show the same ground, as far as that is known.
        origin: How many there are and where they come from, as a sentence's end: ``9 in the manifest``.
        joined: A line for each pair of scenes that became one because two of their tiles show the same ground.
    """

    of: Mapping[str, str]
    origin: str
    joined: tuple[str, ...]


def scenes_of(
    names: Sequence[str],
    manifest_scenes: Mapping[str, str],
    group_by: str | None,
    same_ground: Iterable[tuple[str, str]],
) -> Scenes:
    """Say which tiles belong to one scene: by a pattern, else by the manifest, else by names that end in a place.

    Args:
        names: All tiles.
        manifest_scenes: Tile name to scene, as far as the manifest knows.
        group_by: A regular expression, see ``group_names``; None for none.
        same_ground: Names of two tiles that show the same ground: their scenes are joined. Others than ``names`` do
            not count.

    Raises:
        DataError: ``group_by`` does not fit the names.
    """
    recorded = {name: manifest_scenes[name] for name in names if name in manifest_scenes}
    if group_by is not None:
        of = group_names(names, group_by)
        origin = count_scenes(of, f"by --group-by {visible(group_by[:100])}")
    elif recorded:
        of = recorded | _own_scenes([name for name in names if name not in recorded], set(recorded.values()))
        origin = count_scenes(recorded, "in the manifest", len(names))
    elif guessed := guess_scenes(names):
        of = guessed
        origin = count_scenes(of, f"guessed from names such as {_example(of)}; --group-by changes it")
    else:
        of, origin = {name: name for name in names}, UNKNOWN
    return _join(of, origin, same_ground)


def group_names(names: Sequence[str], pattern: str) -> dict[str, str]:
    """Return the scene that a regular expression finds in each tile's name.

    Args:
        names: All tiles.
        pattern: Searched in each name; its first group is the scene, or where it has none (or the group has no part in
            the match) the whole match.

    Raises:
        DataError: It is no regular expression, or finds nothing in some of the names.
    """
    said = f"--group-by {visible(pattern[:100])}"
    try:
        expression = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise DataError(f"{said}: is no regular expression ({error}); give one such as '^[^_]+'") from error
    found = {name: _scene_in(expression.search(name)) for name in names}
    if missing := [name for name, scene in found.items() if not scene]:
        if len(missing) == len(names):
            raise DataError(f"{said}: finds no scene in any name, such as {missing[0]}; give one such as '^[^_]+'")
        raise DataError(f"{said}: finds no scene in {_listed(missing)}; widen it, so that it matches every tile's name")
    return found


def guess_scenes(names: Sequence[str]) -> dict[str, str]:
    """Guess scenes from names that end in the tile's place in its scene, such as ``tile1_part_003`` or ``a_x12_y3``.

    Returns:
        Tile name to scene; nothing unless all names end in one manner, and make at least two scenes, and fewer than
        tiles.
    """
    for ending in ENDINGS:
        matches = {name: ending.fullmatch(name) for name in names}
        scenes = {name: match[1] for name, match in matches.items() if match}
        if len(scenes) < len(names) or not 1 < len(set(scenes.values())) < len(names):
            continue
        if ending is OFFSETS and any(
            int(n) % OFFSET for match in matches.values() if match for n in match.groups()[1:]
        ):
            continue
        return scenes
    return {}


def _scene_in(match: re.Match[str] | None) -> str:
    if match is None:
        return ""
    return str(match[1] if match.re.groups and match[1] is not None else match[0])


def _own_scenes(names: Iterable[str], taken: set[str]) -> dict[str, str]:
    """Give each tile a scene of its own, under a name that no other scene has."""
    own = {}
    for name in names:
        scene = name
        while scene in taken:
            scene += " alone"
        taken.add(scene)
        own[name] = scene
    return own


def count_scenes(of: Mapping[str, str], whence: str, tiles: int | None = None) -> str:
    """Say how many scenes there are, whence that is known, and how many of all tiles are in none."""
    text, alone = f"{len(set(of.values()))} {whence}", (tiles or len(of)) - len(of)
    return f"{text}, and {alone} tile{'s' if alone > 1 else ''} in none, each its own" if alone else text


def connect(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return for every name what it and all others that pairs connect it to, directly or through others, are called."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    places = {name: place for place, name in enumerate(sorted(set(names), key=natural_order))}
    rows, columns = np.array([[places[one], places[other]] for one, other in pairs], np.intp).reshape(-1, 2).T
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(places), len(places)))
    groups: dict[int, list[str]] = {}
    labels = connected_components(graph, directed=False)[1].tolist()
    for name, label in zip(places, labels, strict=True):
        groups.setdefault(label, []).append(name)
    return {name: _together(groups[label]) for name, label in zip(places, labels, strict=True)}


def _join(of: Mapping[str, str], origin: str, same_ground: Iterable[tuple[str, str]]) -> Scenes:
    """Make one scene of those that show the same ground, directly or through others."""
    joined: dict[tuple[str, str], str] = {}
    for first, second in same_ground:
        if first not in of or second not in of or of[first] == of[second]:
            continue
        one, other = of[first], of[second]
        alone = (one, other) == (first, second)
        said = f"{first} and {second} show the same ground"
        if (other, one) not in joined:
            joined.setdefault((one, other), said if alone else f"{one} and {other}: {said}")
    called = connect(of.values(), joined)
    if joined:
        origin += f"; {len(set(called.values()))} after those that show the same ground are joined"
    return Scenes(of={name: called[scene] for name, scene in of.items()}, origin=origin, joined=tuple(joined.values()))


def _together(scenes: Sequence[str]) -> str:
    first, *others = scenes
    return f"{first} + {others[0]}" if len(others) == 1 else f"{first} + {len(others)} more" if others else first


def _example(of: Mapping[str, str]) -> str:
    """Return a tile of the largest scene."""
    largest = Counter(of.values()).most_common(1)[0][0]
    return min((name for name, scene in of.items() if scene == largest), key=natural_order)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")
