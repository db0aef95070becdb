"""X and Z: what they count, once; over the API, without KRA."""

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction

from core.errors import DomainError
from devices.calls import forget_devices
from devices.models import Device
from kra.times import NAIROBI
from outbox.models import Status
from sales.errors import DayClosed, ZBusy
from sales.models import Invoice, Receipt, ZReport
from sales.reports.closing import close_day
from sales.tasks import close_days
from sales.tests import shop as offline

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 16, 12, tzinfo=NAIROBI)


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


def counted():
    """What some Z has taken."""
    return Receipt.objects.filter(z__isnull=False)


def close(till, status=201, **body):
    response = till.post("/api/reports/z/", {"device": till.device.serial} | body)
    assert response.status_code == status, response.content
    return response


def x_of(till, query=""):
    response = till.get(f"/api/reports/x/{query}")
    assert response.status_code == 200, response.content
    return response.json()


def credit(till, reference, original, **more):
    body = {"device": till.device.serial, "reference": reference, "original": original} | more
    response = till.post("/api/credit-notes/", body)
    assert response.status_code == 202, response.content
    return Invoice.objects.get(pk=response.json()["id"])


@pytest.fixture
def day(till, clock):
    """One of everything: two signed sales, a credit note, and what is in no total."""
    mixed = [
        {"item": "KETTLE", "quantity": "1", "discount_percent": "10"},
        {"item": "SEED", "quantity": "2"},
        {"item": "BREAD", "quantity": "3"},
    ]
    offline.sign(till.sell("S-1", lines=mixed))
    offline.sign(till.sell("S-2", payment_method="mobile_money"))
    offline.sign(credit(till, "C-1", "S-1", lines=[{"line": 1, "quantity": "1"}]))
    till.sell("S-3")
    offline.settle(till.sell("S-4"), Status.REFUSED, error_code="910")
    given_up = till.sell("S-5")
    till.post(f"/api/invoices/{given_up.pk}/void/", {"reason": "left the shop"})
    till.post("/api/sales/", till.sale("S-6", training=True))
    return till


def test_an_x_says_what_the_rules_ask_for(day):
    report = x_of(day, "?opening_deposit=5000")

    assert (report["report"], report["number"], report["day"]) == ("X", None, "2026-11-16")
    assert (report["trade_name"], report["pin"]) == ("Baraka Stores", "A123456789Z")
    assert report["made_at"] == "2026-11-16T09:00:00Z"
    assert report["opening_deposit"] == "5000.00"
    sales, notes = report["sales"], report["credit_notes"]
    assert (sales["count"], sales["total"], sales["items"]) == (2, "7303.00", "9")
    assert (sales["discounts"], notes["discounts"]) == ("232.00", "232.00")
    assert sales["letters"] == [
        {"letter": "A", "rate": "0", "taxable": "700.00", "tax": "0.00", "total": "700.00"},
        {"letter": "B", "rate": "16", "taxable": "5524.14", "tax": "883.86", "total": "6408.00"},
        {"letter": "C", "rate": "0", "taxable": "195.00", "tax": "0.00", "total": "195.00"},
    ]
    assert sales["payments"] == [
        {"method": "cash", "count": 1, "total": "2983.00"},
        {"method": "mobile_money", "count": 1, "total": "4320.00"},
    ]
    assert (notes["count"], notes["total"], notes["tax"]) == (1, "2088.00", "288.00")
    assert notes["payments"] == [{"method": "cash", "count": 1, "total": "2088.00"}]
    assert (report["net_total"], report["net_tax"]) == ("5215.00", "595.86")
    assert sales["last_receipt"] == "KRACU0100000001/2"
    assert report["other_reductions"] == {"count": 1, "total": "4320.00"}
    assert report["training"] == {"count": 1, "total": "4320.00"}
    nothing = {"count": 0, "total": "0.00"}
    assert report["incomplete"] == [
        {"status": word, "sales": {"count": 1, "total": "4320.00"}, "credit_notes": nothing}
        for word in ("queued", "refused")
    ]


def test_an_x_resets_nothing_and_a_z_takes_it_over_word_for_word(day):
    first, second = x_of(day), x_of(day)
    z = close(day).json()

    assert first == second
    changed = {name for name in z if z[name] != first[name]}
    assert changed == {"report", "number", "made_by"} - {"made_by"}
    after = x_of(day)
    assert (after["sales"]["count"], after["net_total"]) == (0, "0.00")
    assert after["training"]["count"] == after["other_reductions"]["count"] == 0
    assert after["devices"][0]["last_z"] == 1


def test_a_day_is_closed_once(day):
    first = close(day)

    again = close(day, 409).json()["error"]

    assert again["code"] == "day_closed"
    assert "Z 1 of 2026-11-16" in again["message"]
    assert first["Location"] in again["detail"][0]["next_step"]
    assert ZReport.objects.count() == 1


def test_what_is_signed_after_its_z_is_in_the_next(day, clock):
    close(day)
    offline.sign(Invoice.objects.get(reference="S-3"))
    close(day, 409)
    clock.shift(timedelta(days=1))
    offline.sign(day.sell("S-7"))

    z = close(day).json()

    assert (z["number"], z["sales"]["count"], z["sales"]["total"]) == (2, 2, "8640.00")
    assert z["late_sales"] == {"count": 1, "total": "4320.00"}
    assert z["running"]["sales"] == {"count": 4, "total": "15943.00"}
    assert [row["status"] for row in z["incomplete"]] == ["refused"]


def test_a_missed_day_is_closed_the_next_morning_and_before_today(day, clock):
    clock.shift(timedelta(days=1))
    offline.sign(day.sell("S-7"))
    assert close(day, day="2026-11-15").json()["sales"]["count"] == 0

    refused = close(day, 409).json()["error"]
    missed = close(day, day="2026-11-16").json()
    today = close(day).json()

    assert refused["code"] == "earlier_day_open"
    assert "2026-11-16" in refused["detail"][0]["next_step"]
    assert (missed["day"], missed["sales"]["count"]) == ("2026-11-16", 2)
    assert (today["day"], today["sales"]["count"], today["number"]) == ("2026-11-17", 1, 3)
    assert close(day, 409, day="2026-11-14").json()["error"]["code"] == "day_closed"


@pytest.mark.parametrize("body", [{"day": "2026-11-17"}, {"day": "x"}, {"opening_deposit": "-1"},
    {"opening_deposit": "0.001"}, {"opening_deposit": "NaN"}, {"dai": "2026-11-16"}])  # fmt: skip
def test_bad_input_closes_nothing(day, body):
    error = close(day, 400, **body).json()["error"]

    assert error["detail"][0]["field"] == next(iter(body))
    assert not ZReport.objects.exists()


@pytest.mark.parametrize(("hours", "first"), [(1, "2026-11-16"), (30, "2026-11-15")])
def test_no_day_is_closed_on_which_the_device_could_not_sell(day, hours, first):
    """But for what was sold before and sent late."""
    Device.objects.update(initialised_at=NOON)
    forget_devices()
    Invoice.objects.filter(reference="S-1").update(sold_at=NOON - timedelta(hours=hours))

    (problem,) = close(day, 400, day="2026-01-24").json()["error"]["detail"]

    assert problem["field"] == "day"
    assert first in problem["next_step"]
    assert not ZReport.objects.exists()
    assert close(day, day=first).json()["number"] == 1


def test_a_z_is_drawn_from_what_was_frozen(day):
    first = close(day)
    z = ZReport.objects.get()
    Device.objects.update(scu_id="CHANGED")
    day.company.trade_name = "Another name"
    day.company.save()

    again = day.get(first["Location"])

    assert again.content == first.content == z.content.encode()
    assert again["ETag"] == f'"{z.sha256}"'
    assert b"Baraka Stores" in day.get(first["Location"] + "?format=csv").getvalue()


def refuses(statement):
    with (
        pytest.raises(DatabaseError, match="final"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_the_database_refuses_to_change_a_z(day):
    close(day)

    refuses("UPDATE sales_zreport SET closed_by = 'x'")
    refuses("UPDATE sales_receipt SET z_id = NULL")
    refuses("UPDATE sales_receipt SET signature = 'x'")
    refuses("DELETE FROM sales_receipt")
    refuses("UPDATE sales_zitem SET total = 0")
    refuses("DELETE FROM sales_zitem")
    refuses("DELETE FROM sales_zreport")
    assert counted().count() == 3


def test_nothing_is_added_to_a_z_that_exists(day):
    close(day)
    offline.sign(Invoice.objects.get(reference="S-3"))

    refuses("UPDATE sales_receipt SET z_id = (SELECT id FROM sales_zreport) WHERE z_id IS NULL")
    refuses(
        "INSERT INTO sales_zitem (company_id, device_id, z_id, day, item_id, kind, letter, rate,"
        " quantity, total) SELECT company_id, device_id, z_id, day, item_id, kind, letter, rate,"
        " 1, 1 FROM sales_zitem LIMIT 1"
    )
    assert counted().count() == 3


def test_a_wrong_clock_hides_nothing_from_a_z(day, clock):
    """A worker whose clock stands a year behind signs after the Z; KRA's own clock is wrong too."""
    close(day)
    late = Invoice.objects.get(reference="S-3")
    with time_machine.travel(NOON - timedelta(days=365), tick=False):
        offline.sign(late)
    clock.shift(timedelta(days=1))

    assert x_of(day)["sales"]["count"] == 1
    assert close(day).json()["late_sales"]["count"] == 1
    assert counted().filter(invoice=late).exists()


def test_a_z_that_was_tampered_with_is_not_shown(day):
    location = close(day)["Location"]
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE sales_zreport DISABLE TRIGGER z_report_is_final")
        cursor.execute("UPDATE sales_zreport SET content = replace(content, '7303', '7302')")

    response = day.get(location)

    assert (response.status_code, response.json()["error"]["code"]) == (409, "report_damaged")


def test_the_journal_gives_its_checkpoint_where_one_is_kept(day, settings):
    settings.REPORT_JOURNAL_CHECKPOINT = f"{__name__}.checkpoint"

    assert close(day).json()["journal_checkpoint"] == {"device": "dvcv1130", "entry": 7}


def checkpoint(device):
    return {"device": device.serial, "entry": 7}


# --- Nothing vanishes, nothing doubles ---


def act(till, clock, dice, step):
    """One random thing that happens in a shop."""
    kind = dice.choice(["sell"] * 4 + ["sign"] * 4 + ["note", "void", "refuse", "day", "z", "z"])
    waiting = list(
        Invoice.objects.filter(transmission__status=Status.QUEUED, state="active").order_by("pk")
    )
    if kind == "sell":
        back = timedelta(days=dice.choice([0, 0, 0, 1, 3]))
        till.sell(f"S-{step}", sold_at=(datetime.now(NAIROBI) - back).isoformat())
    elif kind == "note":
        signed = Invoice.objects.filter(kind="sale", receipt__isnull=False, credit_notes=None)
        if signed.exists():
            credit(till, f"C-{step}", dice.choice(list(signed.order_by("pk"))).reference)
    elif kind == "day":
        clock.shift(timedelta(hours=dice.choice([5, 11, 24, 24 * 12])))
    elif kind == "z":
        close_some_day(till, dice)
    elif waiting:
        settle_one(till, kind, dice.choice(waiting))


def settle_one(till, kind, invoice):
    if kind == "sign":
        offline.sign(invoice)
    elif kind == "refuse":
        offline.settle(invoice, Status.REFUSED)
    else:
        till.post(f"/api/invoices/{invoice.pk}/void/", {"reason": "changed their mind"})


def close_some_day(till, dice):
    """Today, or the day that the refusal names; sometimes the shop forgets."""
    response = till.post("/api/reports/z/", {"device": till.device.serial})
    if response.status_code == 409 and dice.random() < 0.8:
        error = response.json()["error"]
        if error["code"] == "earlier_day_open":
            day = error["message"].split()[0]
            close(till, day=day)


@pytest.mark.parametrize("seed", range(6))
def test_every_signed_document_is_in_exactly_one_z(till, clock, seed):
    dice = random.Random(seed)
    for step in range(70):
        act(till, clock, dice, step)
    clock.shift(timedelta(days=1))
    while till.post("/api/reports/z/", {"device": till.device.serial}).status_code == 409:
        close_some_day(till, random.Random(1))

    reports = [till.get(f"/api/reports/z/{z.pk}/").json() for z in ZReport.objects.order_by("pk")]
    for side, kind in (("sales", "sale"), ("credit_notes", "credit_note")):
        signed = Invoice.objects.filter(kind=kind, receipt__isnull=False)
        assert sum(r[side]["count"] for r in reports) == signed.count()
        total = sum((i.total for i in signed), Decimal(0))
        assert sum(Decimal(r[side]["total"]) for r in reports) == total
        assert Decimal(reports[-1]["running"][side]["total"]) == total
    assert [r["number"] for r in reports] == list(range(1, len(reports) + 1))
    assert [r["day"] for r in reports] == sorted({r["day"] for r in reports})
    voided = Invoice.objects.filter(state="voided").count()
    assert sum(r["other_reductions"]["count"] for r in reports) == voided
    taken = set(counted().values_list("invoice_id", flat=True))
    assert taken == set(Invoice.objects.filter(receipt__isnull=False).values_list("pk", flat=True))


# --- Races, on real connections ---


def in_threads(count, work):
    def run(n):
        try:
            return work(n)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.mark.django_db(transaction=True)
def test_concurrent_calls_make_one_z(till):
    offline.sign(till.sell("S-1"))

    def call(n):
        try:
            return close_day(till.device, by=f"till {n}").number
        except DomainError as error:
            return error.code

    answers = in_threads(8, call)

    assert sorted(map(str, answers)) == ["1"] + ["day_closed"] * 7
    assert counted().count() == 1


@pytest.mark.django_db(transaction=True)
def test_signing_during_a_z_loses_nothing(till):
    """Signatures commit while days are being closed: each is in one Z, sooner or later."""
    with time_machine.travel(NOON) as clock:
        sales = [till.sell(f"S-{n}") for n in range(40)]

        def work(n):
            if n == 0:
                for sale in sales:
                    offline.sign(sale)
                return
            for back in range(6, 0, -1):
                day = (NOON - timedelta(days=back)).date() if back > 1 else None
                with suppress(DayClosed, ZBusy):
                    close_day(till.device, day=day, by="night")

        in_threads(3, work)
        clock.shift(timedelta(days=1))
        close_day(till.device, by="the last")

    assert counted().count() == 40
    numbers = ZReport.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, len(numbers) + 1))


# --- By hand, by night, in the back office ---


def test_the_command_closes_a_day_and_shows_it(day, capsys):
    call_command("z_report", device="dvcv1130")

    shown = capsys.readouterr().out
    assert "Z REPORT No. 1" in shown
    assert "7303.00" in shown
    with pytest.raises(CommandError, match="Z 1 of 2026-11-16"):
        call_command("z_report", device="dvcv1130")


def test_the_night_closes_yesterday_where_it_is_asked_to(day, clock, settings):
    clock.shift(timedelta(days=2))
    offline.sign(day.sell("S-7", sold_at=(datetime.now(NAIROBI) - timedelta(days=1)).isoformat()))
    assert close_days() == 0
    settings.Z_NIGHTLY_COMPANIES = [day.pin]

    made = [close_days(), close_days()]

    assert made == [1, 0]
    assert [str(z.day) for z in ZReport.objects.all()] == ["2026-11-17"]


def test_the_night_catches_up_day_by_day(day, clock, settings):
    settings.Z_NIGHTLY_COMPANIES = [day.pin]
    close(day, day="2026-11-15")
    clock.shift(timedelta(days=3))

    assert close_days() == 2
    days = ZReport.objects.order_by("number").values_list("day", flat=True)
    assert [str(day) for day in days] == ["2026-11-15", "2026-11-16", "2026-11-18"]


def test_staff_download_a_z(day, client, admin_user):
    close(day)
    z = ZReport.objects.get()
    client.force_login(admin_user)

    page = client.get(f"/admin/sales/zreport/{z.pk}/change/")
    files = [
        client.get(f"/admin/sales/zreport/{z.pk}/download/{form}/") for form in ("json", "pdf")
    ]

    assert page.status_code == client.get("/admin/sales/zreport/").status_code == 200
    assert files[0].content == z.content.encode()
    assert files[1].content.startswith(b"%PDF")
    assert client.get(f"/admin/sales/zreport/{z.pk}/download/doc/").status_code == 404
