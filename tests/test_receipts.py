"""Receipts through the API: formats, refusals, and the ways out of a cashier."""

from io import BytesIO

import pytest
import zxingcpp
from PIL import Image

from outbox.models import Transmission
from sales.models import Invoice, ReceiptPrint
from sales.receipts.formats import FORMATS, MEDIA_TYPES
from sales.tests.shop import sign

from .refusals import error_of, fields_of, snapshot

pytestmark = pytest.mark.django_db


@pytest.fixture
def sale(till):
    made = till.sell("T-1")
    sign(made)
    return Invoice.objects.whole().get(pk=made.pk)


@pytest.fixture
def ask(till, sale):
    def build(rest="/", **headers):
        path = f"/api/invoices/{sale.pk}/receipt{rest}"
        return till.client.get(path, headers=till.headers(**headers))

    return build


@pytest.mark.parametrize("suffix", list(FORMATS))
def test_the_suffix_names_the_format(ask, suffix):
    response = ask(f".{suffix}")

    assert response.status_code == 200, response.content
    assert response["Content-Type"] == FORMATS[suffix].content_type
    assert response["Cache-Control"] == "no-store"
    is_print = FORMATS[suffix].is_print
    assert response["Receipt-Label"] == ("NS" if is_print else "CS")
    assert ReceiptPrint.objects.count() == is_print
    name = f"T-1-{response['Receipt-Label']}.{FORMATS[suffix].extension}"
    assert response["Content-Disposition"] == f'inline; filename="{name}"'


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("", "text/plain"),
        ("*/*", "text/plain"),
        ("application/json", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("image/png", "image/png"),
        ("image/*", "image/svg+xml"),
        ("application/json;q=0.2, text/plain;q=0.9", "text/plain"),
    ],
)
def test_accept_names_the_format(ask, accept, answered):
    response = ask(**({"Accept": accept} if accept else {}))

    assert response.status_code == 200, response.content
    assert response["Content-Type"].partition(";")[0] == answered
    assert response["Vary"] == "Accept"


@pytest.mark.parametrize(
    ("rest", "accept", "field"),
    [(".docx", "*/*", "suffix"), ("/", "application/msword", "Accept"), (".TXT", "*/*", "suffix")],
)
def test_an_unknown_format_is_told_which_there_are(ask, rest, accept, field):
    before = snapshot()

    response = ask(rest, Accept=accept)

    assert fields_of(response, 406) == [field]
    told = error_of(response)["detail"][0]["next_step"]
    assert [each for each in (*MEDIA_TYPES, *FORMATS) if each not in told] == []
    assert snapshot() == before


@pytest.mark.parametrize(
    ("query", "field"),
    [("copy=maybe", "copy"), ("print_id=a b", "print_id"), ("print_id=" + "x" * 65, "print_id"),
     ("print_id=%C3%A4", "print_id"), ("lang=fr", "lang")],
)  # fmt: skip
def test_odd_wishes_are_refused_and_nothing_is_printed(ask, query, field):
    assert fields_of(ask(f".txt?{query}")) == [field]
    assert not ReceiptPrint.objects.exists()


def test_an_unsigned_sale_has_its_state_and_the_promise_link(till):
    sale = till.sell("T-1")

    for suffix in FORMATS:
        response = till.get(f"/api/invoices/{sale.pk}/receipt.{suffix}")
        error = error_of(response)
        assert (response.status_code, error["code"]) == (409, "not_signed")
        assert error["message"] == f"The sale is queued. Promise link: {sale.public_url}"
        assert sale.public_url in error["detail"][0]["next_step"]
    assert not ReceiptPrint.objects.exists()


def test_the_ways_out_of_a_cashier(till, ask, sale):
    """The answer was lost; then the paper jammed; then somebody else wants one."""
    lost, again = ask(".txt?print_id=p-1"), ask(".txt?print_id=p-1")
    too_early = ask(".txt")
    spoiled = till.post(
        f"/api/invoices/{sale.pk}/receipt/spoiled/", {"reason": "The paper jammed."}
    )
    spent, replaced, copy = ask(".txt?print_id=p-1"), ask(".txt?print_id=p-2"), ask(".txt")

    assert lost.content == again.content
    labels = [each["Receipt-Label"] for each in (lost, again, too_early, replaced, copy)]
    assert labels == ["NS", "NS", "CS", "NS", "CS"]
    assert spoiled.json()["spoiled_reason"] == "The paper jammed."
    assert (spent.status_code, error_of(spent)["code"]) == (409, "print_id_spent")
    prints = till.get(f"/api/invoices/{sale.pk}/prints/").json()["prints"]
    assert [(row["label"], row["repeats"], bool(row["spoiled_at"])) for row in prints] == [
        ("NS", 1, True),
        ("CS", 0, False),
        ("NS", 0, False),
        ("CS", 0, False),
    ]
    assert {row["printed_by"][:6] for row in prints} == {"till ("}


def test_nothing_is_spoiled_before_it_is_printed(till, sale):
    path = f"/api/invoices/{sale.pk}/receipt/spoiled/"

    refused = till.post(path, {"reason": "The paper jammed."})

    assert error_of(refused)["code"] == "nothing_to_spoil"
    assert fields_of(till.post(path, {"reason": "x"})) == ["reason"]


def test_the_head_of_an_answer_is_no_print(till, sale):
    path = f"/api/invoices/{sale.pk}/receipt.txt"

    assert till.client.head(path, headers=till.headers()).status_code == 200
    assert not ReceiptPrint.objects.exists()


def test_a_proforma_is_printed_and_nothing_is_sold(till):
    before = Transmission.objects.count(), Invoice.objects.count()

    response = till.post("/api/sales/proforma.txt", till.sale("Q-1"))

    page = response.content.decode()
    assert response["Receipt-Label"] == "PS"
    assert page.count("P R O F O R M A") == 2
    assert page.count("N O T   A N   O F F I C I A L") == 2
    assert "4,320.00" in page
    assert "SCU INFORMATION" not in page
    assert (Transmission.objects.count(), Invoice.objects.count()) == before
    row = ReceiptPrint.objects.get()
    assert (row.label, row.invoice, str(row.total), row.reference) == (
        "PS", None, "4320.00", "Q-1",
    )  # fmt: skip


def test_a_proforma_asked_for_again_counts_once(till):
    basket = till.sale("Q-1")
    first, again = (till.post("/api/sales/proforma.txt?print_id=job-1", basket) for _ in range(2))
    other = till.post("/api/sales/proforma.txt?print_id=job-1", till.sale("Q-2"))

    assert first.content == again.content
    row = ReceiptPrint.objects.get()
    assert (row.label, row.print_id, row.repeats) == ("PS", "job-1", 1)
    assert other.status_code == 409
    assert other.json()["error"]["code"] == "print_id_spent"
    assert till.get("/api/reports/x/").json()["proforma"]["count"] == 1


def test_a_proforma_in_json_and_without_a_reference_is_no_print(till):
    body = till.sale("") | {"reference": ""}

    response = till.post("/api/sales/proforma/", body, Accept="application/json")

    assert response.json()["title"] == "PROFORMA"
    assert response["Content-Disposition"] == 'inline; filename="proforma-PS.json"'
    assert not ReceiptPrint.objects.exists()


def test_a_wrong_proforma_names_the_field(till):
    body = till.sale("Q-1", lines=[{"item": "NOTHING", "quantity": "1"}])

    assert fields_of(till.post("/api/sales/proforma/", body)) == ["lines[0].item"]
    assert not ReceiptPrint.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_the_simulator_signed_is_on_the_paper(shop):
    made = shop.post("/api/sales/", shop.sale("T-1"), Prefer="wait=10").json()
    receipt, links = made["receipt"], made["links"]

    page = shop.get(f"{links['receipt'][:-1]}.txt").content.decode()
    picture = Image.open(BytesIO(shop.get(f"{links['receipt'][:-1]}.png").content))

    signature = receipt["signature"]
    assert f"CU INVOICE NUMBER: {receipt['cu_invoice_number']}" in page
    assert "-".join(signature[i : i + 4] for i in range(0, 16, 4)) in page
    assert [code.text for code in zxingcpp.read_barcodes(picture.convert("L"))] == [
        receipt["qr_url"]
    ]
    public = shop.client.get(links["public"].partition("/r/")[2].join(["/r/", ""]))
    assert receipt["cu_invoice_number"] in public.content.decode()
