"""Cases that our own services do: through catalogue, stock, sales and the outbox."""

from decimal import Decimal
from typing import Any

import msgspec
from django.utils import timezone

from companies.models import ApiToken, Scope
from core.errors import Problem
from devices.errors import InitialisationLost
from devices.initialisation import adopt, initialise, is_in_doubt
from devices.models import Device
from items import services as items
from items.errors import ItemNotRetryable
from items.models import Item, StockMovement
from items.models.lists import CLASSIFICATIONS, CODES
from items.rows import ItemRow
from items.services import Adjustment, Ordered
from items.services.editing import compose
from outbox.models import Stream
from sales import corrections
from sales.acceptance import create_sale
from sales.credit_notes import create_credit_note
from sales.models import Invoice
from sales.schemas import CreditNoteInput, SaleInput

from .context import CaseFailed, Context

GOODS, COMPONENT, SERVICE = "KETTLE", "ELEMENT", "FITTING"
SALE, CREDIT_NOTE, COUNT, WASTE = "INV", "CRN", "CNT", "WST"
# The one classification that every environment has been seen to offer (rule I4).
COMMON: dict[str, Any] = {"classification": "1000000000", "tax": "B", "quantity_unit": "NO"}
CATALOGUE: dict[str, dict[str, Any]] = {
    GOODS: {"name": "Electric kettle 1.7 l", "price": "2320.00", "packaging_unit": "CT"},
    COMPONENT: {
        "name": "Heating element 2 kW",
        "price": "580.00",
        "packaging_unit": "CT",
        "product_type": "raw",
    },
    SERVICE: {"name": "Fitting on site", "price": "1160.00", "product_type": "service"},
}
OPENING_STOCK = "50"
MOST_CREDIT_NOTES = 9


def init(ctx: Context) -> str:
    """Never twice: KRA gives the key out once, and repeats corrupt sandbox accounts (rule A2)."""
    known = Device.objects.filter(company=ctx.company, serial=ctx.state.serial).first()
    if known is not None and known.state == Device.State.ACTIVE:
        return _not_repeated(known)
    if known is not None and adopt(known) is None and is_in_doubt(known):
        raise InitialisationLost(
            "An earlier initialisation of this device may have reached KRA; it is not repeated.",
            help="If you hold its key, run manage.py import_device_key and start again. If not, "
            "ask KRA's eTIMS support whether the device is installed; manage.py init_device "
            "calls once more, on your own decision.",
        )
    device = initialise(company=ctx.company, branch=ctx.branch, serial=ctx.state.serial)
    return f"control unit {device.scu_id}"


def _not_repeated(device: Device) -> str:
    when = f"{device.initialised_at:%d/%m/%Y}" if device.initialised_at else "earlier"
    return f"initialised {when} and not repeated; control unit {device.scu_id}"


def code_list(ctx: Context) -> None:
    items.pull_list(ctx.device, CODES, everything=True)


def item_class_list(ctx: Context) -> None:
    items.pull_list(ctx.device, CLASSIFICATIONS, everything=True)


def item_list(ctx: Context) -> None:
    """Which item numbers KRA holds: the catalogue goes on from there."""
    before = ctx.calls("item_list").count()
    items.introduce(ctx.company, ctx.device)
    if ctx.calls("item_list").count() == before:
        items.recount(ctx.company)


def item_save(ctx: Context) -> str:
    """Goods, a component and a service, and the stock that a sale and a composition need."""
    rows = [msgspec.convert(_row(ctx, sku), ItemRow) for sku in CATALOGUE]
    with_problems = [one for one in items.sync_items(ctx.company, ctx.device, rows) if one.problems]
    if with_problems:
        raise CaseFailed("row_refused", _words(with_problems[0].problems))
    saved = [_register(ctx, sku) for sku in CATALOGUE]
    deliver_stock(ctx)
    return f"{len(saved)} items: {', '.join(item.code for item in saved)}"


def _row(ctx: Context, sku: str) -> dict[str, Any]:
    row = COMMON | CATALOGUE[sku] | {"sku": ctx.reference(sku)}
    row["price"] = Decimal(row["price"])
    return row if sku == SERVICE else row | {"opening_stock": Decimal(OPENING_STOCK)}


def _words(problems: list[Problem]) -> str:
    return "; ".join(f"{one.field}: {one.reason} {one.next_step}".strip() for one in problems)


def _register(ctx: Context, sku: str) -> Item:
    item = ctx.item(sku)
    if item.state == "refused":
        items.retry_item(item)
        item = ctx.item(sku)
    if item.transmission is None:
        raise ItemNotRetryable(
            f"{item.name} is not owed to KRA.",
            help="The head office needs an active device: manage.py init_device.",
        )
    ctx.deliver(item.transmission)
    return ctx.item(sku)


def item_composition_save(ctx: Context) -> str:
    part = compose(ctx.item(GOODS), ctx.reference(COMPONENT), Decimal(1)).part
    ctx.deliver(part.transmission)
    return f"1 x {CATALOGUE[COMPONENT]['name']} in each {CATALOGUE[GOODS]['name']}"


def deliver_stock(ctx: Context) -> None:
    """Bring the movements of the run's items to KRA, with the level of each item after them."""
    skus = [ctx.reference(sku) for sku in CATALOGUE]
    lines = StockMovement.objects.filter(company=ctx.company, lines__item__sku__in=skus)
    for refused in lines.filter(state=StockMovement.State.REFUSED).distinct():
        items.retry_movement(refused)
    ctx.deliver_lane(Stream.STOCK)
    undone = lines.exclude(state=StockMovement.State.ACCEPTED).select_related("transmission")
    movement = undone.first()
    if movement is not None:
        row = movement.transmission
        code = row.error_code if row else movement.state
        raise CaseFailed(code or movement.state, row.error_message if row else "")


def sales_save(ctx: Context) -> str:
    lines = [
        {"item": ctx.reference(GOODS), "quantity": Decimal(2)},
        {"item": ctx.reference(SERVICE), "quantity": Decimal(1)},
    ]
    buyer = {"pin": ctx.buyer.pin, "name": ctx.buyer.name}
    sale = {"reference": ctx.reference(SALE), "lines": lines, "customer": buyer}
    data = msgspec.convert(sale, SaleInput)
    known = ctx.invoice(SALE)
    if known is not None and known.status == "refused":
        return _sign(ctx, corrections.correct(known, data).invoice)
    return _sign(ctx, create_sale(ctx.device, data).invoice)


def _sign(ctx: Context, invoice: Invoice) -> str:
    if invoice.transmission is None:
        raise CaseFailed("training", "A training sale is never sent.")
    ctx.deliver(invoice.transmission)
    signed = Invoice.objects.whole().get(pk=invoice.pk)
    return f"{signed.reference} signed: {signed.receipt}"


def credit_note(ctx: Context) -> str:
    """One of the two kettles comes back: KRA wants to see a credit note's copy."""
    token = ApiToken(company=ctx.company, scopes=[Scope.SALES_WRITE.value])
    note = {
        "reference": _free_note(ctx),
        "original": ctx.reference(SALE),
        "reason": "refund",
        "lines": [{"line": 1, "quantity": Decimal(1)}],
    }
    accepted = create_credit_note(ctx.device, msgspec.convert(note, CreditNoteInput), token)
    signed = _sign(ctx, accepted.invoice)
    deliver_stock(ctx)  # nothing of the run is left behind: the simulator may end with it
    return signed


def _free_note(ctx: Context) -> str:
    """A refused credit note is not corrected: it is voided, and another one made."""
    for place in range(1, MOST_CREDIT_NOTES + 1):
        kind = CREDIT_NOTE if place == 1 else f"{CREDIT_NOTE}{place}"
        known = ctx.invoice(kind)
        if known is not None and known.status == "refused":
            corrections.void(known, reason="Refused by KRA during certification")
        elif known is None or known.status != "voided":
            return ctx.reference(kind)
    raise CaseFailed("refused", f"KRA has refused {MOST_CREDIT_NOTES} credit notes.")


def stock_master_save(ctx: Context) -> str:
    return _adjust(ctx, "adjustment_in", COUNT, "Found at the stock count")


def stock_io_save(ctx: Context) -> str:
    return _adjust(ctx, "waste", WASTE, "Broken in the store")


def _adjust(ctx: Context, type: str, kind: str, reason: str) -> str:
    line = Ordered(ctx.reference(GOODS), Decimal(1), None)
    order = Adjustment(type, ctx.reference(kind), [line], reason, timezone.now())
    items.adjust_stock(ctx.device, order)
    deliver_stock(ctx)
    return f"{type}: 1 x {CATALOGUE[GOODS]['name']}"
