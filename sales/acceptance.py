"""Accept a sale: the invoice, its lines and the debt to KRA in one short transaction."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, NoReturn
from urllib.parse import quote

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from core.errors import DomainError, Problem
from devices.models import SELLING, Device
from items.models import StockLevel
from items.services import Shortage
from outbox.models import Stream
from outbox.services import lane_id_of, owe, ring_after_commit

from .baskets import Basket, read_basket, shortages_of
from .errors import NotReady, ReferenceReused, SaleInvalid
from .messages import content_of
from .models import LETTERS, Invoice, InvoiceLine, Kind
from .schemas import SaleContent, SaleInput, fingerprint_of
from .statements import insert_sale, stored_name
from .words import PAYMENT_METHODS, code_of


@dataclass(frozen=True, slots=True)
class Accepted:
    invoice: Invoice
    is_replay: bool
    shortages: Sequence[Shortage] = ()


def create_sale(device: Device, data: SaleInput) -> Accepted:
    """Store a sale and owe it to KRA: both, or neither.

    The same reference with the same content returns the first sale. Raises SaleInvalid, NotReady,
    and ReferenceReused when the content differs.
    """
    digest = hashlib.sha256(fingerprint_of(data)).hexdigest()
    # The second time only when an item has changed since this process read it.
    accepted = _sell(device, data, digest) or _sell(device, data, digest, fresh=True)
    return accepted or _nothing_stored(device, data.reference)


def _sell(device: Device, data: SaleInput, digest: str, *, fresh: bool = False) -> Accepted | None:
    try:
        check_device(device)
        basket = read_basket(device.company, data, fresh=fresh or data.training)
    except DomainError:
        # What was accepted once is answered again, whatever has changed since.
        earlier = find_replay(device, data.reference, digest)
        if earlier is None:
            raise
        return Accepted(earlier, is_replay=True)
    invoice = new_invoice(device, data, basket, reference=data.reference, content_hash=digest)
    held = store(invoice, new_lines(basket), basket.rates, basket.versions)
    made = _earlier(invoice) if held is None else Accepted(invoice, is_replay=False)
    if made is None or data.training:
        return made
    held = _held(device, basket) if held is None else held
    return replace(made, shortages=shortages_of(basket, held))


def check_device(device: Device) -> None:
    """Raise NotReady when it does not sell. What was read a while ago is read again before a no;
    before a yes the insert itself looks.
    """
    state = device.state
    if state not in SELLING:
        state = Device.objects.values_list("state", flat=True).get(pk=device.pk)
    if state not in SELLING:
        raise NotReady(
            f"The device {device.serial} is {state}.",
            help="Initialise it (POST /api/device/init/) or resume it.",
        )


def find_replay(device: Device, reference: str, content_hash: str) -> Invoice | None:
    """The sale this reference already names. Raises ReferenceReused for other content."""
    versions = Invoice.objects.filter(branch_id=device.branch_id, reference=reference)
    known = set(versions.values_list("content_hash", "device_id"))
    if not known:
        return None
    # Two tills that count alike may sell alike: what one sold is no answer to the other.
    if (content_hash, device.pk) not in known:
        step = (
            f"See what is stored: GET /api/invoices/?reference={quote(reference)}. Is it this very"
            " sale, send nothing more; if it is another, use a new reference."
        )
        problem = Problem("reference", "It names a document with other content.", step)
        raise ReferenceReused(
            f"The reference {reference!r} was used for other content.", problems=[problem]
        )
    return versions.whole().get(is_current=True)


def new_invoice(device: Device, data: SaleContent, basket: Basket, **fields: Any) -> Invoice:
    """The unsaved invoice of a basket."""
    sums = basket.totals
    invoice = Invoice(
        company=device.company,
        branch=device.branch,
        device=device,
        kind=Kind.SALE,
        is_training=data.training,
        sold_at=data.sold_at or timezone.now(),
        customer_pin=data.customer.pin,
        customer_name=data.customer.name,
        customer_phone=data.customer.phone,
        customer_email=data.customer.email,
        payment_method=code_of(data.payment_method, PAYMENT_METHODS) or "",
        remark=data.remark,
        currency=data.currency,
        exchange_rate=data.exchange_rate,
        prices_include_tax=basket.prices_include_tax,
        total=sums.total,
        taxable=sums.total_taxable,
        tax=sums.total_tax,
        discount=sums.discount,
        **{f"taxable_{letter.lower()}": sums.taxable[letter] for letter in LETTERS},
        **{f"tax_{letter.lower()}": sums.tax[letter] for letter in LETTERS},
        **fields,
    )
    if invoice.customer_pin and not invoice.customer_name:
        invoice.customer_name = stored_name(invoice)
    return invoice


def new_lines(basket: Basket) -> list[InvoiceLine]:
    together = zip(basket.items, basket.lines, basket.amounts, strict=True)
    return [
        InvoiceLine(
            sequence=sequence,
            item=item,
            name=item.name,
            quantity=line.quantity,
            unit_price=amounts.unit_price,
            supply=amounts.supply,
            discount_percent=amounts.discount_percent,
            discount=amounts.discount,
            letter=line.letter,
            rate=line.rate,
            taxable=amounts.taxable,
            tax=amounts.tax,
            total=amounts.total,
        )
        for sequence, (item, line, amounts) in enumerate(together, start=1)
    ]


def store_once(invoice: Invoice, lines: list[InvoiceLine], rates: Any) -> Accepted:
    """Store, unless the reference names a sale already: then that sale."""
    if store(invoice, lines, rates, {}) is not None:
        return Accepted(invoice, is_replay=False)
    return _earlier(invoice) or _nothing_stored(invoice.device, invoice.reference)


def _earlier(invoice: Invoice) -> Accepted | None:
    earlier = find_replay(invoice.device, invoice.reference, invoice.content_hash)
    return None if earlier is None else Accepted(earlier, is_replay=True)


def _nothing_stored(device: Device, reference: str) -> NoReturn:
    """Neither this sale nor another one of its reference."""
    check_device(Device.objects.get(pk=device.pk))
    raise ReferenceReused(f"The reference {reference!r}, or an item, is being changed just now.")


def store(
    invoice: Invoice, lines: list[InvoiceLine], rates: Any, versions: Mapping[int, str]
) -> Mapping[int, Decimal] | None:
    """Insert the debt, the invoice and its lines, all or nothing; ring once that is committed, if
    the lane was idle. Else somebody drains it, or it waits for what a ring would not change; should
    he leave in this very moment, the next sweep rings.

    Returns what KRA holds of the items in `versions`. None when the reference is taken, the device
    does not sell, or an item has another version: then nothing was stored.
    """
    remember_parts(invoice, lines)
    if invoice.is_training:
        return {} if _store_training(invoice, lines) else None
    now = invoice.created_at = timezone.now()
    row = owe(
        lane_id=lane_id_of(invoice.device_id, Stream.FISCAL),
        kind="sale",
        reference=invoice.reference,
        content=content_of(invoice, lines, rates),
        deadline_at=now + timedelta(hours=settings.SALES_DEADLINE_HOURS),
    )
    row.created_at = now
    stored = insert_sale(invoice, row, lines, versions)
    if stored is None:
        return None
    if stored.is_alone:
        ring_after_commit(row.lane_id)
    return stored.held


def _store_training(invoice: Invoice, lines: list[InvoiceLine]) -> bool:
    try:
        with transaction.atomic():
            invoice.save(force_insert=True)
            for line in lines:
                line.invoice = invoice
            InvoiceLine.objects.bulk_create(lines)
    except IntegrityError:
        return False
    return True


def remember_parts(invoice: Invoice, lines: list[InvoiceLine]) -> None:
    """Spare the answer queries for what was just stored, and for the receipt that cannot be."""
    invoice._prefetched_objects_cache = {"lines": lines}  # type: ignore[attr-defined]
    Invoice._meta.get_field("receipt").set_cached_value(invoice, None)


def preview(
    device: Device, data: SaleContent
) -> tuple[Basket | None, list[Problem], list[Shortage]]:
    """The computed split, every problem, and what KRA holds too little of; nothing is stored."""
    problems = []
    try:
        check_device(device)
    except NotReady as error:
        problems.append(Problem("device", error.message, error.help))
    try:
        basket = read_basket(device.company, data, fresh=True)
    except SaleInvalid as error:
        return None, problems + error.problems, []
    short = [] if data.training else shortages_of(basket, _held(device, basket))
    return basket, problems, short


def _held(device: Device, basket: Basket) -> dict[int, Decimal]:
    return StockLevel.objects.held_by_kra(branch_id=device.branch_id, item_ids=basket.versions)
