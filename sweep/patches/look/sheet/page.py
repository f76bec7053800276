"""Draws the contact sheet as one HTML file, with nothing outside of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from markupsafe import Markup

from sweep.charts.page import page_script, page_style, page_templates, policy
from sweep.charts.tile_pictures import MOST_TILES, mask_colours
from sweep.cli.counting import Watch, unwatched
from sweep.patches.checks.checking import Report
from sweep.patches.look.notes import Notes
from sweep.patches.look.sheet.cards import BUDGET, Card, draw_cards
from sweep.patches.look.suspicion.finding import Suspicion, all_tiles
from sweep.patches.look.suspicion.registry import CHECKS
from trainables.data.imagery import band_list
from trainables.data.tiles import SPLITS, natural_order
from trainables.task import IGNORE_INDEX
from trainables.wording import counted


@dataclass(frozen=True, kw_only=True)
class ContactSheet:
    """A contact sheet, drawn.

    Attributes:
        html: The whole file, without its seal.
        shown: Tiles that it shows.
        tiles: Tiles that there are.
    """

    html: str
    shown: int
    tiles: int


def draw_sheet(
    title: str,
    report: Report,
    suspicions: Sequence[Suspicion],
    watch: Watch = unwatched,
    notes: Notes | None = None,
) -> ContactSheet:
    """Draw the contact sheet of a sound dataset.

    Args:
        title: The dataset's name.
        report: The dataset.
        suspicions: The masks that look wrong, the most suspicious first.
        watch: Shows how far it is.
        notes: Of its tiles; None reads them again.
    """
    cards = draw_cards(report, suspicions, watch, notes or Notes(report.root))
    total = len(all_tiles(report))
    script = page_script(_asset("script.js"))
    html = (
        page_templates("sweep.patches.look.sheet")
        .get_template("sheet.html")
        .render(
            title=title,
            summary=report.summary(),
            headline=_headline(suspicions),
            notes=_notes(report, cards, total),
            first=[card for card in cards if card.suspicions],
            splits=[(split, found) for split in SPLITS if (found := _of_split(cards, split))],
            kinds=[(check, count) for check in CHECKS if (count := _kinds(suspicions)[check.name])],
            present={split: sum(card.split == split for card in cards) for split in SPLITS},
            scenes=sorted({card.scene for card in cards if card.scene}, key=natural_order),
            legend=_legend(report),
            style=Markup(page_style() + _asset("style.css")),  # both are ours, and neither holds a closing tag
            script=Markup(script),
            policy=policy(script),
        )
    )
    return ContactSheet(html=html, shown=len(cards), tiles=total)


def suspicious_line(suspicions: Sequence[Suspicion]) -> str:
    """Say how many masks look wrong, such as ``3 masks look wrong``; empty for none."""
    count = len({one.mask for one in suspicions})
    return f"{counted(count, 'mask looks', 'masks look')} wrong" if count else ""


def _headline(suspicions: Sequence[Suspicion]) -> str:
    return suspicious_line(suspicions) or "No mask looks wrong"


def _kinds(suspicions: Sequence[Suspicion]) -> Counter[str]:
    return Counter(one.kind for one in suspicions)


def _of_split(cards: Sequence[Card], split: str) -> list[Card]:
    return [card for card in cards if card.split == split and not card.suspicions]


def _notes(report: Report, cards: Sequence[Card], total: int) -> list[str]:
    """Say what the sheet does not show."""
    notes = []
    if len(cards) < total:
        suspicious = sum(bool(card.suspicions) for card in cards)
        why = (
            f"a sheet has {MOST_TILES} tiles at most"
            if total > MOST_TILES
            else f"its pictures take {BUDGET >> 20} MiB at most"
        )
        notes.append(
            f"{len(cards):,} of {total:,} tiles are shown, as {why}: {suspicious:,} whose masks look wrong, and of the "
            f"others evenly spread ones"
        )
    bands = report.imagery.bands
    if not report.imagery.has_colours or len(bands) > 3:
        seen = band_list(bands[:3]) if len(bands) > 2 else bands[0]
        notes.append(f"Pictures show {seen}, of {counted(len(bands), 'band')} ({', '.join(bands)}).")
    return notes


def _legend(report: Report) -> list[tuple[str, str]]:
    """Return the classes that are drawn and their colours as CSS."""
    names = dict(enumerate(report.task.classes)) | {IGNORE_INDEX: "ignored (shown when filled)"}
    ignores = report.task.ignores_pixels
    return [
        (names[index], "#{:02x}{:02x}{:02x}".format(*colour))
        for index, colour in mask_colours(report.task).items()
        if index != IGNORE_INDEX or ignores
    ]


def _asset(name: str) -> str:
    return files("sweep.patches.look.sheet").joinpath(name).read_text(encoding="utf-8")
