"""Do our books match KRA's? Through the API, over real HTTP to the simulator."""

import time
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from devices.models import Call
from kra.times import NAIROBI
from outbox import breaker
from outbox.models import Breaker, Lane, Transmission
from sales.models import Difference, HeldDocument, Invoice, Receipt, Reconciliation
from sales.reconciliation import nightly, runs
from sales.tasks import reconcile

pytestmark = pytest.mark.django_db(transaction=True)


def today():
    return timezone.now().astimezone(NAIROBI).date()


@pytest.fixture
def books(shop):
    """Three sales and a credit note, all signed."""
    for reference in ("T-1", "T-2", "T-3"):
        shop.sell(reference)
    shop.deliver()
    note = {
        "device": shop.device.serial,
        "reference": "C-1",
        "original": "T-1",
        "reason": "damaged",
    }
    assert shop.post("/api/credit-notes/", note).status_code == 202
    shop.deliver()
    assert [held["kind"] for held in shop.ledger()] == ["S", "S", "S", "R"]
    return shop


def alter(shop, number, method="PUT", **order):
    body = {"pin": shop.pin, "branch": "00", "number": number} | order
    shop.simulator.call(method, "invoices", body)


def compare(shop, status=201, day=None, **headers):
    day = str(day or today())
    body = {"device": shop.device.serial, "from": day, "to": day}
    response = shop.post("/api/reconciliations/", body, **headers)
    assert response.status_code == status, response.content
    return response.json()


def detail(shop, run):
    response = shop.get(f"/api/reconciliations/{run['id']}/")
    assert response.status_code == 200, response.content
    return response.json()


def kinds(shop, run):
    return [(case["number"], case["kind"]) for case in detail(shop, run)["differences"]]


def settle(shop, run, number, way, body=None):
    path = f"/api/reconciliations/{run['id']}/differences/{number}/{way}/"
    return shop.post(path, {} if body is None else body)


def sends():
    return Call.objects.filter(endpoint="sales_save").count()


@pytest.mark.parametrize("profile", ["direct", "gavaconnect"])
def test_a_clean_day_matches(open_shop, profile):
    shop = open_shop(profile=profile)
    shop.sell("T-1")
    shop.sell("T-2")
    shop.deliver()

    run = compare(shop)

    assert (run["verdict"], run["open_differences"]) == ("matches", 0)
    assert run["ours"] == run["kra"]
    assert run["ours"] == {"sales": 2, "credit_notes": 0, "total": "8640.00", "vat": "1191.72"}
    assert not HeldDocument.objects.exists()


def test_a_credit_note_reduces_both_sides(books):
    run = compare(books)

    assert run["verdict"] == "matches"
    assert run["ours"] == run["kra"]
    assert run["kra"] == {"sales": 3, "credit_notes": 1, "total": "8640.00", "vat": "1191.72"}


def test_a_day_without_sales_matches(shop):
    run = compare(shop, day=today() - timedelta(days=1))

    assert run["verdict"] == "matches"
    assert run["kra"] == {"sales": 0, "credit_notes": 0, "total": "0.00", "vat": "0.00"}


def test_it_reads_numbers_that_kra_writes_as_texts(books):
    books.simulator.fault("string_numbers", endpoint="sales_list")

    assert compare(books)["verdict"] == "matches"


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        ("missing_at_kra", {"method": "DELETE"}),
        ("amount_differs", {"set": {"totAmt": 4000}}),
        ("vat_differs", {"set": {"totTaxAmt": 595}}),
        ("type_differs", {"set": {"rcptTyCd": "R"}}),
        ("signed_otherwise", {"set": {"salesSttsCd": "04"}}),
        ("signed_otherwise", {"set": {"salesDt": "20260101"}}),
    ],
)
def test_it_names_what_differs(books, kind, order):
    alter(books, 2, **order)
    before = sends()

    run = compare(books)

    assert run["verdict"] == "differs"
    assert kinds(books, run) == [(2, kind)]
    (case,) = detail(books, run)["differences"]
    assert case["invoice"] == Invoice.objects.get(reference="T-2").pk
    assert (case["state"], case["ours"]["total"]) == ("open", "4320.00")
    assert sends() == before


def test_a_document_that_we_never_signed_is_found(books):
    alter(books, 5, like=2)

    run = compare(books)

    assert kinds(books, run) == [(5, "missing_here")]
    assert (run["ours"]["sales"], run["kra"]["sales"]) == (3, 4)
    refused = settle(books, run, 5, "adopt")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "counter_not_proven")


def test_a_gap_is_found_on_both_sides(books):
    alter(books, 8, like=2)

    run = compare(books)

    assert kinds(books, run) == [
        (5, "number_gap"), (6, "number_gap"), (7, "number_gap"), (8, "missing_here")
    ]  # fmt: skip


def test_a_wide_gap_is_one_case(books):
    alter(books, 1000, like=2)

    run = compare(books)

    assert kinds(books, run) == [(5, "number_gap"), (1000, "missing_here")]
    assert detail(books, run)["differences"][0]["last_number"] == 999


def test_look_again_closes_what_kra_has_mended(books):
    alter(books, 2, set={"totAmt": 4000})
    run = compare(books)
    assert settle(books, run, 2, "look-again").status_code == 409

    alter(books, 2, set={"totAmt": 4320})
    response = settle(books, run, 2, "look-again")

    assert response.status_code == 200, response.content
    assert (response.json()["state"], response.json()["how"]) == ("resolved", "looked_again")
    now = detail(books, run)["run"]
    assert now["verdict"] == "matches"
    assert now["ours"] == now["kra"]
    again = settle(books, run, 2, "look-again")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "difference_not_open")


def test_look_again_while_kra_is_down_changes_nothing(books):
    alter(books, 2, method="DELETE")
    run = compare(books)
    before = Difference.objects.values().get()
    books.simulator.outage(True)

    response = settle(books, run, 2, "look-again")

    assert (response.status_code, response.json()["error"]["code"]) == (502, "kra_not_asked")
    assert Difference.objects.values().get() == before


def test_an_explanation_is_kept_by_later_runs(books):
    alter(books, 5, like=2)
    run = compare(books)

    assert settle(books, run, 5, "explain", {"reason": "  "}).status_code == 400
    done = settle(books, run, 5, "explain", {"reason": "sold on the web shop"})
    assert (done.json()["how"], done.json()["reason"]) == ("explained", "sold on the web shop")

    later = compare(books)
    (case,) = detail(books, later)["differences"]
    assert (later["verdict"], later["open_differences"]) == ("differs", 0)
    assert (case["how"], case["reason"]) == ("explained", "sold on the web shop")


def test_a_later_run_takes_the_place_of_an_open_case(books):
    alter(books, 2, method="DELETE")
    first, second = compare(books), compare(books)

    (old,) = detail(books, first)["differences"]
    (new,) = detail(books, second)["differences"]
    assert (old["state"], old["how"], new["state"]) == ("resolved", "superseded", "open")


# --- Adopting ---


@pytest.fixture
def lost(shop):
    """KRA holds T-2 and its answer was lost; nobody has looked it up yet."""
    shop.sell("T-1")
    shop.deliver()
    shop.simulator.fault("lost_after")
    shop.simulator.fault("html", endpoint="invoice_details", status=504)
    sale, _ = shop.sell("T-2"), shop.sell("T-3")
    drain_once(shop)
    assert shop.status(sale) == "unknown"
    shop.simulator.heal()
    return sale


def drain_once(shop):
    from outbox.delivery import drain

    drain(shop.lane.pk, until=time.monotonic() + 0.01)


def test_a_sale_whose_answer_was_lost_is_adopted(shop, lost):
    run = compare(shop)
    (case,) = detail(shop, run)["differences"]
    assert (case["kind"], case["number"], case["invoice"]) == ("missing_here", 2, lost.pk)
    before = sends()

    response = settle(shop, run, 2, "adopt")

    assert response.status_code == 200, response.content
    assert (response.json()["how"], sends()) == ("adopted", before)
    assert shop.status(lost) == "signed"
    assert Receipt.objects.get(invoice=lost).signature == shop.ledger()[1]["signature"]
    now = detail(shop, run)["run"]
    assert (now["verdict"], now["ours"]["sales"]) == ("matches", 2)
    shop.deliver()
    assert [(h["number"], h["reference"]) for h in shop.ledger()] == [
        (1, "T-1"), (2, "T-2"), (3, "T-3")
    ]  # fmt: skip


def test_another_document_is_never_adopted(shop, lost):
    run = compare(shop)
    alter(shop, 2, set={"totAmt": 4000})
    rows = list(Transmission.objects.order_by("pk").values())

    response = settle(shop, run, 2, "adopt")

    assert (response.status_code, response.json()["error"]["code"]) == (409, "counter_not_proven")
    assert list(Transmission.objects.order_by("pk").values()) == rows
    assert shop.status(lost) == "unknown"


def test_what_kra_no_longer_holds_is_not_adopted(shop, lost):
    run = compare(shop)
    alter(shop, 2, method="DELETE")
    before = sends()

    assert settle(shop, run, 2, "adopt").status_code == 409
    assert (shop.status(lost), sends()) == ("unknown", before)


def test_adopting_stays_away_from_a_busy_lane(shop, lost):
    run = compare(shop)
    until = timezone.now() + timedelta(minutes=1)
    Lane.objects.filter(pk=shop.lane.pk).update(lease_until=until)

    response = settle(shop, run, 2, "adopt")

    assert (response.status_code, response.json()["error"]["code"]) == (409, "lane_busy")
    assert shop.status(lost) == "unknown"


def test_what_the_outbox_adopted_meanwhile_is_closed(shop, lost):
    run = compare(shop)
    shop.deliver()

    response = settle(shop, run, 2, "adopt")

    assert (response.status_code, response.json()["how"]) == (200, "looked_again")
    assert detail(shop, run)["run"]["verdict"] == "matches"


# --- Interruptions ---


def test_kra_down_from_the_start_is_no_verdict(books):
    books.simulator.outage(True)

    run = compare(books, status=202)

    assert (run["verdict"], run["finished_at"]) == ("incomplete", None)
    assert "KRA could not be asked" in run["reason"]
    books.simulator.outage(False)
    again = compare(books)
    assert (again["id"], again["verdict"]) == (run["id"], "matches")


def test_kra_down_in_the_middle_resumes_where_it_stopped(books, settings):
    settings.RECONCILE_FROM_HOUR = 24
    alter(books, 1, method="DELETE")
    alter(books, 3, method="DELETE")
    books.simulator.fault("html", endpoint="invoice_details", status=503, after=1, count=None)

    run = compare(books, status=202)

    assert run["verdict"] == "incomplete"
    assert detail(books, run)["differences"] == []
    assert Difference.objects.exclude(kind="").get().number == 1
    books.simulator.heal()
    Reconciliation.objects.update(not_before=timezone.now())
    reconcile()
    assert kinds(books, run) == [(1, "missing_at_kra"), (3, "missing_at_kra")]
    asked = Call.objects.filter(reference__startswith="books").values_list("endpoint", flat=True)
    assert sorted(asked) == ["invoice_details"] * 3 + ["sales_list"]


def test_it_leaves_a_silent_host_alone(books):
    Breaker.objects.create(host="simulator/direct", is_open=True, opened_at=timezone.now())
    breaker.forget()
    calls = Call.objects.count()

    run = compare(books, status=202)

    assert "KRA does not answer" in run["reason"]
    assert Call.objects.count() == calls


def test_time_up_is_no_loss(books):
    alter(books, 2, method="DELETE")

    run = compare(books, status=202, Prefer="wait=0")
    runs.advance(run["id"], until=time.monotonic() + 10)

    assert kinds(books, run) == [(2, "missing_at_kra")]


def test_a_dead_process_loses_nothing(books, monkeypatch):
    alter(books, 2, method="DELETE")
    with monkeypatch.context() as patch:
        patch.setattr(runs, "ask_one", die)
        patch.setattr(runs.Work, "release", lambda work: None)
        with pytest.raises(SystemExit):
            runs.advance(new_run(books).pk, until=time.monotonic() + 10)

    run = new_run(books)
    runs.advance(run.pk, until=time.monotonic() + 10)
    run.refresh_from_db()
    assert run.finished_at is None  # its lease lives still
    Reconciliation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    runs.advance(run.pk, until=time.monotonic() + 10)
    run.refresh_from_db()
    assert (run.verdict, Reconciliation.objects.count()) == ("differs", 1)


def die(device, number):
    raise SystemExit


def new_run(shop):
    return runs.start(shop.device, today(), today(), by="test")


def test_a_late_worker_writes_nothing(books, monkeypatch):
    alter(books, 2, method="DELETE")
    run = new_run(books)
    ask = runs.ask_one

    def slow(device, number):
        Reconciliation.objects.update(lease_owner="00000000-0000-0000-0000-000000000001")
        return ask(device, number)

    monkeypatch.setattr(runs, "ask_one", slow)
    runs.advance(run.pk, until=time.monotonic() + 10)

    assert Difference.objects.get().kind == ""
    assert Reconciliation.objects.get().look_ups == 0


# --- Every night, month end, command ---


def test_the_night_compares_yesterday_once(books, settings, monkeypatch):
    settings.RECONCILE_CATCH_UP_DAYS = 1
    type(books.device).objects.update(initialised_at=timezone.now() - timedelta(days=9))
    morning = timezone.now().astimezone(NAIROBI).replace(hour=2, minute=5) + timedelta(days=1)

    assert nightly.open_runs(morning.replace(hour=1)) == 0
    assert nightly.open_runs(morning) == 1
    assert nightly.open_runs(morning) == 0
    nightly.go_on(until=time.monotonic() + 10)

    run = Reconciliation.objects.get()
    assert (run.first_day, run.verdict) == (today(), "matches")
    assert nightly.open_runs(morning) == 0


def test_the_month_end_says_what_was_never_compared(books):
    type(books.device).objects.update(initialised_at=timezone.now() - timedelta(days=3))
    yesterday = today() - timedelta(days=1)
    compare(books, day=yesterday)

    month = books.get(f"/api/reconciliations/month/?month={yesterday:%Y-%m}").json()

    (row,) = month["devices"]
    assert (row["device"], row["verdict"]) == (books.device.serial, "incomplete")
    assert str(yesterday) not in row["days_missing"]
    assert row["days_reconciled"] == 1
    text = books.get(f"/api/reconciliations/month/?month={yesterday:%Y-%m}&format=csv")
    head, line = text.content.decode().splitlines()
    assert text["Content-Type"] == "text/csv; charset=utf-8"
    assert dict(zip(head.split(","), line.split(","), strict=True))["device"] == row["device"]


def test_the_command_reports_and_exits_by_verdict(books):
    options = {"company": books.pin, "device": books.device.serial, "first": today(), "last": None}
    out = StringIO()
    call_command("reconcile", stdout=out, **options)
    assert "Our books match KRA's." in out.getvalue()

    alter(books, 2, method="DELETE")
    out = StringIO()
    with pytest.raises(CommandError) as error:
        call_command("reconcile", stdout=out, **options)
    assert error.value.returncode == 1
    assert "2  missing_at_kra" in out.getvalue()
