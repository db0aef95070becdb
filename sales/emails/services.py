"""Ask for a receipt to be mailed."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from core.errors import Conflict, DomainError, Invalid, Problem
from sales.models import Invoice, ReceiptEmail, emails_are_on
from sales.models.emails import OPEN
from sales.receipts.document import signed_receipt


class EmailIsOff(Conflict):
    code = "email_off"
    help = "The operator sets EMAIL_URL and DEFAULT_FROM_EMAIL. Give the buyer the public link."


class TooManyEmails(DomainError):
    status = 429
    code = "too_many_emails"
    help = "Wait an hour, or give the buyer the public link."


def request_email(invoice: Invoice, *, address: str, by: str) -> tuple[ReceiptEmail, bool]:
    """Owe a mail to the address, or to the sale's own; False when one to it is waiting already.

    Raises EmailIsOff, NotSigned, Invalid without any address, TooManyEmails.
    """
    signed_receipt(invoice)
    if not emails_are_on():
        raise EmailIsOff("This installation sends no mail.")
    address = address or invoice.customer_email
    if not address:
        problem = Problem("address", "The sale has none either.", "Send the buyer's address.")
        raise Invalid("To which address?", problems=[problem])
    with transaction.atomic():
        # Two that ask at once are counted one after the other.
        Invoice.objects.select_for_update(no_key=True).only("pk").get(pk=invoice.pk)
        return _owe(invoice, address, by)


def _owe(invoice: Invoice, address: str, by: str) -> tuple[ReceiptEmail, bool]:
    mine, now = ReceiptEmail.objects.filter(invoice=invoice), timezone.now()
    waiting = mine.filter(address=address, state__in=OPEN).first()
    if waiting is not None:
        return waiting, False
    recent = mine.filter(created_at__gt=now - timedelta(hours=1)).count()
    if recent >= settings.EMAIL_RECEIPTS_PER_HOUR:
        raise TooManyEmails(f"This receipt was mailed {recent} times within the hour.")
    _check_address(invoice.company_id, address, now)
    row = ReceiptEmail.objects.create(
        company_id=invoice.company_id,
        invoice=invoice,
        address=address,
        requested_by=by,
        not_before=now,
        created_at=now,
    )
    return row, True


def _check_address(company_id: int, address: str, now: datetime) -> None:
    """Nobody's mailbox is flooded, by however many receipts. Raises TooManyEmails.

    What the sale itself owed its buyer is not counted: that is one mail per signature. Two requests
    at one moment may both pass; a bound against floods need not be exact.
    """
    asked = ReceiptEmail.objects.filter(
        company_id=company_id, address=address, created_at__gt=now - timedelta(hours=1)
    ).exclude(requested_by="")
    most = settings.EMAIL_ADDRESS_PER_HOUR
    if asked[:most].count() >= most:
        raise TooManyEmails(f"{most} receipts were mailed to this address within the hour.")
