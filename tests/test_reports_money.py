"""To the cent: a random week of two shops, counted by hand and by every report."""

import random
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import time_machine

from kra.times import NAIROBI
from outbox.models import Status
from sales.models import Invoice, Reconciliation, ZReport
from sales.reconciliation.comparing import figures_by_day
from sales.tests import shop as offline

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 9, 9, tzinfo=NAIROBI)
WEEK = "from=2026-11-09&to=2026-11-15"
METHODS = ["cash", "card", "mobile_money", "cheque"]
GOODS = [("KETTLE", None), ("SEED", None), ("BREAD", None), ("FIT", "D"), ("KETTLE", "C")]


def basket(dice):
    lines = []
    for item, letter in dice.sample(GOODS, dice.randint(1, 4)):
        line = {
            "item": item,
            "quantity": f"{dice.randint(1, 999) / 100:.2f}",
            "unit_price": f"{dice.randint(1, 999_999) / 100:.2f}",
        }
        if letter:
            line["tax"] = letter
        if dice.random() < 0.4:
            line["discount_percent"] = str(dice.randint(1, 60))
        lines.append(line)
    return lines


def trade(till, dice, name):
    """One sale, and what becomes of it."""
    sale = till.sell(
        name, lines=basket(dice), payment_method=dice.choice(METHODS),
        prices_include_tax=dice.random() < 0.7,
    )  # fmt: skip
    fate = dice.choice(["sign"] * 6 + ["late", "late", "void", "refuse", "training"])
    if fate == "sign":
        offline.sign(sale)
        if dice.random() < 0.3:
            body = {"device": till.device.serial, "reference": f"C-{name}", "original": name}
            note = till.post("/api/credit-notes/", body).json()
            offline.sign(Invoice.objects.get(pk=note["id"]))
    elif fate == "void":
        till.post(f"/api/invoices/{sale.pk}/void/", {"reason": "changed their mind"})
    elif fate == "refuse":
        offline.settle(sale, Status.REFUSED, error_code="910")
    elif fate == "training":
        till.post("/api/sales/", till.sale(f"X-{name}", training=True))


@pytest.fixture
def shops(open_till):
    """Two shops that trade through one week side by side; days are closed now and then."""
    dice = random.Random(17)
    tills = [open_till(), open_till("P051234567Q", "other-1")]
    with time_machine.travel(START, tick=False) as clock:
        for day in range(7):
            for number in range(8):
                for till in tills:
                    trade(till, dice, f"{day}-{number}")
            late = Invoice.objects.filter(transmission__status=Status.QUEUED, state="active")
            for sale in late.order_by("pk")[: dice.randint(0, 2)]:
                offline.sign(sale)
            for till in tills:
                if dice.random() < 0.7:
                    close_open_days(till)
            clock.shift(timedelta(days=1))
        yield tills


def close_open_days(till):
    while True:
        answer = till.post("/api/reports/z/", {"device": till.device.serial})
        if answer.status_code == 201:
            return
        error = answer.json()["error"]
        if error["code"] != "earlier_day_open":
            assert error["code"] == "day_closed"
            return
        day = error["message"].split()[0]
        closed = till.post("/api/reports/z/", {"device": till.device.serial, "day": day})
        assert closed.status_code == 201


def by_hand(till):
    """By (kind, letter) taxable and tax; by (kind, method) totals; from the invoices alone."""
    letters, methods = defaultdict(Decimal), defaultdict(Decimal)
    for sale in Invoice.objects.filter(company=till.company, receipt__isnull=False):
        methods[sale.kind, sale.payment_method] += sale.total
        for letter in "ABCDE":
            for name in ("taxable", "tax"):
                amount = getattr(sale, f"{name}_{letter.lower()}")
                if amount:
                    letters[sale.kind, letter, name] += amount
    return dict(letters), dict(methods)


CODES = {"cash": "01", "cheque": "04", "card": "05", "mobile_money": "06"}


def of_days(reports):
    letters, methods = defaultdict(Decimal), defaultdict(Decimal)
    for report in reports:
        for kind, side in (("sale", "sales"), ("credit_note", "credit_notes")):
            for row in report[side]["letters"]:
                for name in ("taxable", "tax"):
                    if Decimal(row[name]):
                        letters[kind, row["letter"], name] += Decimal(row[name])
            for row in report[side]["payments"]:
                methods[kind, CODES[row["method"]]] += Decimal(row["total"])
    return dict(letters), dict(methods)


def vat_letters(report):
    letters = {}
    for row in report["rows"]:
        for kind, side in (("sale", "sales"), ("credit_note", "credit")):
            for name in ("taxable", "tax"):
                if amount := Decimal(row[f"{side}_{name}"]):
                    letters[kind, row["letter"], name] = amount
    return letters


def test_every_report_says_the_same_to_the_cent(shops):
    sides = []
    for till in shops:
        zs = ZReport.objects.filter(company=till.company).order_by("number")
        days = [till.get(f"/api/reports/z/{z.pk}/").json() for z in zs]
        x = till.get("/api/reports/x/").json()
        letters, methods = by_hand(till)

        assert len(days) > 2
        assert of_days([*days, x]) == (letters, methods)
        vat = till.get(f"/api/reports/vat/?{WEEK}").json()
        assert vat_letters(vat) == letters
        assert Decimal(vat["output_tax"]) == net(letters, "tax") == reconciled(till).our_vat
        total = sum(v if kind == "sale" else -v for (kind, _), v in methods.items())
        assert reconciled(till).our_total == total
        payments = till.get(f"/api/reports/payments/?{WEEK}").json()
        assert Decimal(payments["net"]) == total
        assert plu_net(till) == total
        sides.append((letters, methods))
    # Had they been mixed, each would be the sum of both.
    assert sides[0] != sides[1]
    assert all(any(kind == "credit_note" for kind, *_ in letters) for letters, _ in sides)


def net(letters, name):
    return sum(v if key[0] == "sale" else -v for key, v in letters.items() if key[2] == name)


def reconciled(till):
    """What reconciliation adds up of our side, over the same days."""
    # Never stored: it only says whose days are meant.
    run = Reconciliation(
        pk=0,
        company=till.company, device=till.device, first_day=START.date(),
        last_day=START.date() + timedelta(days=6), asked_at=START + timedelta(days=30),
    )  # fmt: skip
    whole = Reconciled()
    for day in figures_by_day(run):
        whole.our_total += day.our_total
        whole.our_vat += day.our_vat
    return whole


class Reconciled:
    our_total = our_vat = Decimal(0)


def plu_net(till):
    """Half of it is read from the sums of Zs, the rest from lines."""
    report = till.get(f"/api/reports/plu/?{WEEK}").json()
    rows = report["rows"]
    assert sum(Decimal(row["amount"]) for row in rows) == Decimal(report["amount"])
    return Decimal(report["amount"]) - Decimal(report["credited_amount"])
