"""Finds tiles of different splits or scenes that show the same ground: copies, flips, crops, re-saved pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

from sweep.cli.counting import Watch, unwatched
from sweep.machine.threads import in_threads
from sweep.patches.checks.candidates import Candidate, DescriptorIndex
from sweep.patches.checks.movements import overlap
from sweep.patches.checks.thumbnails import Pair, same_pictures
from sweep.patches.checks.tiles import CheckedTile
from sweep.patches.checks.views import TileView
from trainables.data.manifest import Leak

MIN_OVERLAP = 0.03
"""Share of the smaller tile that two tiles must have in common."""


def find_leaks(
    splits: Mapping[str, Sequence[CheckedTile]],
    scenes: Mapping[str, str] | None = None,
    watch: Watch = unwatched,
) -> list[Leak]:
    """Find tiles of different splits, and where scenes are given of different scenes, that show the same ground.

    Two tiles leak when their files are identical, when one as a thumbnail is a turned or mirrored other, or when SIFT
    keypoints agree on one movement (shift, turn, scale, mirroring) that lays equal pixels over each other: crops,
    overlaps and re-saved pictures. Thumbnails are compared in all pairs. Keypoints are compared, and pixels laid over
    each other, of those pairs of which some keypoints that an index finds alike agree on a movement already.

    Args:
        splits: Split to tiles with their views.
        scenes: Tile name to scene, one that is missing is a scene of its own: also compare the tiles within train and
            within val that are of different scenes. None compares none of them.
        watch: Shows how far it is.

    Returns:
        The leaks, in the order of the tiles.
    """
    files = [(split, one) for split, tiles in splits.items() for one in tiles]
    views = [one.view for _, one in files if one.view]
    if not views:
        return []

    def matters(pair: Pair) -> bool:
        (split, one), (other_split, other) = files[pair[0]], files[pair[1]]
        return split != other_split or (scenes is not None and _are_apart(split, one, other, scenes))

    alike = filter(matters, same_pictures(views) | _same_files([one for _, one in files]))
    how = dict.fromkeys(alike, "the same picture, turned, mirrored or saved again")
    inside = [split for split in splits if split != "test" and scenes is not None]
    found = {one for one in _candidates(views, _groups(splits), inside, watch) if matters(one[:2])}
    pairs = sorted(one for one in found if one[:2] not in how)
    shares = in_threads(lambda one: overlap(views[one[0]], views[one[1]], mirrored=one[2]), pairs)
    common: dict[Pair, float] = {}
    for pair, share in watch("comparing those that look alike", zip(pairs, shares, strict=True), len(pairs)):
        common[pair[:2]] = max(share, common.get(pair[:2], 0.0))
    how |= {
        pair: f"the same ground on {share:.0%} of the smaller one"
        for pair, share in common.items()
        if share >= MIN_OVERLAP
    }
    leaks = []
    for first, second in sorted(how):
        one, other = files[first][1], files[second][1]
        same = one.image_sha256 == other.image_sha256
        words = "identical files" if same else how[first, second]
        leaks.append(Leak(first=one.image, second=other.image, how=words))
    return leaks


def _candidates(
    views: Sequence[TileView], groups: Mapping[str, Sequence[int]], inside: Sequence[str], watch: Watch
) -> Iterator[Candidate]:
    """Give pairs of tiles, of groups that are compared, that may show the same ground; each once or several times."""
    for name, members in groups.items():
        asking = [number for other, found in groups.items() if other != name or other in inside for number in found]
        like: Callable[[int], list[Candidate]] = DescriptorIndex(views, members).like
        for found in watch(f"looking for tiles like those of {name}", in_threads(like, asking), len(asking)):
            yield from found


def _same_files(files: Sequence[CheckedTile]) -> set[Pair]:
    alike: dict[str, list[int]] = {}
    for number, one in enumerate(files):
        alike.setdefault(one.image_sha256, []).append(number)
    return {pair for numbers in alike.values() for pair in combinations(numbers, 2)}


def _groups(splits: Mapping[str, Sequence[CheckedTile]]) -> dict[str, list[int]]:
    """Return split to the numbers of its tiles, counted through."""
    groups: dict[str, list[int]] = {}
    start = 0
    for split, tiles in splits.items():
        groups[split] = list(range(start, start + len(tiles)))
        start += len(tiles)
    return groups


def _are_apart(split: str, one: CheckedTile, other: CheckedTile, scenes: Mapping[str, str]) -> bool:
    """Whether two tiles of a split may be trained on and validated on in a fold."""
    scene = scenes.get(one.name)
    return split != "test" and (scene is None or scene != scenes.get(other.name))
