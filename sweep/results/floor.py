"""What training brought over the probe of the same encoder, which is fitted without a gradient: the floor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sweep.results.contenders import Contender
from sweep.results.standings import Conditions
from sweep.results.statistics import Interval, mean_interval
from trainables.models.registry import described


@dataclass(frozen=True, kw_only=True)
class OverProbe:
    """A trained contender beside the probe of its own encoder.

    Attributes:
        contender: The trained one's ``contender``.
        title: What people call it.
        probe: What people call the probe; where there are several of the encoder, the best one.
        difference: Val IoU of the trained one less that of the probe, paired by tile, with its 95 % interval: over
            tiles or scenes, and over trainings where there are several. It has no ends where the scores are of a single
            scene.
    """

    contender: str
    title: str
    probe: str
    difference: Interval

    @property
    def better(self) -> bool:
        """Whether training brought something: the whole interval is above 0."""
        return self.difference.low is not None and self.difference.low > 0


def over_probes(contenders: Iterable[Contender]) -> list[OverProbe]:
    """Compare each trained contender with the best probe of its encoder under the same conditions."""
    scored = [one for one in contenders if one.val is not None and not one.row.unranked]
    probes: dict[tuple[Conditions, str], Contender] = {}
    for one in scored:
        entry = described(one.row.architecture)
        key = (Conditions.of(one.row), entry.needs)
        if entry.probe and (key not in probes or one.row.final_iou > probes[key].row.final_iou):
            probes[key] = one
    found = []
    for one in scored:
        entry = described(one.row.architecture)
        probe = probes.get((Conditions.of(one.row), entry.needs))
        if entry.probe or probe is None or one.val is None or probe.val is None or one.val.tiles != probe.val.tiles:
            continue
        paired = one.val.iou - probe.val.iou.mean(0, keepdims=True)
        found.append(
            OverProbe(
                contender=one.row.contender,
                title=one.row.title,
                probe=probe.row.title,
                difference=mean_interval(paired, (-1.0, 1.0), one.val.layout),
            )
        )
    return found


def floor_lines(found: Sequence[OverProbe], names: Mapping[str, str] | None = None) -> list[str]:
    """Say which trained contenders are better than their own probe, and which are not.

    Args:
        found: Of one sweep.
        names: What to call contenders; None takes their titles.

    Returns:
        No line where there is no probe.
    """
    if not found:
        return []

    def said(one: OverProbe) -> str:
        ends = f", {one.difference.ends()}" if one.difference.ends() else ""
        return f"{names[one.contender] if names else one.title} ({one.difference.mean:+.3f}{ends})"

    better = [said(one) for one in found if one.better]
    others = [said(one) for one in found if not one.better]
    known = all(one.difference.low is not None for one in found)
    what = "better than the probe on its own encoder, which takes no training"
    if len(found) == 1:
        why = "" if known else "; a single scene cannot say"
        return [f"{(better + others)[0]} is {'' if better else 'not '}{what}{why}."]
    lines = [
        f"{len(better) or 'None'} of {len(found)} trained models {'is' if len(better) < 2 else 'are'} {what}"
        f"{': ' if better else ''}{', '.join(better)}."
    ]
    if others:
        lines.append(
            f"Not better {'by more than chance' if known else '(a single scene cannot say)'}: {', '.join(others)}."
        )
    return lines
