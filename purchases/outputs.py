"""What the API says about purchases."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from core.money import round_cents
from kra.codes import explain
from outbox.models import Status

from .models import Purchase, PurchaseLine, State
from .services import Suggestion, suggestions_for

Money = Annotated[str, Meta(examples=["1160.00"], description="Shillings, two decimals.")]

NEXT_STEPS: dict[str, str] = {
    State.OFFERED: "Match its lines (POST …/match/), or confirm the lines that are matched.",
    State.MATCHED: "Confirm it (POST …/confirm/), or leave it with a reason (POST …/reject/).",
    State.CONFIRMING: "Wait for KRA; POST …/retry/ tries now.",
    State.CONFIRMED: "Nothing: KRA has it, and the goods are in stock.",
    State.REFUSED: "Correct what KRA names, then confirm again (POST …/confirm/).",
    State.REJECTED: "Nothing; POST …/reopen/ takes it up again.",
}

# Rule P1: an invoice is confirmed by its number, and once.
PARTLY: dict[str, str] = {
    State.CONFIRMING: " KRA takes one confirmation of an invoice: what is left out stays out.",
    State.CONFIRMED: " KRA takes one confirmation of an invoice, so the rest cannot follow: let "
    "the supplier credit it, or book goods that did come with POST /api/stock/.",
}
CONFIRMED_IN_PART = "KRA has a part of it, and that part is in stock."


def next_step_of(purchase: Purchase) -> str:
    step = NEXT_STEPS[purchase.state]
    if not getattr(purchase, "is_partial", False):
        return step
    if purchase.state == State.CONFIRMED:
        step = CONFIRMED_IN_PART
    return step + PARTLY[purchase.state]


def money(amount: Decimal) -> str:
    return str(round_cents(amount))


def plain(quantity: Decimal) -> str:
    return f"{quantity.normalize():f}"


class ConfirmedLine(Struct):
    """What KRA was told about a line."""

    quantity: str
    taxable_amount: Money
    tax_amount: Money
    total: Money

    @classmethod
    def of(cls, line: PurchaseLine) -> "ConfirmedLine | None":
        if line.confirmed_quantity is None:
            return None
        return cls(
            quantity=plain(line.confirmed_quantity),
            taxable_amount=money(line.confirmed_taxable or Decimal(0)),
            tax_amount=money(line.confirmed_tax or Decimal(0)),
            total=money(line.confirmed_total or Decimal(0)),
        )


class LineOutput(Struct):
    line: int
    supplier_code: str
    name: str
    barcode: str
    quantity: str
    quantity_unit: str
    unit_price: Annotated[Money, Meta(description="As the supplier wrote it.")]
    discount: Money
    tax: Annotated[str, Meta(description="Tax letter.")]
    taxable_amount: Money
    tax_amount: Money
    total: Money
    item: Annotated[str | None, Meta(description="SKU of yours that it stands for.")]
    matched_by: Annotated[
        str, Meta(description="person, remembered, barcode, code (and name), or empty.")
    ]
    suggestions: list[Suggestion]
    confirmed: ConfirmedLine | None

    @classmethod
    def of(cls, line: PurchaseLine, suggestions: list[Suggestion]) -> "LineOutput":
        return cls(
            line=line.sequence,
            supplier_code=line.supplier_code,
            name=line.name,
            barcode=line.barcode,
            quantity=plain(line.quantity),
            quantity_unit=line.quantity_unit,
            unit_price=money(line.unit_price),
            discount=money(line.discount),
            tax=line.letter,
            taxable_amount=money(line.taxable),
            tax_amount=money(line.tax),
            total=money(line.total),
            item=line.item.sku if line.item else None,
            matched_by=line.match_source,
            suggestions=suggestions,
            confirmed=ConfirmedLine.of(line),
        )


class Trouble(Struct):
    """What KRA said against the confirmation, and what a person does next."""

    code: str
    message: str
    cause: str
    next_step: str
    next_step_sw: str


def trouble_of(purchase: Purchase) -> Trouble | None:
    row = purchase.transmission
    is_told = purchase.state in (State.CONFIRMING, State.REFUSED)
    if row is None or not is_told or not row.error_code or row.status == Status.ACCEPTED:
        return None
    meaning = explain(row.error_code, row.error_message)
    return Trouble(
        code=row.error_code,
        message=row.error_message,
        cause=meaning.cause,
        next_step=meaning.next_step,
        next_step_sw=meaning.next_step_sw,
    )


class PurchaseOutput(Struct, kw_only=True):
    id: int
    branch: str
    supplier_pin: str
    supplier_name: str
    supplier_branch: str
    number: Annotated[int, Meta(description="The supplier's fiscal invoice number.")]
    kind: Annotated[str, Meta(description="invoice or credit_note.")]
    invoiced_on: date
    taxable_amount: Money
    tax_amount: Money
    total: Money
    remark: str
    state: Annotated[
        str, Meta(description="offered, matched, confirming, confirmed, refused or rejected.")
    ]
    reason: Annotated[str, Meta(description="Why it was rejected.")]
    is_partial: Annotated[
        bool, Meta(description="KRA was told of a part; the rest cannot be confirmed later.")
    ]
    next_step: str
    message: Annotated[
        str | None, Meta(description="Of the confirmation: queued, sending, unknown, conflict, …")
    ]
    purchase_number: Annotated[
        int | None, Meta(description="Your own number of the purchase at KRA.")
    ]
    confirmed_tax_amount: Money | None
    confirmed_total: Money | None
    confirmed_at: datetime | None
    offered_at: datetime
    updated_at: datetime
    trouble: Trouble | None


class PurchaseDetail(PurchaseOutput, kw_only=True):
    lines: list[LineOutput]


def purchase_output(purchase: Purchase) -> PurchaseOutput:
    row = purchase.transmission
    is_at_kra = purchase.state == State.CONFIRMED and row is not None
    tax, total = purchase.confirmed_tax, purchase.confirmed_total
    return PurchaseOutput(
        id=purchase.pk,
        branch=purchase.branch.code,
        supplier_pin=purchase.supplier_pin,
        supplier_name=purchase.supplier_name,
        supplier_branch=purchase.supplier_branch,
        number=purchase.number,
        kind="credit_note" if purchase.is_credit_note else "invoice",
        invoiced_on=purchase.invoiced_on,
        taxable_amount=money(purchase.taxable),
        tax_amount=money(purchase.tax),
        total=money(purchase.total),
        remark=purchase.remark,
        state=purchase.state,
        reason=purchase.state_reason,
        is_partial=getattr(purchase, "is_partial", False),
        next_step=next_step_of(purchase),
        message=row.status if row else None,
        purchase_number=row.number if row and is_at_kra else None,
        confirmed_tax_amount=None if tax is None else money(tax),
        confirmed_total=None if total is None else money(total),
        confirmed_at=purchase.confirmed_at,
        offered_at=purchase.created_at,
        updated_at=purchase.updated_at,
        trouble=trouble_of(purchase),
    )


def purchase_detail(purchase: Purchase) -> PurchaseDetail:
    suggestions = suggestions_for(purchase)
    lines = purchase.lines.select_related("item").order_by("sequence")
    short = purchase_output(purchase)
    facts = {name: getattr(short, name) for name in short.__struct_fields__}
    return PurchaseDetail(
        **facts,
        lines=[LineOutput.of(line, suggestions.get(line.sequence, [])) for line in lines],
    )


class BranchSynced(Struct):
    """What became of one branch."""

    branch: str
    state: Annotated[str, Meta(description="synced, skipped or failed.")]
    new: int = 0
    known: int = 0
    unreadable: Annotated[
        int, Meta(description="Offers that could not be read; they are asked for again.")
    ] = 0
    detail: str = ""


class SyncOutput(Struct):
    branches: list[BranchSynced]
