"""Cases that read KRA's books: they must say what ours say."""

import time
from datetime import date, datetime

from django.utils import timezone

from devices.calls import exchange
from kra.requests import TaxpayerInfoRequest
from kra.times import NAIROBI
from outbox.handlers import handler_for
from sales.models import Difference, Reconciliation, Verdict
from sales.reconciliation import runs

from .context import CaseFailed, Context
from .services import SALE

BY = "certification"


def invoice_details(ctx: Context) -> str:
    """The look-up of a lost answer: KRA's record of the sale must say what we sent."""
    invoice = ctx.invoice(SALE)
    if invoice is None or invoice.transmission is None:
        raise CaseFailed("no_sale", "The sale of this run is not there.")
    row = invoice.transmission
    handler = handler_for(row.kind)
    row.lane.device = ctx.device
    body = handler.lookup_body(row)
    reply = exchange(ctx.device, "invoice_details", body, reference=row.reference)
    found = handler.found(row, reply)
    if found is None:
        raise CaseFailed("001", f"KRA does not know invoice number {row.number}.")
    if found.differences:
        raise CaseFailed("conflict", "; ".join(found.differences))
    return f"number {row.number}, equal to what was sent"


def sales_list(ctx: Context) -> str:
    """The days of this run, compared as every night. A difference is a case in our books and no
    failure: KRA asks for its list to be read, and a sandbox may hold another system's sales.
    """
    run = compare(ctx)
    if run.finished_at is None:
        raise CaseFailed("not_compared", run.reason)
    if run.verdict == Verdict.MATCHES:
        return "our books and KRA's agree"
    count = run.differences.filter(state=Difference.State.OPEN).count()
    return f"{run.verdict}: {count} differences, GET /api/reconciliations/{run.pk}/ shows them"


def compare(ctx: Context) -> Reconciliation:
    first, last = _day(ctx.state.started_at), _day(timezone.now())
    run = runs.start(ctx.device, first, last, by=BY)
    runs.advance(run.pk, until=time.monotonic() + ctx.seconds())
    run.refresh_from_db()
    return run


def _day(moment: datetime) -> date:
    return moment.astimezone(NAIROBI).date()


# No service of ours asks these two: they exist for KRA's test alone.


def customer_list(ctx: Context) -> None:
    ctx.ask_for_all("customer_list")


def taxpayer_info(ctx: Context) -> None:
    ctx.ask("taxpayer_info", TaxpayerInfoRequest(**ctx.identity))
