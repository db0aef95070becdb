"""VAT, PLU and payment methods over the API; every format holds the same figures."""

import csv
import io
import re
import zipfile
from decimal import Decimal
from xml.etree import ElementTree

import pypdf
import pytest
from django.utils import timezone

from companies.models import Branch
from items.models import Item, TaxRate
from purchases.models import Purchase, PurchaseLine
from sales.models import Invoice, InvoiceLine
from sales.tests import shop as offline

pytestmark = pytest.mark.django_db
MEDIA = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}


@pytest.fixture
def day(till):
    """Two signed sales, one of them to a buyer with a PIN; a credit note; one that waits."""
    Item.objects.filter(sku="SEED").update(name='=cmd|"/c calc"!A1')
    mixed = [{"item": "KETTLE", "quantity": "1"}, {"item": "SEED", "quantity": "2"}]
    buyer = {"pin": "P000000000B", "name": "Buyer"}
    offline.sign(till.sell("S-1", lines=mixed, customer=buyer))
    offline.sign(till.sell("S-2", payment_method="mobile_money"))
    body = {"device": till.device.serial, "reference": "C-1", "original": "S-1"}
    note = till.post("/api/credit-notes/", body | {"lines": [{"line": 1, "quantity": "1"}]})
    offline.sign(Invoice.objects.get(pk=note.json()["id"]))
    till.sell("+S-3")
    return till


def ask(till, address):
    response = till.get(f"/api/reports/{address}")
    assert response.status_code == 200, response.content
    return response


def refused(till, address, status):
    response = till.get(f"/api/reports/{address}")
    assert response.status_code == status, response.content
    return response.json()["error"]


def confirm_purchase(till):
    figures = {"taxable": "1000.00", "tax": "160.00", "total": "1160.00"}
    bought = Purchase.objects.create(
        company=till.company, branch=till.device.branch, supplier_pin="P000000000S", number=7,
        state="confirmed", invoiced_on=timezone.localdate(), updated_at=timezone.now(),
        transmission=Invoice.objects.exclude(transmission=None).first().transmission, **figures,
    )  # fmt: skip
    PurchaseLine.objects.create(
        purchase=bought, sequence=1, quantity=1, unit_price="1160.00", discount_percent=0,
        discount=0, letter="B", item=Item.objects.get(sku="KETTLE"), confirmed_quantity=1,
        **{f"confirmed_{name}": value for name, value in figures.items()}, **figures,
    )  # fmt: skip


def test_vat_has_what_a_return_asks_for(day):
    confirm_purchase(day)

    report = ask(day, "vat/").json()

    rows = {row["letter"]: row for row in report["rows"]}
    assert sorted(rows) == list("ABCDE")
    assert (rows["B"]["category"], rows["B"]["rate"]) == ("standard rate", "16")
    assert (rows["B"]["sales_taxable"], rows["B"]["sales_tax"]) == ("5724.14", "915.86")
    assert (rows["B"]["credit_taxable"], rows["B"]["credit_tax"]) == ("2000.00", "320.00")
    assert (rows["B"]["net_taxable"], rows["B"]["net_tax"]) == ("3724.14", "595.86")
    assert (rows["B"]["unsigned_taxable"], rows["B"]["unsigned_tax"]) == ("3724.14", "595.86")
    assert (rows["A"]["net_taxable"], rows["A"]["net_tax"]) == ("700.00", "0.00")
    assert (report["output_tax"], report["input_tax"]) == ("595.86", "160.00")
    assert [(b["sales"], b["credit_notes"]) for b in report["buyers"]] == [(1, 1), (1, 0)]
    assert report["purchases"][0]["taxable"] == "1000.00"


def test_vat_keeps_the_rates_of_a_letter_apart(day):
    """The rate of E was 8 for a while: what was sold then stays at 8."""
    TaxRate.objects.create(
        environment="simulator", letter="E", rate=8, valid_from="2020-01-01", approved=True
    )  # fmt: skip
    for reference, rate, tax in (("S-1", 8, 8), ("S-2", 0, 0)):
        invoice = Invoice.objects.get(reference=reference)
        InvoiceLine.objects.create(
            invoice=invoice, sequence=9, item=Item.objects.first(), name="x", quantity=1,
            unit_price=100, supply=100, discount=0, letter="E", rate=rate, taxable=100, tax=tax,
            total=100 + tax,
        )  # fmt: skip
        Invoice.objects.filter(pk=invoice.pk).update(taxable_e=100, tax_e=tax)

    rows = [row for row in ask(day, "vat/").json()["rows"] if row["letter"] == "E"]

    assert [(r["rate"], r["sales_taxable"], r["sales_tax"]) for r in rows] == [
        ("0", "100.00", "0.00"),
        ("8", "100.00", "8.00"),
    ]


def test_plu_has_a_row_per_item_and_the_stock_left(day):
    report = ask(day, "plu/").json()

    rows = {row["code"]: row for row in report["rows"]}
    assert sorted(rows) == ["FIT", "KETTLE", "SEED"]
    kettle = rows["KETTLE"]
    assert (kettle["quantity"], kettle["amount"]) == ("2", "4640.00")
    assert (kettle["credited_quantity"], kettle["credited_amount"]) == ("1", "2320.00")
    assert (kettle["unsigned_quantity"], kettle["unit_price"]) == ("1", "2320.00")
    assert kettle["stock_left"] is not None
    assert rows["FIT"]["stock_left"] is None
    assert report["amount"] == "7340.00"


def test_payments_keep_sales_notes_and_what_waits_apart(day):
    report = ask(day, "payments/").json()

    cash, mobile = report["rows"]
    assert (cash["device"], cash["method"], cash["net"]) == ("dvcv1130", "cash", "700.00")
    assert cash["credit_notes"] == {"count": 1, "total": "2320.00"}
    assert cash["unsigned_sales"] == {"count": 1, "total": "4320.00"}
    assert (mobile["method"], mobile["sales"]["total"]) == ("mobile_money", "4320.00")
    assert report["net"] == "5020.00"


# --- Formats ---


def csv_numbers(content):
    rows = csv.reader(io.StringIO(content.decode("utf-8-sig")))
    return [Decimal(cell) for row in rows for cell in row if re.fullmatch(r"-?\d+\.\d\d", cell)]


def xlsx_numbers(content):
    """Of a workbook's cells, all that are numbers."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        root = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    name = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    cells = [cell for cell in root.iter(f"{name}c") if cell.get("t") is None]
    assert not list(root.iter(f"{name}f"))
    return [Decimal(cell.find(f"{name}v").text) for cell in cells]


def pdf_numbers(content):
    pages = pypdf.PdfReader(io.BytesIO(content)).pages
    text = " ".join(page.extract_text() for page in pages)
    found = re.findall(r"-?\d[\d,]*\.\d\d(?!\d)", text)
    return [Decimal(number.replace(",", "")) for number in found]


def body_of(response):
    content = response.getvalue() if response.streaming else response.content
    # response.close() would close the test's database connection too.
    for close in response._resource_closers:
        close()
    return content


@pytest.mark.parametrize("report", ["vat", "plu", "payments", "x"])
def test_every_format_holds_the_same_figures(day, report):
    answers = {form: ask(day, f"{report}/?format={form}") for form in MEDIA}

    for form, media in MEDIA.items():
        assert answers[form]["Content-Type"].startswith(media)
    in_csv = sorted(csv_numbers(body_of(answers["csv"])))
    in_xlsx = xlsx_numbers(body_of(answers["xlsx"]))
    in_pdf = pdf_numbers(body_of(answers["pdf"]))
    assert Decimal("4320.00") in in_csv or report in ("vat", "plu")
    assert len(in_csv) > 10
    facts = 1 if report == "x" else 0  # the opening deposit is a text in a worksheet
    for number in set(in_csv) - {Decimal(0)}:
        assert in_xlsx.count(number) >= in_csv.count(number) - facts, number
        assert in_pdf.count(number) == in_csv.count(number), number


def test_a_spreadsheet_runs_no_name(day):
    text = body_of(ask(day, "plu/?format=csv")).decode("utf-8-sig")
    listed = body_of(ask(day, "vat/?format=csv&documents=true")).decode("utf-8-sig")

    assert "'=cmd" in text
    assert ",=cmd" not in text
    assert "'+S-3" in listed


def test_each_document_is_listed_with_what_became_of_it(day):
    text = body_of(ask(day, "vat/?format=csv&documents=true")).decode("utf-8-sig")

    rows = list(csv.reader(io.StringIO(text.split("Documents\r\n")[1])))
    assert [(r[1], r[2], r[3], r[11]) for r in rows[1:]] == [
        ("sale", "S-1", "signed", "3020.00"),
        ("sale", "S-2", "signed", "4320.00"),
        ("credit note", "C-1", "signed", "-2320.00"),
        ("sale", "'+S-3", "queued", "4320.00"),
    ]
    assert rows[1][4] == "KRACU0100000001/1"
    assert len(xlsx_numbers(body_of(ask(day, "vat/?format=xlsx&documents=1")))) > 40


def test_eighteen_digits_stay_exact(day):
    Invoice.objects.filter(reference="S-2").update(total="1234567890123456.78")

    for form in MEDIA:
        content = body_of(ask(day, f"payments/?format={form}"))
        if form == "xlsx":
            with zipfile.ZipFile(io.BytesIO(content)) as book:
                content = book.read("xl/worksheets/sheet1.xml")
        if form == "pdf":
            content = str(pdf_numbers(content)).encode()
        assert b"1234567890123456.78" in content, form


@pytest.mark.parametrize("accept", [*MEDIA.values(), "application/pdf;q=0.9, text/html"])
def test_accept_chooses_the_format(day, accept):
    response = day.client.get("/api/reports/vat/", headers=day.headers(Accept=accept))

    assert response["Content-Type"].startswith(accept.split(";")[0])
    assert response["Vary"] == "Accept"
    assert body_of(response)


# --- Refusals ---


def test_an_unknown_format_is_answered_with_the_list(day):
    error = refused(day, "vat/?format=doc", 406)
    other = day.client.get("/api/reports/x/", headers=day.headers(Accept="image/png"))

    assert error["code"] == "not_acceptable"
    assert all(form in error["detail"][0]["next_step"] for form in ("json", *MEDIA))
    assert (other.status_code, other.json()["error"]["detail"][0]["field"]) == (406, "Accept")


@pytest.mark.parametrize(("_case", "query", "fields"), [
    ("reversed", "from=2026-11-02&to=2026-11-01", ["from", "to"]),
    ("over a year", "from=2025-01-01&to=2026-01-02", ["from", "to"]),
    ("no days", "from=yesterday&to=2026-02-30", ["from", "to"]),
    ("a typing error", "form=2026-11-01", ["form"]),
    ("neither", "documents=perhaps", ["documents"]),
    ("documents in JSON", "documents=true", ["documents"]),
])  # fmt: skip
def test_bad_periods_name_their_fields(day, _case, query, fields):
    error = refused(day, f"vat/?{query}", 400)

    assert [detail["field"] for detail in error["detail"]] == fields
    assert all(detail["next_step"] for detail in error["detail"])


@pytest.mark.parametrize("report", ["x", "z", "plu", "vat", "payments"])
def test_what_is_not_there_is_a_404(day, open_till, report):
    open_till("B000000002B", "dvc-b1", name="Other")

    for query in ("device=none", "device=dvc-b1", "branch=77", "company=B000000002B"):
        assert refused(day, f"{report}/?{query}", 404)["code"] == "not_found"


def test_a_branch_has_its_own_figures(day):
    Branch.objects.create(company=day.company, code="01", name="Market")

    assert ask(day, "payments/?branch=01").json()["net"] == "0.00"
    assert ask(day, "payments/?branch=00").json()["net"] == "5020.00"
    assert ask(day, "x/?branch=01").json()["sales"]["count"] == 0
