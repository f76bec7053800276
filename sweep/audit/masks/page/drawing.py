"""Draws the page of labels that are probably wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib.resources import files

from markupsafe import Markup

from sweep.audit.masks.auditing import LabelAudit
from sweep.audit.masks.finding import CONFUSED, INVENTED, MISSING, SHIFTED
from sweep.audit.masks.page.pictures import LABEL, PREDICTED, WRONG, FindingPictures
from sweep.charts.page import page_script, page_style, page_templates, policy
from trainables.task import Colour
from trainables.wording import counted

_HERE = "sweep.audit.masks.page"
ABOUT = {
    MISSING: "the model is sure of an object that nobody labelled",
    INVENTED: "the model is sure that there is none where one is labelled",
    CONFUSED: "the model is sure of another class",
    SHIFTED: "the outlines fit the image better a few pixels away",
}


def draw_label_page(
    title: str, audit: LabelAudit, pictures: Sequence[FindingPictures], where: dict[str, str], origin: str
) -> str:
    """Return the page.

    Args:
        title: The dataset's name.
        audit: What was found.
        pictures: Of the first findings; those without are not shown.
        where: Name of a tile to its split, and its scene where that is known.
        origin: Whose predictions these are.
    """
    script = page_script("")
    kinds = Counter(one.kind for one in audit.findings)
    shown = audit.findings[: len(pictures)]
    return (
        page_templates(_HERE)
        .get_template("labels.html")
        .render(
            title=title,
            headline=headline(audit),
            origin=origin,
            kinds=[(kind, kinds[kind], about) for kind, about in ABOUT.items() if kinds[kind]],
            cards=list(zip(shown, pictures, strict=True)),
            where=where,
            total=len(audit.findings),
            tiles=[one for one in audit.tiles if one.findings or one.share >= 0.01],
            looked=len(audit.tiles),
            thresholds=[(name, f"{value:.0%}") for name, value in audit.thresholds.items()],
            legend=[("label", _css(LABEL)), ("prediction", _css(PREDICTED)), ("probably wrong", _css(WRONG))],
            style=Markup(page_style() + _asset("style.css")),
            script=Markup(script),
            policy=policy(script),
        )
    )


def headline(audit: LabelAudit) -> str:
    """Say how many labels are to be looked at."""
    if not audit.findings:
        return "No label looks wrong"
    tiles = len({one.tile for one in audit.findings})
    return f"{counted(len(audit.findings), 'place')} in {counted(tiles, 'tile')} to look at, the surest first"


def _css(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _asset(name: str) -> str:
    return files(_HERE).joinpath(name).read_text(encoding="utf-8")
