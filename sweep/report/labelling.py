"""Which tiles to label next, and which labels are probably wrong, as ``sweep.next`` and ``sweep.audit`` found it."""

from __future__ import annotations

from sweep.records.labelling import LabelAuditRecord, NextRecord
from sweep.report.blocks import Cell, Row, Section, Table, Text
from sweep.report.data import ReportData
from trainables.wording import counted

OTHER_TILES = (
    "The dataset has changed since this sweep: what is listed is of the tiles that it had when they were looked at."
)


def label_next(source: ReportData) -> Section | None:
    """Return the tiles to label next; None where nobody has asked."""
    chosen = source.next_tiles
    if chosen is None:
        return None
    blocks: list[Text | Table] = [_of_chosen(chosen, source.description["data"]["fingerprint"]), _chosen_table(chosen)]
    return Section(slug="label-next", title="What to label next?", blocks=blocks)


def wrong_labels(source: ReportData) -> Section | None:
    """Return the labels that are probably wrong; None where nobody has looked."""
    audit = source.label_audit
    if audit is None:
        return None
    blocks: list[Text | Table] = [_of_audit(audit, source.description["data"]["fingerprint"])]
    if audit["first"]:
        blocks.append(_audit_table(audit))
    return Section(slug="wrong-labels", title="Which labels are wrong?", blocks=blocks)


def _of_chosen(chosen: NextRecord, fingerprint: str) -> Text:
    count = counted(chosen["chosen"], "tile")
    lines = [
        f"Label these {count} next: chosen by {chosen['strategy']} out of {counted(chosen['windows'], 'window')}, "
        f"{chosen['made']}; {chosen['page']} shows them"
    ]
    return Text(lines=[*lines, *_of_others(chosen["fingerprint"], fingerprint)], listed=True)


def _of_audit(audit: LabelAuditRecord, fingerprint: str) -> Text:
    kinds = ", ".join(f"{kind} {count}" for kind, count in audit["kinds"].items())
    found = counted(sum(audit["kinds"].values()), "label")
    said = f"{found} probably wrong ({kinds})" if kinds else "No label is probably wrong"
    lines = [f"{said}, of {counted(audit['tiles'], 'tile')}, by {audit['model']}, {audit['made']}; see {audit['page']}"]
    return Text(lines=[*lines, *_of_others(audit["fingerprint"], fingerprint)], listed=True)


def _of_others(looked_at: str, own: str) -> list[str]:
    return [OTHER_TILES] if looked_at and looked_at != own else []


def _chosen_table(chosen: NextRecord) -> Table:
    rows = [
        Row(
            cells=[
                Cell(text=one["name"]),
                Cell(text=f"{one['entropy']:.2f}", value=one["entropy"]),
                Cell(text=one["raster"]),
                Cell(text=str(one["x"]), value=float(one["x"])),
                Cell(text=str(one["y"]), value=float(one["y"])),
            ]
        )
        for one in chosen["first"]
    ]
    return Table(
        caption="Tiles to label next, the first one first",
        columns=["tile", "uncertainty", "raster", "x", "y"],
        rows=rows,
        numeric=frozenset({"uncertainty", "x", "y"}),
        notes=["Uncertainty is the mean entropy of the prediction, from 0 to 1; x and y are the first column and row."],
    )


def _audit_table(audit: LabelAuditRecord) -> Table:
    rows = [
        Row(
            cells=[
                Cell(text=one["tile"]),
                Cell(text=one["kind"]),
                Cell(text=f"{one['score']:.2f}", value=one["score"]),
                Cell(text=one["split"]),
                Cell(text=one["reason"]),
            ]
        )
        for one in audit["first"]
    ]
    return Table(
        caption="Labels that are probably wrong, the surest first",
        columns=["tile", "kind", "score", "split", "why"],
        rows=rows,
        numeric=frozenset({"score"}),
        notes=["A finding is no proof: look before you correct a label."],
    )
