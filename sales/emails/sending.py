"""Claim → send → record, one mail at a time; no transaction is open while the server answers.

SMTP cannot be asked what became of a mail. One whose sender died, or whose answer was lost, is sent
again: a receipt twice does no harm, and both carry one Message-ID, by which mailboxes know them as
the same. A refusal for good (5xx about this address or mail) ends it; all else is tried again, at
growing intervals, for two days.
"""

import logging
import re
import smtplib
import time
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core import mail
from django.db import transaction
from django.utils import timezone

from sales.models import EmailState, Invoice, Label, ReceiptEmail
from sales.receipts.formats import FORMATS
from sales.receipts.printing import Wanted, document_of, hand_out

from .letters import letter_of

log = logging.getLogger(__name__)
LEASE = timedelta(minutes=5)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=2)
GIVE_UP_AFTER = timedelta(days=2)
UNSAFE = re.compile("[^A-Za-z0-9]+")


def send_due(*, until: float) -> int:
    """Send what is due, while the server answers and time lasts. Returns how many it took."""
    sent = 0
    while time.monotonic() < until:
        row = claim(timezone.now())
        if row is None:
            break
        if not deliver(row):
            # The server is away: the others would only wait for it as well.
            break
        sent += 1
    return sent


def claim(now: datetime) -> ReceiptEmail | None:
    """The oldest that is due, for as long as the lease lasts. Two that try get different ones."""
    due = ReceiptEmail.objects.due(now)
    for row in due[:20]:
        mine = due.filter(pk=row.pk, attempts=row.attempts)
        fence = {"state": EmailState.SENDING, "attempts": row.attempts + 1}
        if mine.order_by().update(**fence, not_before=now + LEASE):
            row.attempts += 1
            return row
    return None


def deliver(row: ReceiptEmail) -> bool:
    """One attempt. False when the server cannot be talked to at all."""
    try:
        _send(row)
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as exc:
        _refused(row, exc)
        return True
    # SMTPException is an OSError; so are time-outs, refused connections and broken TLS.
    except OSError as exc:
        _put_back(row, exc)
        return False
    # The outermost frame of this mail: its fault must not hold up the others.
    except Exception as exc:
        log.exception("a receipt could not be mailed", extra={"email": row.pk})
        _put_back(row, exc)
        return True
    _record(row, state=EmailState.SENT, error="", finished_at=timezone.now())
    return True


def _send(row: ReceiptEmail) -> None:
    invoice = Invoice.objects.whole().get(pk=row.invoice_id)
    label, pdf = _receipt(row, invoice)
    document = document_of(invoice, label)
    subject, text = letter_of(invoice, document)
    _, sender = parseaddr(settings.DEFAULT_FROM_EMAIL)
    message = mail.EmailMessage(
        subject,
        text,
        to=[row.address],
        headers={
            "Message-ID": f"<receipt-{row.pk}.{invoice.public_token}@{sender.partition('@')[2]}>",
            "Auto-Submitted": "auto-generated",
        },
        connection=mail.get_connection(),
    )
    message.attach(_file_name(invoice), pdf, "application/pdf")
    message.send()


def _receipt(row: ReceiptEmail, invoice: Invoice) -> tuple[Label, bytes]:
    """The same piece of paper with every attempt."""
    pdf = FORMATS["pdf"]
    if row.label:
        label = Label(row.label)
        return label, pdf.render(document_of(invoice, label))
    wanted = Wanted(
        pdf, by="e-mail", print_id=f"email-{row.pk}", is_copy=not settings.EMAIL_RECEIPT_ORIGINAL
    )
    with transaction.atomic():
        handed = hand_out(invoice, wanted)
        _mine(row).update(label=handed.label)
    return handed.label, handed.body


def _file_name(invoice: Invoice) -> str:
    return f"receipt-{UNSAFE.sub('-', invoice.reference)}.pdf"


def _mine(row: ReceiptEmail) -> Any:
    return ReceiptEmail.objects.filter(pk=row.pk, state=EmailState.SENDING, attempts=row.attempts)


def _record(row: ReceiptEmail, **changes: Any) -> None:
    _mine(row).update(**changes)


def _refused(row: ReceiptEmail, exc: Exception) -> None:
    """For good, or (4xx: full mailbox, greylisting) for now."""
    if is_final(exc):
        _record(row, state=EmailState.FAILED, error=_words(exc), finished_at=timezone.now())
    else:
        _put_back(row, exc)


def is_final(exc: Exception) -> bool:
    if isinstance(exc, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in exc.recipients.values())
    return isinstance(exc, smtplib.SMTPDataError) and exc.smtp_code >= 500


def _put_back(row: ReceiptEmail, exc: Exception) -> None:
    now = timezone.now()
    if now - row.created_at > GIVE_UP_AFTER:
        _record(row, state=EmailState.FAILED, error=_words(exc), finished_at=now)
        return
    # Doubled no more often than it takes to reach the longest.
    wait = min(FIRST_WAIT * 2 ** min(row.attempts - 1, 10), LONGEST_WAIT)
    _record(row, state=EmailState.WAITING, error=_words(exc), not_before=now + wait)


def _words(exc: Exception) -> str:
    text = " ".join(f"{type(exc).__name__}: {exc}".split())
    return "".join(each if each.isprintable() else "?" for each in text)[:400]
