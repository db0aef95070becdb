"""Credit notes of every kind, sent to the strict simulator: it must accept them all."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import close_old_connections
from django.test import Client

from outbox.models import Transmission

pytestmark = pytest.mark.django_db(transaction=True)

BASKET = [
    {"item": "KETTLE", "quantity": "2", "discount_percent": "10"},
    {"item": "SEED", "quantity": "1.5"},
    {"item": "FIT", "quantity": "1"},
]
PIN = {"pin": "A123456789Z", "name": "Baraka Duka", "phone": "0712345678"}


def sign_sale(shop, reference="S-1", **sale):
    response = shop.post("/api/sales/", shop.sale(reference, **sale), Prefer="wait=10")
    assert response.status_code == 201, response.content
    return response.json()


def sign_note(shop, reference="C-1", original="S-1", **note):
    body = {"device": shop.device.serial, "reference": reference, "original": original} | note
    response = shop.post("/api/credit-notes/", body, Prefer="wait=10")
    assert response.status_code == 201, response.content
    assert response.json()["status"] == "signed", response.json()["trouble"]
    return response.json()


def held(shop, reference):
    """The document as the simulator holds it."""
    (found,) = [one for one in shop.ledger() if one["reference"] == reference]
    return found


SALES: list[tuple[str, Any]] = [
    ("walk-in", {}),
    ("buyer with a PIN", {"customer": PIN}),
    ("buyer with a name only", {"customer": {"name": "Baraka"}}),
    ("buyer with a PIN only", {"customer": {"pin": "A123456789Z"}}),
    ("discounts", {"lines": BASKET}),
    ("discount on the whole", {"lines": BASKET, "discount_amount": "77.77"}),
    ("exempt only", {"lines": [{"item": "SEED", "quantity": "0.35"}]}),
    ("tax on top", {"prices_include_tax": False, "lines": [
        {"item": "KETTLE", "quantity": "7", "unit_price": "0.33"},
        {"item": "SEED", "quantity": "2.5", "unit_price": "99.99", "discount_percent": "3"}]}),
    ("dollars", {"prices_include_tax": True, "currency": "USD", "exchange_rate": "129.37",
                 "lines": [{"item": "KETTLE", "quantity": "1000", "unit_price": "0.03"}]}),
    ("the same item twice", {"prices_include_tax": True, "lines": [
        {"item": "KETTLE", "quantity": "1", "unit_price": "99"},
        {"item": "KETTLE", "quantity": "2", "unit_price": "50"}]}),
    ("given away", {"lines": [{"item": "FIT", "quantity": "1", "discount_percent": "100"}]}),
    ("hostile texts", {"remark": '"invcNo":0,', "customer": {"name": "<b>\"'\\"}}),
]  # fmt: skip


@pytest.mark.parametrize("profile", ["direct", "gavaconnect"])
def test_it_credits_whole_sales_of_every_kind(open_shop, profile):
    shop = open_shop(profile=profile)

    for number, (case, sale) in enumerate(SALES, start=1):
        sold = sign_sale(shop, f"S-{number}", **sale)
        note = sign_note(shop, f"C-{number}", f"S-{number}")
        same = ("total", "tax_amount", "taxable_amount", "discount", "customer_pin", "letters")
        assert [note[name] for name in same] == [sold[name] for name in same], case
        ours, theirs = held(shop, f"S-{number}"), held(shop, f"C-{number}")
        assert (theirs["kind"], theirs["original"]) == ("R", ours["number"])
        for name in ("total", "tax", "buyer_pin", "buyer_name"):
            assert theirs[name] == ours[name], case

    shop.deliver()
    assert not Transmission.objects.exclude(status="accepted").exists()


def test_sales_and_credit_notes_share_their_numbers(shop):
    sign_sale(shop, "S-1")
    sign_note(shop, "C-1", "S-1", lines=[{"line": 1, "quantity": "0.5"}])
    sign_sale(shop, "S-2")
    sign_note(shop, "C-2", "S-2")
    sign_note(shop, "C-3", "S-1")

    assert [(one["number"], one["reference"]) for one in shop.ledger()] == [
        (1, "S-1"), (2, "C-1"), (3, "S-2"), (4, "C-2"), (5, "C-3"),
    ]  # fmt: skip
    assert shop.lane.last_number == 5


def test_it_credits_line_by_line_until_nothing_is_left(shop):
    sold = sign_sale(shop, lines=BASKET, discount_amount="50", customer=PIN)
    parts = [
        [{"line": 1, "quantity": "1"}],
        [{"line": 2, "quantity": "0.7"}, {"line": 3, "quantity": "1"}],
        [{"line": 2, "quantity": "0.13"}, {"line": 1, "quantity": "0.5"}],
        None,
    ]

    notes = [
        sign_note(shop, f"C-{number}", **({"lines": lines} if lines else {}))
        for number, lines in enumerate(parts)
    ]

    assert [[line["item"] for line in note["lines"]] for note in notes] == [
        ["KETTLE"], ["SEED", "FIT"], ["SEED", "KETTLE"], ["KETTLE", "SEED"],
    ]  # fmt: skip
    assert sum(Decimal(note["total"]) for note in notes) == Decimal(sold["total"])
    again = {"device": shop.device.serial, "reference": "C-9", "original": "S-1"}
    response = shop.post("/api/credit-notes/", again)
    assert response.status_code == 409
    assert response.json()["error"]["message"] == "Everything of this sale was credited already."
    assert len(shop.ledger()) == 5


@pytest.mark.parametrize(
    ("_case", "parts"),
    [
        ("every part rounds down", [("10.01", "1.2", "0.4")]),
        ("every part rounds up", [("0.50", "0.03", "0.01")]),
        ("every part is worth nothing", [("0.40", "0.03", "0.01")]),
    ],
)
def test_it_credits_weighed_goods_to_the_cent(shop, _case, parts):
    ((price, quantity, part),) = parts
    lines = [{"item": "SEED", "quantity": quantity, "unit_price": price}]
    sold = sign_sale(shop, lines=lines, prices_include_tax=True)

    notes = [sign_note(shop, f"C-{n}", lines=[{"line": 1, "quantity": part}]) for n in range(3)]

    assert sum(Decimal(note["total"]) for note in notes) == Decimal(sold["total"])


def kettles(shop):
    """What the simulator has of the one item that the sales here move."""
    shop.deliver()
    assert not Transmission.objects.open().exists()
    assert not Transmission.objects.filter(status="refused").exists()
    stock = shop.simulator.ledger(shop.pin)["stock"]
    return sorted(float(quantity) for quantity in stock.values())[0]


@pytest.mark.parametrize(
    ("_case", "returns", "left"), [("goods come back", True, 10_000), ("money only", False, 9_997)]
)
def test_goods_come_back_into_stock_when_the_buyer_brings_them(shop, _case, returns, left):
    sign_sale(shop, lines=[{"item": "KETTLE", "quantity": "3"}, {"item": "FIT", "quantity": "1"}])
    assert kettles(shop) == 9_997

    sign_note(shop, returns_goods=returns)

    assert kettles(shop) == left


def test_a_note_waits_behind_its_sales_lane_and_keeps_its_original(shop):
    sign_sale(shop, "S-1")
    shop.simulator.fault("lost_after")
    sold = shop.sell("S-2")
    body = {"device": shop.device.serial, "reference": "C-1", "original": "S-1"}
    assert shop.post("/api/credit-notes/", body).status_code == 202

    shop.deliver()

    assert shop.status(sold) == "signed"
    assert [(one["number"], one["reference"]) for one in shop.ledger()] == [
        (1, "S-1"), (2, "S-2"), (3, "C-1"),
    ]  # fmt: skip


def test_a_refused_note_is_voided_and_made_again(shop):
    sign_sale(shop)
    shop.simulator.fault("result_code", code="910")
    body = {"device": shop.device.serial, "reference": "C-1", "original": "S-1"}
    refused = shop.post("/api/credit-notes/", body, Prefer="wait=10").json()
    assert refused["status"] == "refused"

    correct = shop.post(f"/api/invoices/{refused['id']}/correct/", {"lines": BASKET})
    void = shop.post(f"/api/invoices/{refused['id']}/void/", {"reason": "KRA refused it"})

    assert correct.json()["error"]["code"] == "not_correctable"
    assert void.json()["status"] == "voided"
    assert sign_note(shop, "C-2")["total"] == "4320.00"


def test_a_repeat_of_a_note_is_the_same_note(shop):
    sign_sale(shop)
    note = sign_note(shop, lines=[{"line": 1, "quantity": "1"}])
    body = {"device": shop.device.serial, "reference": "C-1", "original": "S-1"}

    again = shop.post("/api/credit-notes/", body | {"lines": [{"line": 1, "quantity": "1.00"}]})
    other = shop.post("/api/credit-notes/", body)

    assert (again.status_code, again["Idempotent-Replayed"]) == (200, "true")
    assert again.json()["id"] == note["id"]
    assert other.json()["error"]["code"] == "reference_reused"


@pytest.mark.parametrize("turn", range(3))
def test_a_note_sent_several_times_at_once_is_one_note(shop, turn):
    sign_sale(shop)
    body = {"device": shop.device.serial, "reference": "C-1", "original": "S-1"}
    start = threading.Barrier(6)

    def send(_):
        try:
            start.wait(30)
            return Client().post(
                "/api/credit-notes/",
                body,
                content_type="application/json",
                headers=shop.headers(),
            )
        finally:
            close_old_connections()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(send, range(6)))

    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [202]
    assert len({answer.json()["id"] for answer in answers}) == 1
