"""Cases that are single calls: one small function each, to be exchanged for a service's."""

import secrets
from decimal import Decimal

import msgspec
from django.db.models.functions import Greatest
from django.utils import timezone

from core.money import ZERO, round_cents
from devices.calls import make_call, open_call, target_for
from devices.models import Call
from items.messages import OUR_ID, OUR_NAME
from items.models import Item
from items.rates import rates_on
from kra.errors import KRAError
from kra.readers import read_imports, read_supplier_invoices
from kra.records import ImportedItem, SupplierInvoice, SupplierLine
from kra.requests import (
    LETTERS,
    BranchCustomerRequest,
    BranchInsuranceRequest,
    BranchUserRequest,
    ImportUpdateRequest,
    InvoiceDetailsRequest,
    ItemCompositionRequest,
    LetterAmount,
    PurchaseLine,
    PurchaseRequest,
    TaxpayerInfoRequest,
)
from kra.times import NAIROBI, format_date, format_instant
from outbox.handlers import handler_for
from outbox.models import Lane, Stream
from outbox.services import lane_id_of

from .context import CaseFailed, Context
from .services import COMPONENT, GOODS, SALE

# Who registers and who modifies: never null (rule N7).
REGISTRAR = {"regrId": OUR_ID, "regrNm": OUR_NAME}
MODIFIER = {"modrId": OUR_ID, "modrNm": OUR_NAME}
WAITING, APPROVED = "2", "3"
LOST = (Call.Outcome.OPEN, Call.Outcome.UNKNOWN, Call.Outcome.UNREADABLE)
LATER = (
    "KRA's sandbox offers some a while after the first use. Wait a few minutes and start again: "
    "the run goes on here."
)


def branch_list(ctx: Context) -> None:
    ctx.ask_for_all("branch_list")


def notice_list(ctx: Context) -> None:
    ctx.ask_for_all("notice_list")


def customer_list(ctx: Context) -> None:
    ctx.ask_for_all("customer_list")


def sales_list(ctx: Context) -> None:
    ctx.ask_for_all("sales_list")


def stock_move_list(ctx: Context) -> None:
    ctx.ask_for_all("stock_move_list")


def taxpayer_info(ctx: Context) -> None:
    ctx.ask("taxpayer_info", TaxpayerInfoRequest(**ctx.identity))


def branch_customer_save(ctx: Context) -> str:
    pin = ctx.buyer.pin or ctx.company.pin
    name = ctx.buyer.name or ctx.company.name
    message = BranchCustomerRequest(
        **ctx.identity, **REGISTRAR, **MODIFIER, custNo="1", custTin=pin, custNm=name, useYn="Y"
    )
    ctx.ask("branch_customer_save", message)
    return f"{name}, {pin}"


def branch_user_save(ctx: Context) -> None:
    message = BranchUserRequest(
        **ctx.identity,
        **REGISTRAR,
        **MODIFIER,
        userId="cashier1",
        userNm="Cashier 1",
        pwd=secrets.token_urlsafe(12),  # required, and opens nothing
        useYn="Y",
    )
    ctx.ask("branch_user_save", message)


def branch_insurance_save(ctx: Context) -> None:
    message = BranchInsuranceRequest(
        **ctx.identity,
        **REGISTRAR,
        **MODIFIER,
        isrccCd="INS01",
        isrccNm="Own insurance scheme",
        isrcRt=20,
        useYn="Y",
    )
    ctx.ask("branch_insurance_save", message)


def item_composition_save(ctx: Context) -> None:
    message = ItemCompositionRequest(
        **ctx.identity,
        **REGISTRAR,
        **MODIFIER,
        itemCd=ctx.item(GOODS).code,
        cpstItemCd=ctx.item(COMPONENT).code,
        cpstQty=Decimal(1),
    )
    ctx.ask("item_composition_save", message)


def import_list(ctx: Context) -> str:
    return f"{len(_imports(ctx))} lines"


def _imports(ctx: Context) -> tuple[ImportedItem, ...]:
    found = read_imports(ctx.ask_for_all("import_list").data)
    if not found:
        raise CaseFailed("001", "KRA offers no import line.", LATER)
    return found


def import_update(ctx: Context) -> str:
    if ctx.has_answer("import_update"):
        return "approved before the interruption"
    lines = _imports(ctx)
    line = next((one for one in lines if one.status_code == WAITING), lines[0])
    item = ctx.item(GOODS)
    message = ImportUpdateRequest(
        **ctx.identity,
        **MODIFIER,
        taskCd=line.task_code,
        dclDe=line.declared_on,
        itemSeq=line.sequence,
        hsCd=line.hs_code,
        itemClsCd=item.classification,
        itemCd=item.code,
        imptItemSttsCd=APPROVED,
        remark=f"Booked as {item.name}",
    )
    ctx.ask("import_update", message)
    return f"{line.name.strip()} approved"


def purchase_sales_list(ctx: Context) -> str:
    return f"{len(_offers(ctx))} supplier invoices"


def _offers(ctx: Context) -> tuple[SupplierInvoice, ...]:
    found = _listed(ctx)
    if not found:
        raise CaseFailed("001", "KRA offers no supplier invoice.", LATER)
    return found


def _listed(ctx: Context) -> tuple[SupplierInvoice, ...]:
    return read_supplier_invoices(ctx.ask_for_all("purchase_sales_list").data)


def purchase_save(ctx: Context) -> str:
    """Confirm the first supplier invoice that is offered, under the purchase lane's next number."""
    lane = Lane.objects.get(pk=lane_id_of(ctx.device.pk, Stream.PURCHASE))
    stored = _stored(ctx)
    if stored is not None:
        _spend(lane, stored.number or 0)
        return "confirmed before the interruption"
    offer = _offers(ctx)[0]
    number = lane.last_number + 1
    try:
        _confirm(ctx, offer, number)
    except KRAError as error:
        # A confirmation whose answer was lost, or another system, has used the number.
        if error.expected_number is None or error.expected_number <= number:
            raise
        number = error.expected_number
        _confirm(ctx, offer, number)
    _spend(lane, number)
    return f"{offer.supplier_name}, invoice {offer.number}"


def _stored(ctx: Context) -> Call | None:
    """An earlier start's confirmation that KRA has: it said so, or offers the invoice no more."""
    calls = ctx.calls("purchase_save")
    accepted = calls.filter(outcome=Call.Outcome.ACCEPTED).last()
    lost = calls.filter(outcome__in=LOST).last()
    if accepted is not None or lost is None:
        return accepted
    sent = msgspec.json.decode(lost.request)
    named = (sent["spplrTin"], sent["spplrBhfId"], sent["spplrInvcNo"])
    offered = {(one.supplier_pin, one.supplier_branch, one.number) for one in _listed(ctx)}
    return None if named in offered else lost


def _spend(lane: Lane, number: int) -> None:
    Lane.objects.filter(pk=lane.pk).update(last_number=Greatest("last_number", number))


def _confirm(ctx: Context, offer: SupplierInvoice, number: int) -> None:
    device, body = ctx.device, _purchase(ctx, offer, number).encode()
    reference = ctx.reference("PUR")
    call = open_call(device, "purchase_save", body, reference=reference, number=number)
    make_call(call, target_for(device), body)


def _purchase(ctx: Context, offer: SupplierInvoice, number: int) -> PurchaseRequest:
    now = timezone.now()
    rates = rates_on(ctx.company.environment, now.astimezone(NAIROBI).date())
    item = ctx.item(GOODS)
    lines = [_purchase_line(line, item, rates[line.tax_letter]) for line in offer.lines]
    return PurchaseRequest(
        **ctx.identity,
        **REGISTRAR,
        **MODIFIER,
        spplrTin=offer.supplier_pin,
        spplrBhfId=offer.supplier_branch,
        spplrNm=offer.supplier_name,
        spplrInvcNo=offer.number,
        invcNo=number,
        orgInvcNo=0,
        pchsTyCd="N",
        rcptTyCd="P",
        pmtTyCd=offer.payment_code or "01",
        pchsSttsCd="02",
        cfmDt=format_instant(now),
        pchsDt=format_date(now),
        totItemCnt=len(lines),
        letters={
            letter: LetterAmount(
                sum((one.taxblAmt for one in lines if one.taxTyCd == letter), ZERO),
                rates[letter],
                sum((one.taxAmt for one in lines if one.taxTyCd == letter), ZERO),
            )
            for letter in LETTERS
        },
        totTaxblAmt=sum((one.taxblAmt for one in lines), ZERO),
        totTaxAmt=sum((one.taxAmt for one in lines), ZERO),
        totAmt=sum((one.totAmt for one in lines), ZERO),
        itemList=lines,
    )


def _purchase_line(line: SupplierLine, item: Item, rate: Decimal) -> PurchaseLine:
    """Own item, and the amounts computed anew: the gateway refuses its own seeds (rules P1, T3)."""
    supply = round_cents(line.price * line.quantity)
    gross = supply - line.discount_amount
    taxable = round_cents(gross * 100 / (100 + rate))
    return PurchaseLine(
        itemSeq=line.sequence,
        itemCd=item.code,
        itemClsCd=item.classification,
        itemNm=item.name,
        spplrItemClsCd=line.class_code or None,
        spplrItemCd=line.item_code or None,
        spplrItemNm=line.name or None,
        pkgUnitCd=item.packaging_unit,
        pkg=Decimal(1),
        qtyUnitCd=item.quantity_unit,
        qty=line.quantity,
        prc=line.price,
        splyAmt=supply,
        dcRt=line.discount_rate,
        dcAmt=line.discount_amount,
        taxblAmt=taxable,
        taxTyCd=line.tax_letter,
        taxAmt=gross - taxable,
        totAmt=gross,
    )


def invoice_details(ctx: Context) -> str:
    """KRA's record of the sale must say what we sent."""
    invoice = ctx.invoice(SALE)
    if invoice is None or invoice.transmission is None:
        raise CaseFailed("no_sale", "The sale of this run is not there.")
    row = invoice.transmission
    message = InvoiceDetailsRequest(**ctx.identity, invcNo=row.number or 0)
    found = handler_for(row.kind).found(row, ctx.ask("invoice_details", message))
    if found is None:
        raise CaseFailed("001", f"KRA does not know invoice number {row.number}.")
    if found.differences:
        raise CaseFailed("conflict", "; ".join(found.differences))
    return f"number {row.number}, equal to what was sent"
