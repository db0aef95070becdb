"""The buyer's page behind the promise link: open to whoever holds it, honest before all."""

import re

import pytest

from outbox.models import Status
from sales.models import Invoice
from sales.tests.shop import settle, sign

from .refusals import error_of, snapshot

pytestmark = pytest.mark.django_db

SIGNED = ("Signed by KRA", "Imesainiwa na KRA")
WAITING = ("Waiting for KRA's signature", "Inasubiri sahihi ya KRA")
NOTHING = ("No tax invoice yet", "Bado hakuna ankara ya kodi")


def page_of(till, sale):
    return till.client.get(f"/r/{sale.public_token}/")


def text_of(response):
    return response.content.decode().replace("&#x27;", "'")


def make(till, status):
    """A sale in the state that people see by this word."""
    training = status == "training"
    response = till.post("/api/sales/", till.sale("T-1", training=training))
    sale = Invoice.objects.whole().get(pk=response.json()["id"])
    if status == "signed":
        sign(sale)
    elif status == "voided":
        till.post(f"/api/invoices/{sale.pk}/void/", {"reason": "typed twice"})
    elif status == "superseded":
        settle(sale, Status.REFUSED)
        lines = [{"item": "KETTLE", "quantity": "1"}]
        till.post(f"/api/invoices/{sale.pk}/correct/", {"lines": lines})
    elif status not in ("queued", "training"):
        settle(sale, status)
    assert till.status(sale) == status
    return sale


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ("queued", WAITING),
        ("sending", WAITING),
        ("unknown", WAITING),
        ("conflict", NOTHING),
        ("refused", NOTHING),
        ("voided", NOTHING),
        ("superseded", NOTHING),
        ("training", NOTHING),
        ("signed", SIGNED),
    ],
)
def test_it_says_what_is_true_in_both_languages(till, status, shown):
    response = page_of(till, make(till, status))

    text = text_of(response)
    assert response.status_code == 200
    for heading in (SIGNED, WAITING, NOTHING):
        assert [words in text for words in heading] == [heading == shown] * 2
    assert ("http-equiv" in text) == (shown == WAITING)
    is_signed = status == "signed"
    for proof in ("SCU INFORMATION", "Check with KRA", "etims-sbx.kra.go.ke"):
        assert (proof in text) == is_signed


def test_it_turns_into_the_receipt_under_the_same_link(till):
    sale = make(till, "queued")
    before = page_of(till, sale)

    sign(sale)
    after = page_of(till, sale)

    assert [SIGNED[0] in text_of(page) for page in (before, after)] == [False, True]
    assert "CU INVOICE NUMBER: KRACU0100000001/1" in text_of(after)
    links = re.findall(r'class="check" rel="noopener" href="([^"]+)"', text_of(after))
    assert links == [
        "https://etims-sbx.kra.go.ke/common/link/etims/receipt/"
        "indexEtimsReceiptData?Data=A123456789Z00V249J39CFJ48HE2W"
    ]


@pytest.mark.parametrize("status", ["queued", "refused", "signed"])
def test_its_headers_keep_it_private(till, status):
    response = page_of(till, make(till, status))

    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert response["Cache-Control"] == "no-store"
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert not response.cookies
    assert '<meta name="robots" content="noindex">' in text_of(response)


def test_it_loads_nothing_and_runs_nothing(till):
    text = text_of(page_of(till, make(till, "signed")))

    assert "<script" not in text
    assert re.findall(r"(?:src|@import|url\()", text) == []


def test_it_shows_hostile_texts_as_texts(till):
    hostile = "<script>alert(1)</script>"
    till.company.name = till.company.trade_name = hostile
    till.company.save()
    sale = till.sell("T-1", customer={"name": hostile})

    pending = page_of(till, sale).content.decode()
    sign(sale)
    signed = page_of(till, sale).content.decode()

    for text in (pending, signed):
        assert hostile not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


@pytest.mark.parametrize(
    "token", ["x" * 22, "1", "../../", "%00", "a%00b", "%F0%9F%98%80", "x" * 3000, "' OR 1=1"]
)
def test_it_does_not_know_other_links(till, token):
    make(till, "signed")
    before = snapshot()

    response = till.client.get(f"/r/{token}/")

    assert response.status_code == 404
    error_of(response)
    assert snapshot() == before


def test_its_link_cannot_be_guessed(till):
    tokens = [till.sell(f"T-{number}").public_token for number in range(20)]

    assert len(set(tokens)) == 20
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", token) for token in tokens)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_is_only_read(till, method):
    sale = make(till, "queued")

    assert getattr(till.client, method)(f"/r/{sale.public_token}/").status_code == 405
