"""What the API reads and writes about reconciliations."""

from datetime import date, datetime
from typing import Annotated

from drf_spectacular.utils import OpenApiExample
from msgspec import Meta, Struct

from sales.models import Difference, Reconciliation
from sales.outputs import Money, money

from .report import Side, sums_of


class RunInput(Struct, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}):
    first: Annotated[date, Meta(description="First day of sale, in Nairobi.")]
    last: (
        Annotated[date, Meta(description="Last day; at most 31 days. Default: `from`.")] | None
    ) = None
    device: Annotated[str, Meta(description="Serial; the token's own when left out.")] = ""


RUN_EXAMPLE = OpenApiExample(
    "One day of one device",
    request_only=True,
    value={"device": "dvcv1130", "from": "2026-11-21", "to": "2026-11-21"},
)


class ExplainInput(Struct, forbid_unknown_fields=True):
    reason: Annotated[
        str,
        Meta(min_length=3, max_length=300, examples=["Sold on the web shop's own system."]),
    ]


class DocumentSide(Struct):
    type: Annotated[str, Meta(description="sale or credit_note.")]
    total: Money
    vat: Money


class DifferenceOutput(Struct):
    number: int
    last_number: Annotated[int | None, Meta(description="Of a wide gap: its last number.")]
    day: date
    kind: Annotated[
        str,
        Meta(
            description="missing_at_kra, missing_here, type_differs, amount_differs, vat_differs, "
            "signed_otherwise or number_gap."
        ),
    ]
    detail: str
    ours: DocumentSide | None
    kra: DocumentSide | None
    invoice: Annotated[int | None, Meta(description="Our invoice; GET /api/invoices/{id}/.")]
    state: Annotated[str, Meta(description="open or resolved.")]
    how: Annotated[str, Meta(description="looked_again, adopted, explained or superseded.")]
    reason: str
    resolved_by: str
    resolved_at: datetime | None
    looked_at: Annotated[
        datetime | None, Meta(description="When KRA was last asked about this number alone.")
    ]
    next_step: str

    @classmethod
    def of(cls, case: Difference) -> "DifferenceOutput":
        return cls(
            number=case.number,
            last_number=case.last_number,
            day=case.day,
            kind=case.kind,
            detail=case.detail,
            ours=_side(case, "our"),
            kra=_side(case, "kra"),
            invoice=case.invoice_id,
            state=case.state,
            how=case.how,
            reason=case.reason,
            resolved_by=case.resolved_by,
            resolved_at=case.resolved_at,
            looked_at=case.looked_at,
            next_step=next_step_of(case),
        )


def _side(case: Difference, side: str) -> DocumentSide | None:
    kind, total, vat = case.figures(side)
    return DocumentSide(kind, money(total), money(vat)) if kind else None


Case = Difference.Kind
NEXT_STEPS: dict[str, str] = {
    Case.MISSING_AT_KRA: "Look again. If KRA still knows no such number, show it the receipt: the "
    "signature is the proof. Never send the sale again.",
    Case.MISSING_HERE: "Adopt it if a sale of ours waits for its signature; else find out who sold "
    "under this PIN, and explain it.",
    Case.TYPE_DIFFERS: "Another document stands at KRA under our number. Ask who else uses the "
    "device, and write to KRA with both documents.",
    Case.AMOUNT_DIFFERS: "Compare the two documents; write to KRA with our signed receipt.",
    Case.VAT_DIFFERS: "Compare the tax of the two documents; write to KRA with our signed receipt.",
    Case.SIGNED_OTHERWISE: "Compare signature, day and state with KRA's portal, then write to KRA.",
    Case.NUMBER_GAP: "Ask KRA whether the number was ever used, then explain the gap.",
}


def next_step_of(case: Difference) -> str:
    if case.state != Difference.State.OPEN:
        return "Nothing is to be done."
    return NEXT_STEPS[case.kind]


class RunOutput(Struct):
    id: int
    device: str
    first_day: Annotated[date, Meta(description="Days of sale in Nairobi.")]
    last_day: date
    verdict: Annotated[str, Meta(description="matches, differs or incomplete.")]
    reason: Annotated[str, Meta(description="Why it is incomplete, or what else is to be known.")]
    started_at: datetime
    finished_at: Annotated[datetime | None, Meta(description="None: it goes on by itself.")]
    requested_by: str
    ours: Side
    kra: Side
    open_differences: int

    @classmethod
    def of(cls, run: Reconciliation) -> "RunOutput":
        """A run with its days at hand, and with `open_cases` counted."""
        days = run.days.all()
        return cls(
            id=run.pk,
            device=run.device.serial,
            first_day=run.first_day,
            last_day=run.last_day,
            verdict=run.verdict,
            reason=run.reason,
            started_at=run.started_at,
            finished_at=run.finished_at,
            requested_by=run.requested_by,
            ours=sums_of(days, "our"),
            kra=sums_of(days, "kra"),
            open_differences=run.open_cases,  # type: ignore[attr-defined]
        )


class RunDetail(Struct):
    run: RunOutput
    differences: list[DifferenceOutput]
    next_after: Annotated[
        int | None, Meta(description="There are more: ask again with `?after=` this number.")
    ]
