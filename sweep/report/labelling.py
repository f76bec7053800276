"""Which tiles to label next, and which labels are probably wrong, as ``sweep.next`` and ``sweep.audit`` found it."""

from __future__ import annotations

from sweep.records.labelling import LabelAuditRecord, NextRecord
from sweep.report.blocks import Cell, Row, Section, Table, Text
from sweep.report.data import ReportData
from trainables.wording import counted

OTHER_TILES = (
    "The dataset has changed since this sweep: what is listed is of the tiles that it had when they were looked at."
)


def labelling(source: ReportData) -> Section | None:
    """Return what is known of the labels; None where nobody has asked."""
    chosen, audit = source.next_tiles, source.label_audit
    fingerprint = source.description["data"]["fingerprint"]
    blocks: list[Text | Table] = []
    if chosen is not None:
        blocks += [_of_chosen(chosen, fingerprint), _chosen_table(chosen)]
    if audit is not None:
        blocks.append(_of_audit(audit, fingerprint))
        if audit["first"]:
            blocks.append(_audit_table(audit))
    return Section(slug="labelling", title="What to label next", blocks=blocks) if blocks else None


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
                Cell(text=str(rank), value=float(rank)),
                Cell(text=one["name"]),
                Cell(text=f"{one['entropy']:.2f}", value=one["entropy"]),
                Cell(text=one["raster"]),
                Cell(text=str(one["x"]), value=float(one["x"])),
                Cell(text=str(one["y"]), value=float(one["y"])),
            ]
        )
        for rank, one in enumerate(chosen["first"], start=1)
    ]
    return Table(
        caption="Tiles to label next",
        columns=["rank", "tile", "uncertainty", "raster", "x", "y"],
        rows=rows,
        numeric=frozenset({"rank", "uncertainty", "x", "y"}),
        notes=["Uncertainty is the mean entropy of the prediction, from 0 to 1; x and y are the first column and row."],
    )


def _audit_table(audit: LabelAuditRecord) -> Table:
    rows = [
        Row(
            cells=[
                Cell(text=str(rank), value=float(rank)),
                Cell(text=one["tile"]),
                Cell(text=one["kind"]),
                Cell(text=f"{one['score']:.2f}", value=one["score"]),
                Cell(text=one["split"]),
                Cell(text=one["reason"]),
            ]
        )
        for rank, one in enumerate(audit["first"], start=1)
    ]
    return Table(
        caption="Labels that are probably wrong, the surest first",
        columns=["rank", "tile", "kind", "score", "split", "why"],
        rows=rows,
        numeric=frozenset({"rank", "score"}),
        notes=["A finding is no proof: look before you correct a label."],
    )
