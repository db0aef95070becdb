"""The buyer's page behind the promise link: open to whoever holds it, honest before all."""

import base64
import hashlib
import re
import uuid
from io import BytesIO

import pytest
import zxingcpp
from PIL import Image

from outbox.models import Status
from sales.models import Invoice
from sales.tests.shop import settle, sign

from .refusals import error_of, snapshot

pytestmark = pytest.mark.django_db

SIGNED = ("Signed by a simulator, not by KRA", "Imesainiwa na simulator, si KRA")
WAITING = ("Waiting for KRA's signature", "Inasubiri sahihi ya KRA")
REFUSED = ("Not accepted by KRA", "Haijakubaliwa na KRA")
CONFLICT = ("Not signed: being checked", "Haijasainiwa: inachunguzwa")
VOIDED = ("Cancelled by the seller", "Imefutwa na muuzaji")
CORRECTED = ("Corrected by the seller", "Imesahihishwa na muuzaji")
TRAINING = ("Training: nothing was sold", "Mafunzo: hakuna kilichouzwa")
EVERY = (SIGNED, WAITING, REFUSED, CONFLICT, VOIDED, CORRECTED, TRAINING)
REFRESHED = (WAITING, REFUSED, CONFLICT)


def page_of(till, sale, query="", **headers):
    return till.client.get(f"/r/{sale.public_token}/{query}", headers=headers)


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
        ("conflict", CONFLICT),
        ("refused", REFUSED),
        ("voided", VOIDED),
        ("superseded", CORRECTED),
        ("training", TRAINING),
        ("signed", SIGNED),
    ],
)
def test_it_says_what_is_true_in_both_languages(till, status, shown):
    sale = make(till, status)

    for place, language in enumerate(("en", "sw")):
        response = page_of(till, sale, f"?lang={language}")
        text = text_of(response)
        assert response.status_code == 200
        assert f'<html lang="{language}">' in text
        assert [words[place] in text for words in EVERY] == [words is shown for words in EVERY]
        assert ("http-equiv" in text) == (shown in REFRESHED)
        for proof in ("SCU INFORMATION", "V249-J39C-FJ48-HE2W"):
            assert (proof in text) == (status == "signed")


@pytest.mark.parametrize(
    ("asked", "accepted", "spoken"),
    [
        ("", "", "en"),
        ("", "sw-KE,sw;q=0.9,en;q=0.8", "sw"),
        ("", "en-GB,sw;q=0.5", "en"),
        ("", "fr,sw;q=0.3", "sw"),
        ("", "fr", "en"),
        ("", "sw;q=0", "en"),
        ("?lang=sw", "en", "sw"),
        ("?lang=en", "sw", "en"),
        ("?lang=xx", "sw", "sw"),
        ("?lang=%00", ";;q=,", "en"),
    ],
)
def test_it_speaks_the_buyers_language(till, asked, accepted, spoken):
    response = page_of(till, make(till, "queued"), asked, **{"Accept-Language": accepted})

    assert f'<html lang="{spoken}">' in text_of(response)
    assert response["Vary"] == "Accept-Language"


@pytest.mark.parametrize(
    ("environment", "heading"),
    [("production", "Signed by KRA"), ("sandbox", "Signed in KRA&#x27;s sandbox")],
)
def test_it_leads_to_kras_own_check(till, environment, heading):
    sale = make(till, "signed")
    type(till.company).objects.update(environment=environment)

    text = page_of(till, sale).content.decode()

    host = "etims" if environment == "production" else "etims-sbx"
    assert heading in text
    assert re.findall(r'rel="noopener" href="([^"]+)"', text) == [
        f"https://{host}.kra.go.ke/common/link/etims/receipt/"
        "indexEtimsReceiptData?Data=A123456789Z00V249J39CFJ48HE2W"
    ]


def test_it_leads_from_a_corrected_sale_to_the_right_one(till):
    old = make(till, "superseded")
    new = Invoice.objects.get(reference="T-1", is_current=True)

    assert f'href="{new.public_url}"' in text_of(page_of(till, old))


def test_it_tells_that_a_signed_sale_was_credited(till):
    sale = make(till, "signed")
    note = {"device": "dvcv1130", "reference": "C-1", "original": "T-1"}
    note = Invoice.objects.whole().get(pk=till.post("/api/credit-notes/", note).json()["id"])
    before = text_of(page_of(till, sale))

    sign(note)

    assert "KRACU0100000001/2" not in before
    assert "KRACU0100000001/2 · KES\u00a0-4,320.00" in text_of(page_of(till, sale))


def test_looking_does_not_take_the_original_away(till):
    sale = make(till, "signed")

    for _ in range(3):
        text = text_of(page_of(till, sale))
        assert "1/1 CS" in text
        assert "NOT AN OFFICIAL RECEIPT" in text
    printed = till.get(f"/api/invoices/{sale.pk}/receipt.txt")

    assert printed["Receipt-Label"] == "NS"
    rows = till.get(f"/api/invoices/{sale.pk}/prints/").json()["prints"]
    assert [(row["printed_by"], row["label"]) for row in rows][0] == ("buyer page", "CS")
    assert [row["label"] for row in rows] == ["CS", "NS"]


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_its_own_qr_code_can_be_shown_before_anything_is_signed(till, kind):
    sale = make(till, "queued")
    links = till.get(f"/api/invoices/{sale.pk}/").json()["links"]

    response = till.client.get(f"/r/{sale.public_token}/qr.{kind}")

    assert links["qr"] == f"{sale.public_url}qr.svg"
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    if kind == "png":
        picture = Image.open(BytesIO(response.content)).convert("L")
        assert [code.text for code in zxingcpp.read_barcodes(picture)] == [sale.public_url]
    assert till.client.get(f"/r/{'x' * 22}/qr.{kind}").status_code == 404


def test_guessing_links_ends(till, settings):
    settings.API_WRONG_TOKEN_LIMIT = "3/hour"
    sale = make(till, "queued")
    address = {"REMOTE_ADDR": f"2001:db8::{uuid.uuid4().hex[:4]}"}

    codes = [till.client.get(f"/r/{'x' * 22}/", **address).status_code for _ in range(4)]

    assert codes == [404, 404, 404, 429]
    refused = till.client.get("/r/other/", **address)
    assert error_of(refused)["code"] == "throttled"
    assert refused["Retry-After"] == "60"
    # A shop's buyers share an address: the right link is always answered.
    assert till.client.get(f"/r/{sale.public_token}/", **address).status_code == 200


def test_it_turns_into_the_receipt_under_the_same_link(till):
    sale = make(till, "queued")
    before = page_of(till, sale)

    sign(sale)
    after = page_of(till, sale)

    assert [SIGNED[0] in text_of(page) for page in (before, after)] == [False, True]
    assert "<dt>CU INVOICE NUMBER:</dt><dd>KRACU0100000001/1</dd>" in text_of(after)


@pytest.mark.parametrize("status", ["queued", "refused", "signed"])
def test_its_headers_keep_it_private(till, status):
    response = page_of(till, make(till, status))

    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert response["Cache-Control"] == "no-store"
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    policy = response["Content-Security-Policy"]
    style = re.search(r"<style>(.*?)</style>", response.content.decode(), re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;")
    assert not response.cookies
    assert '<meta name="robots" content="noindex">' in text_of(response)


def test_it_loads_nothing_and_runs_nothing(till):
    text = text_of(page_of(till, make(till, "signed")))

    assert "<script" not in text
    assert " style=" not in text
    # The only address it draws from is a pattern of its own.
    assert set(re.findall(r"(?:src=|@import|url\([^)]*\))", text)) == {"url(#mark)"}


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


@pytest.mark.parametrize("status", ["queued", "refused", "conflict", "voided", "superseded"])
def test_a_credit_note_that_waits_is_not_called_a_sale(till, status):
    make(till, "signed")
    body = {"device": till.device.serial, "reference": "C-1", "original": "T-1"}
    note = Invoice.objects.whole().get(pk=till.post("/api/credit-notes/", body).json()["id"])
    if status in ("voided", "superseded"):
        Invoice.objects.filter(pk=note.pk).update(state=status)
    elif status != "queued":
        settle(note, status)
    assert till.status(note) == status

    english, kiswahili = (text_of(page_of(till, note, f"?lang={each}")) for each in ("en", "sw"))

    assert "Credit note, total: KES\u00a0-4,320.00" in english
    assert "Hati ya kurejesha, jumla: KES\u00a0-4,320.00" in kiswahili
    assert "credit note" in english
    assert "hati hii ya kurejesha" in kiswahili.lower()
    for text in (english, kiswahili):
        assert "SCU INFORMATION" not in text
        assert not re.search(r"this sale|tax invoice|mauzo haya\b(?! si)|ankara", text)


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
