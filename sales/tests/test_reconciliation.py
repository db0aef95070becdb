"""Our books beside KRA's: what a comparison finds, how it ends, and what it costs."""

import json
import time
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from companies.models import ApiToken
from devices import calls
from items.tests.fake_kra import NOTHING, SILENCE, FakeKRA, accepted, said
from kra.times import NAIROBI
from outbox import breaker
from outbox.models import Transmission
from sales.models import Difference, HeldDocument, ReconciledDay
from sales.reconciliation import runs
from sales.reconciliation.facts import Facts, weigh
from sales.reconciliation.report import as_csv, month_report
from sales.reconciliation.resolving import NotOpen, explain, look_again

from . import shop

pytestmark = pytest.mark.django_db(transaction=True)
FACTS = Facts("sale", Decimal("116.00"), Decimal("16.00"), date(2026, 11, 5), "SIGN")


@pytest.fixture(autouse=True)
def kra(monkeypatch, settings):
    fake = FakeKRA()
    monkeypatch.setattr(calls, "client", lambda: fake)
    settings.KRA_HOSTS = settings.KRA_HOSTS | {("simulator", "direct"): ("http://kra.test", "")}
    breaker.forget()
    calls.forget_devices()
    return fake


def today():
    return timezone.now().astimezone(NAIROBI).date()


def row_of(invoice, **more):
    receipt = invoice.receipt
    day = invoice.sold_at.astimezone(NAIROBI)
    return {
        "invcNo": receipt.number, "rcptTyCd": "S", "salesDt": f"{day:%Y%m%d}",
        "salesSttsCd": "02", "cnclDt": None, "totAmt": str(invoice.total),
        "totTaxAmt": str(invoice.tax), "receipt": {"rcptSign": receipt.signature},
    } | more  # fmt: skip


def listing(*rows):
    return accepted({"salesList": list(rows)})


def run_of(device, first=None, last=None):
    run = runs.start(device, first or today(), last or today(), by="test")
    runs.advance(run.pk, until=time.monotonic() + 10)
    run.refresh_from_db()
    return run


@pytest.mark.parametrize(
    ("kind", "ours", "theirs"),
    [
        ("number_gap", None, None),
        ("missing_at_kra", FACTS, None),
        ("missing_here", None, FACTS),
    ],
)
def test_it_names_the_side_that_lacks_a_number(kind, ours, theirs):
    assert (weigh(7, ours, theirs) or [""])[0] == kind


def test_equal_books_are_no_case():
    assert weigh(7, FACTS, FACTS) is None


def test_the_list_is_asked_from_before_the_first_day(device, kra):
    run_of(device, date(2026, 11, 5), date(2026, 11, 6))

    (body,) = kra.bodies("sales_list")
    assert (body["lastReqDt"], body["bhfId"]) == ("20261104230000", "00")


def test_an_empty_list_is_checked_number_by_number(device, signed, kra):
    sale = signed()
    kra.replies["sales_list"] = [NOTHING]
    kra.replies["invoice_details"] = [listing(row_of(sale))]

    run = run_of(device)

    assert (run.verdict, run.look_ups) == ("matches", 1)
    assert not HeldDocument.objects.exists()


def test_another_number_than_the_asked_one_is_no_answer(device, signed, kra):
    sale = signed()
    kra.replies["invoice_details"] = [listing(row_of(sale, invcNo=99))]

    run = run_of(device)

    assert (run.verdict, run.finished_at) == ("incomplete", None)


def test_a_row_that_cannot_be_read_allows_no_verdict(device, signed, kra):
    kra.replies["sales_list"] = [listing(row_of(signed()), {"invcNo": "?"})]

    run = run_of(device)

    assert (run.verdict, run.reason[:6]) == ("incomplete", "1 rows")
    assert run.finished_at is not None


def test_order_and_repeats_in_the_list_mean_nothing(device, signed, kra):
    rows = [row_of(signed("T-1")), row_of(signed("T-2"))]
    kra.replies["sales_list"] = [listing(rows[1], rows[0], rows[1])]

    assert run_of(device).verdict == "matches"


def test_a_sale_listed_under_another_day_is_compared_by_number(device, signed, kra):
    kra.replies["sales_list"] = [listing(row_of(signed()))]
    yesterday = today() - timedelta(days=1)

    run = run_of(device, yesterday, yesterday)

    assert (run.verdict, Difference.objects.count()) == ("matches", 0)
    assert ReconciledDay.objects.get().kra_sales == 0


def test_what_was_signed_after_the_question_is_no_difference(device, signed, kra):
    sale = signed()
    later = timezone.now() + timedelta(minutes=1)
    Transmission.objects.filter(pk=sale.transmission_id).update(finished_at=later)

    run = run_of(device)

    assert (run.verdict, ReconciledDay.objects.get().our_sales) == ("matches", 0)


def test_after_many_look_ups_the_list_has_to_do(device, signed, kra, monkeypatch):
    monkeypatch.setattr(runs, "MOST_LOOK_UPS", 1)
    rows = [row_of(signed(f"T-{n}"), totAmt="1") for n in range(3)]
    kra.replies["sales_list"] = [listing(*rows)]
    kra.replies["invoice_details"] = [listing(rows[0])]

    run = run_of(device)

    assert [(c.kind, c.looked_at is None) for c in run.differences.order_by("number")] == [
        ("amount_differs", False), ("amount_differs", True), ("amount_differs", True)
    ]  # fmt: skip


@pytest.mark.parametrize("reply", [SILENCE, said("901", "It is not valid device"), said("777")])
def test_without_an_answer_there_is_no_verdict(device, kra, reply):
    kra.replies["sales_list"] = [reply]

    run = run_of(device)

    assert (run.verdict, run.stage, run.finished_at) == ("incomplete", "listing", None)
    assert run.lease_until is None
    device.refresh_from_db()
    assert device.state == "active"


def test_two_who_settle_a_case_are_one(device, signed, kra):
    kra.replies["invoice_details"] = [NOTHING]
    signed()
    run = run_of(device)
    one, other = Difference.objects.get(), Difference.objects.get()
    explain(one, reason="known", by="anna")

    with pytest.raises(NotOpen):
        explain(other, reason="known too", by="ben")
    with pytest.raises(NotOpen):
        look_again(other, by="ben")
    assert Difference.objects.get().resolved_by == "anna"
    run.refresh_from_db()
    assert run.verdict == "differs"


def queries_of(device, rows, kra):
    kra.replies["sales_list"] = [listing(*rows)]
    breaker.forget()
    calls.forget_devices()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert run_of(device).verdict == "matches"
    return len(queries)


def test_more_sales_cost_no_more_queries(device, signed, kra):
    rows = [row_of(signed("T-0"))]
    queries_of(device, rows, kra)
    few = queries_of(device, rows, kra)
    rows += [row_of(signed(f"T-{n}")) for n in range(1, 12)]

    assert queries_of(device, rows, kra) == few


def test_the_month_adds_up_devices_and_keeps_companies_apart(device, signed, kra):
    shop.add_device(shop.open_company("B000000002B"), "other-1")
    type(device).objects.update(initialised_at=timezone.now() - timedelta(days=3))
    sold_at = timezone.now() - timedelta(days=1)
    sale = signed("T-1", sold_at=sold_at.isoformat())
    kra.replies["sales_list"] = [listing(row_of(sale))]
    day = sold_at.astimezone(NAIROBI).date()
    run_of(device, day, day)
    token, _ = ApiToken.issue(name="books", scopes=["reports:read"], company=device.company)

    month = month_report(token, day.replace(day=1), now=timezone.now())

    (row,) = month.devices
    assert (row.ours, row.ours.total, row.verdict) == (row.kra, "2320.00", "incomplete")
    assert day not in row.days_missing
    assert [company.company for company in month.companies] == [device.company.pin]


def test_a_spreadsheet_runs_no_name(device, kra):
    type(device.company).objects.update(name="=1+1")
    token, _ = ApiToken.issue(name="books", scopes=["reports:read"], company=device.company)

    text = as_csv(month_report(token, date(2026, 1, 1), now=timezone.now()))

    assert "'=1+1" in text
    assert json.dumps(text).count(",=") == 0
