"""The confirmation of a purchase in KRA's words."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from core.money import round_cents
from devices.models import Device
from items.models import MovementType
from items.models.catalogue import LETTERS
from items.services import Customer, StockLine, book_stock
from items.tax import LineAmounts, Totals
from kra.answers import Reply
from kra.errors import OutcomeUnknown, Rejected
from kra.readers import sift_supplier_invoices
from kra.requests import EVERYTHING, LetterAmount, ListRequest, PurchaseRequest, numbered
from kra.requests import PurchaseLine as MessageLine
from kra.times import format_date, format_instant
from outbox.handlers import Found, NumberedHandler
from outbox.models import Transmission

from .models import Purchase, PurchaseLine, State

KIND = "purchase"
NORMAL, ACCEPTED, PURCHASE, BY_HAND = "N", "02", "P", "M"
# KRA's list may leave the way of payment out, and its message may not.
OTHER_PAYMENT = "07"
OFFERS = "purchase_sales_list"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What we say that we bought."""

    device: Device
    lines: list[tuple[PurchaseLine, LineAmounts]]
    rates: dict[str, Decimal]
    totals: Totals
    moment: datetime


def content_of(purchase: Purchase, said: Confirmation) -> bytes:
    """The document as it is confirmed: complete but for the number, which comes at the claim."""
    company = said.device.company
    user = said.device.serial[:20]
    return PurchaseRequest(
        tin=company.pin,
        bhfId=said.device.branch.code,
        spplrTin=purchase.supplier_pin,
        invcNo=0,
        orgInvcNo=0,
        spplrBhfId=purchase.supplier_branch or None,
        spplrNm=purchase.supplier_name or None,
        spplrInvcNo=purchase.number,
        regTyCd=BY_HAND,
        pchsTyCd=NORMAL,
        rcptTyCd=PURCHASE,
        pmtTyCd=purchase.payment_code or OTHER_PAYMENT,
        pchsSttsCd=ACCEPTED,
        cfmDt=format_instant(said.moment),
        # The day of the invoice: its rates are the ones the supplier charged.
        pchsDt=format_date(purchase.invoiced_on),
        totItemCnt=len(said.lines),
        letters=_letters(said),
        totTaxblAmt=said.totals.total_taxable,
        totTaxAmt=said.totals.total_tax,
        totAmt=said.totals.total,
        regrId=user,
        regrNm=company.name[:60],
        modrId=user,
        modrNm=company.name[:60],
        itemList=[_line(place, *each) for place, each in enumerate(said.lines, 1)],
    ).encode()


def _letters(said: Confirmation) -> dict[str, LetterAmount]:
    taxable, tax = said.totals.taxable, said.totals.tax
    return {one: LetterAmount(taxable[one], said.rates[one], tax[one]) for one in LETTERS}


def _line(place: int, line: PurchaseLine, amounts: LineAmounts) -> MessageLine:
    item = line.item
    if item is None or line.confirmed_quantity is None:
        raise ValueError("only a matched line can be confirmed")
    return MessageLine(
        itemSeq=place,
        itemCd=item.code,
        itemClsCd=item.classification,
        itemNm=item.name,
        bcd=item.barcode or None,
        spplrItemClsCd=line.supplier_class[:10] or None,
        spplrItemCd=line.supplier_code[:20] or None,
        spplrItemNm=line.name[:200] or None,
        pkgUnitCd=item.packaging_unit,
        pkg=Decimal(1),
        qtyUnitCd=item.quantity_unit,
        qty=line.confirmed_quantity,
        prc=amounts.unit_price,
        splyAmt=amounts.supply,
        dcRt=amounts.discount_percent,
        dcAmt=amounts.discount,
        taxblAmt=amounts.taxable,
        taxTyCd=line.letter,
        taxAmt=amounts.tax,
        totAmt=amounts.total,
    )


class PurchaseMessage(NumberedHandler):
    """Purchases have a number of their own per device (rule N2).

    There is no look-up by number: after a lost answer the same bytes go again, and KRA's "taken"
    proves that it holds them. Where KRA refuses the repeat for another reason (the invoice "does
    not exist" any more), its list of offers decides: what it still offers, it has not booked.
    """

    endpoint = "purchase_save"
    second_look = OFFERS

    def build(self, row: Transmission, number: int | None) -> bytes:
        return numbered(bytes(row.content or b""), number or 0)

    def accepted(self, row: Transmission, receipt: Any) -> None:
        now = timezone.now()
        mine = self._mine(row)
        mine.update(state=State.CONFIRMED, confirmed_at=now, updated_at=now)
        put_in_stock(mine.get(), row.lane.device)

    def refused(self, row: Transmission, error: Rejected) -> None:
        forget_amounts(self._mine(row).get())
        self._mine(row).update(state=State.REFUSED, updated_at=timezone.now())

    def lookup_body(self, row: Transmission) -> bytes:
        device = row.lane.device
        return ListRequest(
            tin=device.company.pin, bhfId=device.branch.code, lastReqDt=EVERYTHING
        ).encode()

    def found(self, row: Transmission, reply: Reply) -> Found | None:
        offers, faults = sift_supplier_invoices(None if reply.is_empty else reply.data)
        if faults:
            # One of the unreadable rows may be it.
            raise OutcomeUnknown("unreadable_answer", f"KRA's list of offers: {faults[0]}")
        purchase = self._mine(row).get()
        named = (purchase.supplier_pin, purchase.supplier_branch, purchase.number)
        offered = {(one.supplier_pin, one.supplier_branch, one.number) for one in offers}
        return None if named in offered else Found(receipt=None)

    def _mine(self, row: Transmission) -> Any:
        return Purchase.objects.filter(transmission=row)


def forget_amounts(purchase: Purchase) -> None:
    """KRA holds no confirmation: nothing was bought yet. The outbox keeps what was said."""
    purchase.lines.update(
        confirmed_quantity=None, confirmed_taxable=None, confirmed_tax=None, confirmed_total=None
    )
    Purchase.objects.filter(pk=purchase.pk).update(confirmed_tax=None, confirmed_total=None)


def put_in_stock(purchase: Purchase, device: Device) -> None:
    """The goods come in as KRA was told, at the price that was paid; services never (rule S3)."""
    bought = purchase.lines.exclude(confirmed_quantity=None).order_by("sequence")
    values: Any = bought.values_list("item", "confirmed_quantity", "confirmed_total")
    book_stock(
        device=device,
        type=MovementType.PURCHASE,
        lines=[
            StockLine(item, quantity, round_cents(total / quantity))
            for item, quantity, total in values
        ],
        # The first word is unique; people's own references share the column.
        reference=f"PURCHASE-{purchase.pk} {purchase}",
        occurred_at=timezone.now(),
        customer=Customer(purchase.supplier_pin, purchase.supplier_name),
    )
