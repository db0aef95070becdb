"""From the till to the buyer's mailbox: over HTTP to the simulator, by SMTP to a socket."""

import io
import time

import pypdf
import pytest

from sales import tasks
from sales.emails import sending
from sales.models import ReceiptEmail
from sales.tests.smtp_sink import Sink

pytestmark = pytest.mark.django_db(transaction=True)
BUYER = {"name": "Mfano Hotel Ltd", "email": "buyer@example.com"}


@pytest.fixture
def sink(settings):
    server = Sink()
    settings.EMAIL_URL = f"smtp://127.0.0.1:{server.port}"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.DEFAULT_FROM_EMAIL = "receipts@baraka.example"
    yield server
    server.close()


def send():
    return sending.send_due(until=time.monotonic() + 20)


def test_a_sale_is_mailed_after_kra_has_signed(shop, sink):
    made = shop.post("/api/sales/", shop.sale("T-1", customer=BUYER)).json()
    assert (made["customer_email"], made["receipt_email"]) == ("buyer@example.com", "on_signature")
    assert send() == 0, "nothing is mailed before the signature"

    shop.deliver()
    assert send() == 1

    (letter,) = sink.letters
    signature = shop.ledger()[0]["signature"]
    (attached,) = letter.message.iter_attachments()
    printed = pypdf.PdfReader(io.BytesIO(attached.get_content())).pages[0].extract_text()
    assert signature in printed.replace("-", "")
    path = f"/api/invoices/{made['id']}/email/"
    (row,) = shop.get(path).json()["emails"]
    assert (row["state"], row["address"], row["label"]) == ("sent", "buyer@example.com", "CS")
    assert "buyer@example.com" not in str(shop.ledger())


def test_the_till_has_it_mailed_again(shop, sink):
    sold = shop.sell("T-1")
    path = f"/api/invoices/{sold.pk}/email/"
    assert shop.post(path, {"address": "a@example.com"}).status_code == 409
    shop.deliver()

    missing = shop.post(path, {})
    first = shop.post(path, {"address": "a@example.com"})
    second = shop.post(path, {"address": "a@example.com"})
    send()

    assert (missing.status_code, first.status_code, second.status_code) == (400, 202, 200)
    assert missing.json()["error"]["detail"][0]["field"] == "address"
    assert first.json()["id"] == second.json()["id"]
    assert sink.letters[0].recipients == ["<a@example.com>"]
    answers = [shop.post(path, {"address": f"a{n}@example.com"}).status_code for n in range(6)]
    assert answers == [202, 202, 202, 202, 429, 429]


@pytest.mark.parametrize("address", ["nobody", "a@b.c\nBcc: d@e.f", "a@example.com, b@example.com"])
def test_a_bad_address_names_its_field(shop, address):
    sale = shop.sale("T-1", customer={"email": address})
    sold = shop.post("/api/sales/", sale)

    assert sold.status_code == 400
    assert sold.json()["error"]["detail"][0]["field"] == "customer.email"


def test_without_a_mail_server_it_says_so(shop):
    made = shop.post("/api/sales/", shop.sale("T-1", customer=BUYER)).json()
    shop.deliver()

    answer = shop.post(f"/api/invoices/{made['id']}/email/", {})

    assert made["receipt_email"] == "off"
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "email_off")
    assert not ReceiptEmail.objects.exists()
    assert tasks.send_emails() == 0


@pytest.mark.parametrize(
    ("suffix", "start"),
    [(kind, b"%PDF") for kind in ("pdf", "pdf210", "pdf80", "pdf58")]
    + [(kind, b"\x1b@") for kind in ("escpos", "escpos80", "escpos58")],
)
def test_paper_comes_by_suffix_with_the_companys_branding(shop, suffix, start):
    shop.client.patch(
        "/api/company/branding/",
        {"footer": ["Asante sana"], "paper": "58mm"},
        content_type="application/json",
        headers=shop.headers(),
    )
    sold = shop.sell("T-1")
    path = f"/api/invoices/{sold.pk}/receipt.{suffix}"
    assert shop.get(path).status_code == 409
    shop.deliver()

    answer = shop.get(path)

    assert answer.status_code == 200
    assert answer.content.startswith(start)
    if start == b"%PDF":
        page = pypdf.PdfReader(io.BytesIO(answer.content)).pages[0]
        assert "Asante sana" in page.extract_text()
        widths = {"pdf": 164, "pdf210": 595, "pdf80": 227, "pdf58": 164}
        assert round(page.mediabox.width) == widths[suffix]
    else:
        assert b"Asante sana" in answer.content
