"""Receipts by mail, through a real SMTP server on a socket."""

import io
import socket
import time
from datetime import timedelta

import msgspec
import pypdf
import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from companies.branding.services import change_branding
from core.api import parse
from core.errors import Conflict, Invalid
from kra.records import Signature
from outbox.models import Transmission
from sales import tasks
from sales.acceptance import create_sale
from sales.emails import letters, sending
from sales.emails.services import EmailIsOff, TooManyEmails, request_email
from sales.errors import NotSigned
from sales.messages import SaleMessage
from sales.models import Invoice, ReceiptEmail, ReceiptPrint
from sales.models.emails import ReceiptEmailQuerySet
from sales.schemas import SaleInput, fingerprint_of

from .conftest import read
from .shop import SIGNED_AT, settle, sign
from .smtp_sink import Sink

BUYER = {"name": "Mfano Hotel Ltd", "email": "buyer@example.com"}


@pytest.fixture
def sink(settings):
    server = Sink()
    configure(settings, server.port)
    yield server
    server.close()


def configure(settings, port):
    settings.EMAIL_URL = f"smtp://127.0.0.1:{port}"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_TIMEOUT = 2.0
    settings.DEFAULT_FROM_EMAIL = "Baraka Stores <receipts@baraka.example>"


@pytest.fixture
def sold(sell):
    """A sale that KRA has just accepted, through the handler that records it."""

    def build(reference="T-1", **more):
        sale = sell(reference, **({"customer": BUYER} | more))
        accept_at_kra(sale)
        return read(sale)

    return build


def accept_at_kra(sale, number=7):
    row = Transmission.objects.select_related("lane__device").get(pk=sale.transmission_id)
    row.number = number
    signature = Signature(
        number, number, "A2B3C4D5E6F7G2H3I4J5K6L7M2", "V249J39CFJ48HE2W", SIGNED_AT
    )
    SaleMessage().accepted(row, signature)


def run():
    return sending.send_due(until=time.monotonic() + 20)


def skip_wait():
    ReceiptEmail.objects.update(not_before=timezone.now() - timedelta(seconds=1))


# --- Delivery ---


def test_a_signed_sale_is_mailed_once(sink, sold):
    sale = sold()

    assert [run(), run()] == [1, 0]

    (letter,) = sink.letters
    message = letter.message
    assert letter.recipients == ["<buyer@example.com>"]
    assert message["Subject"] == (
        "SIMULATOR: NOT A TAX INVOICE. TAX INVOICE KRACU0100000001/7 from Baraka Stores"
    )
    assert message["From"] == "Baraka Stores <receipts@baraka.example>"
    text = message.get_body().get_content()
    assert sale.public_url in text
    assert "Total: KES 2,320.00" in text
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == "receipt-T-1.pdf"
    printed = pypdf.PdfReader(io.BytesIO(attached.get_content())).pages[0].extract_text()
    assert "V249-J39C-FJ48-HE2W" in printed
    row = ReceiptEmail.objects.get()
    assert (row.state, row.attempts, row.label, row.error) == ("sent", 1, "CS", "")


def test_it_speaks_kiswahili(sink, sold, device):
    change_branding(device.company, language="sw", footer=["Asante sana"])
    sold()
    run()

    (letter,) = sink.letters
    text = letter.message.get_body().get_content()
    assert "Jumla: KES 2,320.00" in text
    assert "kutoka Baraka Stores" in letter.message["Subject"]


def test_the_mail_carries_a_copy_and_the_till_the_original(sink, sold):
    sale = sold()
    run()

    assert list(ReceiptPrint.objects.values_list("label", "printed_by")) == [("CS", "e-mail")]
    assert not sale.prints.filter(label="NS").exists()


def test_where_no_till_prints_the_mail_may_carry_the_original(sink, sold, settings):
    settings.EMAIL_RECEIPT_ORIGINAL = True
    sold()
    run()

    assert ReceiptEmail.objects.get().label == "NS"


def test_nothing_is_owed_without_an_address_or_without_a_server(sold, settings, sell):
    settings.EMAIL_URL = "smtp://mail.example.com"
    settings.DEFAULT_FROM_EMAIL = "receipts@baraka.example"
    sold(customer={"name": "Walk in"})
    settings.EMAIL_URL = ""
    sold("T-2")

    assert not ReceiptEmail.objects.exists()
    assert tasks.send_emails() == 0


def test_the_acceptance_and_the_mail_are_one(
    sink,
    sell,
):
    sale = sell(customer=BUYER)
    with transaction.atomic():
        accept_at_kra(sale)
        transaction.set_rollback(True)

    assert not ReceiptEmail.objects.exists()


def test_kra_is_not_told_the_address(sell):
    sale = sell(customer=BUYER)

    assert sale.customer_email == "buyer@example.com"
    assert b"buyer@example" not in bytes(sale.transmission.content)


def test_the_buyer_of_a_credit_note_gets_it(sink, sold, credit):
    settle(sold(), "accepted")
    note = credit()
    accept_at_kra(note, 8)

    assert ReceiptEmail.objects.filter(invoice=note, address="buyer@example.com").exists()


# --- Trouble ---


def test_a_server_that_is_down_is_tried_again(settings, sold):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    configure(settings, port)
    sold("T-1")
    sold("T-2")

    assert run() == 0
    first, second = ReceiptEmail.objects.order_by("attempts")
    # The second was not made to wait for a server that is away.
    assert [(x.state, x.attempts) for x in (first, second)] == [("waiting", 0), ("waiting", 1)]
    assert "ConnectionRefused" in second.error
    assert second.not_before > timezone.now() + timedelta(seconds=20)

    sink = Sink(port)
    skip_wait()
    assert run() == 2
    sink.close()
    assert len(sink.letters) == 2
    assert {x.state for x in ReceiptEmail.objects.all()} == {"sent"}


def test_a_sender_killed_between_is_followed_by_another(sink, sold, monkeypatch):
    sold()

    class Killed(BaseException):
        pass

    def die(*_, **__):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(sending, "_record", die)
        with pytest.raises(Killed):
            run()
    assert ReceiptEmail.objects.get().state == "sending"
    assert run() == 0, "nobody else may send within the lease"

    with time_machine.travel(timezone.now() + sending.LEASE + timedelta(seconds=1)):
        assert run() == 1

    first, second = sink.letters
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert [ReceiptEmail.objects.get().state, ReceiptPrint.objects.count()] == ["sent", 1]


def test_a_lost_answer_is_tried_again_under_the_same_id(sink, sold):
    sold()
    sink.orders.drop_after_data = True
    run()
    assert ReceiptEmail.objects.get().state == "waiting"

    sink.orders.drop_after_data = False
    skip_wait()
    run()

    assert len({letter.message["Message-ID"] for letter in sink.letters}) == 1
    assert ReceiptEmail.objects.get().state == "sent"


def test_two_workers_take_different_mails(sink, sold, monkeypatch):
    """Both read the same list of what is due before either claims."""
    sold("T-1")
    sold("T-2")
    seen = list(ReceiptEmail.objects.due(timezone.now()))
    taken = sending.claim(timezone.now())
    assert taken
    monkeypatch.setattr(ReceiptEmailQuerySet, "__getitem__", lambda rows, _: seen, raising=False)

    other = sending.claim(timezone.now())

    assert other
    assert {taken.pk, other.pk} == {row.pk for row in seen}
    assert sending.claim(timezone.now()) is None


def test_a_sender_whose_lease_went_to_another_records_nothing(sink, sold):
    """The other is still sending when the first comes back."""
    sold()
    first = sending.claim(timezone.now())
    skip_wait()
    second = sending.claim(timezone.now())
    assert first
    assert second

    sending.deliver(first)

    kept = ReceiptEmail.objects.get()
    assert (kept.state, kept.attempts) == ("sending", 2)
    sending.deliver(second)
    assert ReceiptEmail.objects.get().state == "sent"


def test_a_late_sender_records_nothing(sink, sold):
    sold()
    row = sending.claim(timezone.now())
    assert row
    skip_wait()
    assert run() == 1

    sending.deliver(row)

    kept = ReceiptEmail.objects.get()
    assert (kept.state, kept.attempts) == ("sent", 2)


@pytest.mark.parametrize(
    ("command", "reply", "state"),
    [
        ("RCPT", "550 no such mailbox", "failed"),
        ("RCPT", "450 come back later", "waiting"),
        ("END", "552 too large", "failed"),
        ("END", "451 later", "waiting"),
        ("MAIL", "550 not you", "waiting"),
        ("HELLO", "421 busy", "waiting"),
    ],
)
def test_a_refusal_for_good_ends_it_and_any_other_does_not(sink, sold, command, reply, state):
    sold()
    sink.orders.replies[command] = reply

    run()

    row = ReceiptEmail.objects.get()
    assert row.state == state
    assert reply[:3] in row.error
    assert (row.finished_at is None) == (state == "waiting")


def test_one_that_cannot_be_rendered_does_not_hold_up_the_others(sink, sold, monkeypatch):
    bad, _ = sold("T-1"), sold("T-2")
    real = letters.letter_of

    def letter_of(invoice, document):
        if invoice.pk == bad.pk:
            raise ValueError("a fault of ours")
        return real(invoice, document)

    monkeypatch.setattr(sending, "letter_of", letter_of)

    assert run() == 2
    assert sorted(ReceiptEmail.objects.values_list("state", flat=True)) == ["sent", "waiting"]


def test_it_gives_up_after_two_days(sink, sold):
    sold()
    sink.orders.replies["RCPT"] = "450 full"
    with time_machine.travel(timezone.now() + timedelta(days=2, minutes=1)):
        run()

    assert ReceiptEmail.objects.get().state == "failed"


def test_the_wait_grows_and_is_bounded(sink, sold):
    sold()
    sink.orders.replies["RCPT"] = "450 full"
    waits = []
    for _ in range(12):
        skip_wait()
        run()
        waits.append((ReceiptEmail.objects.get().not_before - timezone.now()).total_seconds())

    assert [round(x) for x in waits[:3]] == [30, 60, 120]
    assert round(max(waits)) == 7200


# --- By hand ---


def test_it_is_mailed_again_on_request(sink, sold):
    sale = sold()
    run()

    row, is_new = request_email(sale, address="accounts@example.com", by="till")
    again, is_newer = request_email(sale, address="accounts@example.com", by="till")
    run()

    assert (is_new, is_newer, row.pk == again.pk) == (True, False, True)
    assert sink.letters[1].recipients == ["<accounts@example.com>"]


def test_it_is_bounded(sink, sold, settings):
    sale = sold()
    for number in range(settings.EMAIL_RECEIPTS_PER_HOUR - 1):
        request_email(sale, address=f"a{number}@example.com", by="till")

    with pytest.raises(TooManyEmails):
        request_email(sale, address="one-more@example.com", by="till")


def test_a_mailbox_is_bounded_over_all_receipts(sink, sold, settings):
    settings.EMAIL_ADDRESS_PER_HOUR = 2
    first, *others = [sold(f"T-{number}") for number in range(3)]
    run()
    for sale in (first, others[0]):
        request_email(sale, address="flood@example.com", by="till")

    with pytest.raises(TooManyEmails, match="to this address"):
        request_email(others[1], address="flood@example.com", by="till")
    # What signatures owe is not counted, and other mailboxes are not shut.
    assert request_email(others[1], address="other@example.com", by="till")[1]


def test_it_says_why_not(sink, sell, settings):
    with pytest.raises(NotSigned):
        request_email(sell(), address="a@example.com", by="till")
    sale = sell("T-2")
    sign(sale)
    with pytest.raises(Invalid, match="To which address"):
        request_email(read(sale), address="", by="till")
    settings.EMAIL_URL = ""
    with pytest.raises(EmailIsOff) as caught:
        request_email(read(sale), address="a@example.com", by="till")
    assert isinstance(caught.value, Conflict)


# --- Bad addresses ---


@pytest.mark.parametrize(
    "address",
    [
        "buyer", "@example.com", "a@b", "a b@example.com", "a@example.com,b@example.com",
        "a@example.com\nBcc: all@example.com", "a@example.com\r\n\r\nbody", '"a\n"@example.com',
        "Name <a@example.com>", "a@exa_mple.com", "a@-example.com", "é@example.com",
        "a@example.com\n", "a" * 65 + "@example.com", "a@" + "b" * 250 + ".com",
    ],
)  # fmt: skip
def test_no_address_can_hold_more_than_an_address(address):
    body = msgspec.json.encode({
        "reference": "T-1", "lines": [{"item": "KETTLE", "quantity": 1}],
        "customer": {"email": address},
    })  # fmt: skip
    with pytest.raises(Invalid) as caught:
        parse(body, SaleInput)

    assert caught.value.problems[0].field == "customer.email"


@pytest.mark.parametrize("address", ["", "a@example.com", "a.b+c@mail.example.co.ke", "o'k@x.io"])
def test_it_takes_plain_addresses(address):
    sale = {
        "reference": "T",
        "lines": [{"item": "K", "quantity": 1}],
        "customer": {"email": address},
    }

    assert msgspec.convert(sale, SaleInput).customer.email == address


def test_a_name_cannot_add_a_header(sink, sold, device):
    type(device.company).objects.update(name="Evil\r\nBcc: all@example.com\r\n\r\nbody")
    sold()
    run()

    (letter,) = sink.letters
    assert letter.message["Bcc"] is None
    assert letter.recipients == ["<buyer@example.com>"]


def test_sales_of_before_are_still_the_same_sales(device):
    """An address that is not there leaves the fingerprint as it was."""
    line = {"item": "KETTLE", "quantity": "1"}
    plain = msgspec.convert({"reference": "T-1", "lines": [line]}, SaleInput)
    mailed = msgspec.convert(
        {"reference": "T-1", "lines": [line], "customer": {"email": "a@example.com"}}, SaleInput
    )

    assert b'["","",""]' in fingerprint_of(plain)
    assert fingerprint_of(plain) != fingerprint_of(mailed)
    first = create_sale(device, plain)
    assert create_sale(device, plain).is_replay
    assert Invoice.objects.get(pk=first.invoice.pk).customer_email == ""
