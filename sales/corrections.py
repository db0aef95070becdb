"""The ways out of a state in which a sale is stuck: correct, void, retry."""

import hashlib
from typing import Any

from django.db import transaction
from django.utils import timezone

from core.errors import Problem
from core.events import announce
from devices.models import Device
from outbox.models import Status
from outbox.services import cancel, retry_now

from .acceptance import Accepted, check_device, new_invoice, new_lines, store
from .baskets import read_basket, shortages_of
from .errors import NotCorrectable, NotVoidable, SaleInvalid
from .models import Invoice, Kind, State
from .schemas import SaleContent, SaleInput, fingerprint_of


def correct(invoice: Invoice, data: SaleContent) -> Accepted:
    """Replace a refused sale by a corrected version under the same reference.

    KRA's refusal freed the number, so the new version simply takes the lane's next one. The old
    version is kept. Raises NotCorrectable, SaleInvalid.
    """
    if invoice.kind != Kind.SALE:
        raise NotCorrectable("A credit note is not corrected.", help="Void it and make a new one.")
    _require_refused(invoice)
    device = Device.objects.select_related("company", "branch").get(pk=invoice.device_id)
    check_device(device)
    _require_same_sale(device, data)
    basket = read_basket(device.company, data, fresh=True)
    corrected = new_invoice(
        device,
        data,
        basket,
        reference=invoice.reference,
        version=invoice.version + 1,
        content_hash=_hash(invoice.reference, data),
    )
    with transaction.atomic():
        _leave(invoice, to=State.SUPERSEDED, reason="corrected", error=NotCorrectable)
        held = store(corrected, new_lines(basket), basket.rates, basket.versions)
        if held is None:
            raise NotCorrectable(f"{device.serial} has just stopped selling, or an item changed.")
    return Accepted(corrected, is_replay=False, shortages=shortages_of(basket, held))


def _hash(reference: str, data: SaleContent) -> str:
    fields = {name: getattr(data, name) for name in data.__struct_fields__}
    whole = SaleInput(**(fields | {"reference": reference}))
    return hashlib.sha256(fingerprint_of(whole)).hexdigest()


def _require_refused(invoice: Invoice) -> None:
    row = invoice.transmission
    if not invoice.is_current or row is None or row.status != Status.REFUSED:
        raise NotCorrectable(f"The sale is {invoice.status}.")


def _require_same_sale(device: Device, data: SaleContent) -> None:
    problems = []
    if data.device not in ("", device.serial):
        step = "Leave it out, or void this sale and make another."
        problems.append(Problem("device", f"The sale was made on {device.serial}.", step))
    if data.training:
        step = "Leave it out, or void the sale."
        problems.append(Problem("training", "A sale that was owed to KRA stays owed.", step))
    if problems:
        raise SaleInvalid("The correction is not valid.", problems=problems)


def _leave(invoice: Invoice, *, to: str, reason: str, error: Any) -> None:
    """Take the current version out of use, once. Runs in a transaction."""
    mine = Invoice.objects.filter(pk=invoice.pk, state=State.ACTIVE, is_current=True)
    current = to != State.SUPERSEDED
    now = timezone.now()
    if not mine.update(state=to, state_reason=reason, state_at=now, is_current=current):
        raise error(f"The sale is {Invoice.objects.get(pk=invoice.pk).status}.")
    about = {"document": invoice.pk, "reference": invoice.reference, "version": invoice.version}
    kind = "corrected" if to == State.SUPERSEDED else "voided"
    announce(kind, invoice.device_id, reason=reason, **about)


@transaction.atomic
def void(invoice: Invoice, *, reason: str) -> None:
    """Give up a sale that KRA does not have: refused, never sent, or training.

    Its reference stays taken. Raises NotVoidable or outbox.errors.NotCancellable.
    """
    row = invoice.transmission
    if row is not None and row.status == Status.QUEUED:
        cancel(row)
    elif row is not None and row.status not in (Status.REFUSED, Status.CANCELLED):
        raise NotVoidable(f"The sale is {invoice.status}.")
    _leave(invoice, to=State.VOIDED, reason=reason, error=NotVoidable)


def retry(invoice: Invoice) -> None:
    """Bring the next attempt forward. Raises outbox.errors.NotRetryable."""
    if invoice.transmission is None:
        raise NotVoidable("A training sale is never sent.")
    retry_now(invoice.transmission)
