"""Goods that move: what KRA is told, in which order, with which amounts."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from items.amounts import line_amounts
from items.errors import MovementNotRetryable
from items.models import Item, StockLevel, StockMovement, StockMovementLine
from items.services import (
    Customer,
    StockLine,
    book_stock,
    retry_movement,
    stock_shortages,
)
from outbox.models import Transmission

from .fake_kra import SILENCE, gateway_refused

NOON = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
TOO_LOW = gateway_refused("You dont have sufficient stock for this Transaction")


@pytest.fixture
def book(till):
    def run(type, *lines, reference="R1", device=till, **about):
        return book_stock(
            device=device,
            type=type,
            lines=[
                StockLine(item.pk, Decimal(quantity), Decimal(price))
                for item, quantity, price in lines
            ],
            reference=reference,
            occurred_at=NOON,
            **about,
        )

    return run


@pytest.mark.parametrize(
    ("_case", "quantity", "price", "rate", "expected"),
    [
        ("ten at a hundred", "10", "100", "16", ("100", "1000.00", "862.07", "137.93")),
        ("zero rate", "20", "350", "0", ("350", "7000.00", "7000.00", "0.00")),
        ("half a cent goes up", "3", "0.335", "0", ("0.335", "1.01", "1.01", "0.00")),
        ("free goods", "5", "0", "16", ("0.01", "0.05", "0.04", "0.01")),
        ("a pinch of free goods", "0.30", "0", "0", ("0.04", "0.01", "0.01", "0.00")),
    ],
)
def test_it_computes_amounts(_case, quantity, price, rate, expected):
    amounts = line_amounts(Decimal(quantity), Decimal(price), Decimal(rate))

    assert amounts == tuple(Decimal(text) for text in expected)


def test_it_tells_kra_the_movement_then_each_level(registered, book, deliver, till, kra):
    first, second = registered("A", "B")

    book("06", (first, 10, 100), (second, 2, 58))
    deliver(till, "stock")

    sent = [name for name, _ in kra.sent if name.startswith("stock")]
    assert sent == ["stock_io_save", "stock_master_save", "stock_master_save"]
    levels = [(body["itemCd"], body["rsdQty"]) for body in kra.bodies("stock_master_save")]
    assert levels == [(first.code, 10), (second.code, 2)]
    assert StockMovement.objects.get().state == "accepted"


def test_it_sends_the_golden_movement(registered, book, deliver, till, kra):
    (item,) = registered("A")

    book("11", (item, 10, 100), customer=Customer("P000000000B", "Jamii Ltd"), remark="Sale")
    deliver(till, "stock")

    body = kra.bodies("stock_io_save")[0]
    line = body["itemList"][0]
    assert (body["sarNo"], body["orgSarNo"], body["regTyCd"]) == (1, 0, "M")
    assert (body["sarTyCd"], body["ocrnDt"]) == ("11", "20261122")
    assert (body["custTin"], body["custNm"]) == ("P000000000B", "Jamii Ltd")
    assert (body["totItemCnt"], body["totAmt"]) == (1, 1000)
    assert (body["totTaxblAmt"], body["totTaxAmt"]) == (Decimal("862.07"), Decimal("137.93"))
    assert (line["itemSeq"], line["itemCd"], line["qty"], line["pkg"]) == (1, item.code, 10, 1)
    assert (line["prc"], line["splyAmt"], line["totDcAmt"], line["totAmt"]) == (100, 1000, 0, 1000)
    assert (line["taxblAmt"], line["taxAmt"]) == (Decimal("862.07"), Decimal("137.93"))


def test_it_sums_the_lines_of_one_item(registered, book):
    (item,) = registered("A")

    movement = book("11", (item, 2, 100), (item, 3, 90))

    line = movement.lines.get()
    assert (line.quantity, line.unit_price) == (Decimal(5), Decimal(100))


def test_it_leaves_out_what_has_no_stock(registered, sync, book, row):
    goods, service = registered("A", row("S", product_type="3"))
    sync(row("N", is_fiscal=False))
    local = Item.objects.get(sku="N")

    movement = book("11", (service, 1, 5), (goods, 1, 5), (local, 1, 5))

    assert [line.item_id for line in movement.lines.all()] == [goods.pk]
    assert book("11", (service, 1, 5), (local, 1, 5), reference="R2") is None
    assert StockMovement.objects.count() == 1


def test_it_leaves_out_another_companys_items(beta, registered, sync, book):
    registered("A")
    sync("B", company=beta)
    theirs = Item.objects.get(company=beta)

    assert book("11", (theirs, 1, 5)) is None


def test_it_books_a_reference_once(registered, book):
    (item,) = registered("A")

    first, second = book("11", (item, 1, 5)), book("11", (item, 1, 5))

    assert first == second
    assert StockMovementLine.objects.count() == 1
    assert Transmission.objects.filter(kind="stock_movement").count() == 1


def test_it_reports_the_sum_of_what_kra_has_accepted(registered, book, deliver, till, kra):
    (item,) = registered("A")
    kra.replies["stock_io_save"] = [
        gateway_refused("Invalid taxblAmt on item: 1. Expected: 1, But Found: 2")
    ]
    book("06", (item, 7, 5), reference="R1")
    book("06", (item, 10, 5), reference="R2")
    book("11", (item, 4, 5), reference="R3")

    deliver(till, "stock")

    assert [body["rsdQty"] for body in kra.bodies("stock_master_save")] == [10, 6]
    assert [body["sarNo"] for body in kra.bodies("stock_io_save")] == [1, 1, 2]
    states = StockMovement.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["refused", "accepted", "accepted"]


def test_it_counts_each_branch_for_itself(alpha, device, registered, book, deliver, till, kra):
    (item,) = registered("A")
    elsewhere = device(alpha, "alpha-2", branch="01")
    book("06", (item, 7, 5))
    book("06", (item, 1, 5), device=elsewhere)

    deliver(till, "stock")
    deliver(elsewhere, "stock")

    sent = [(body["bhfId"], body["rsdQty"]) for body in kra.bodies("stock_master_save")]
    assert sent == [("00", 7), ("01", 1)]


def test_it_shows_our_level_beside_kras(registered, book, deliver, till):
    (item,) = registered("A")
    book("06", (item, 10, 5), reference="R1")
    deliver(till, "stock")
    book("11", (item, 3, 5), reference="R2")

    level = StockLevel.objects.get()

    assert (level.level, level.kra_level, level.pending) == (Decimal(7), Decimal(10), Decimal(-3))


def test_it_warns_of_goods_that_kra_holds_too_little_of(registered, book, deliver, till, row):
    goods, service = registered("A", row("S", product_type="3"))
    book("06", (goods, 2, 5))
    deliver(till, "stock")

    enough = stock_shortages(till.branch_id, {goods.pk: Decimal(2), service.pk: Decimal(9)})
    short = stock_shortages(till.branch_id, {goods.pk: Decimal(3)})

    assert enough == []
    assert [(s.sku, s.wanted, s.at_kra) for s in short] == [("A", Decimal(3), Decimal(2))]


def test_it_waits_until_kra_knows_the_items(sync, book, deliver, till, kra, row):
    sync(row("A", opening_stock=Decimal(10)), row("B", opening_stock=Decimal(4)))
    deliver(till, "stock")
    assert StockMovement.objects.get().state == "waiting"
    assert kra.bodies("stock_io_save") == []

    deliver(till)
    deliver(till, "stock")

    body = kra.bodies("stock_io_save")[0]
    assert [(line["itemCd"], line["qty"]) for line in body["itemList"]] == [
        ("KE2NTNO0000001", 10),
        ("KE2NTNO0000002", 4),
    ]
    assert body["sarTyCd"] == "06"
    assert body["remark"] == "Opening stock"
    assert StockMovement.objects.get().state == "accepted"


def test_it_leaves_the_stock_of_refused_items_behind(sync, deliver, till, kra, row):
    kra.replies["item_save"] = [gateway_refused("orgnNatCd cannot be null")]
    sync(row("A", opening_stock=Decimal(10)), row("B", opening_stock=Decimal(4)))

    deliver(till)
    deliver(till, "stock")

    sent, rest = StockMovement.objects.order_by("pk")
    assert [line.item.sku for line in sent.lines.all()] == ["B"]
    assert [line.item.sku for line in rest.lines.all()] == ["A"]
    assert (sent.state, rest.state) == ("accepted", "waiting")


def test_it_stops_waiting_for_an_item_that_is_no_longer_fiscal(
    registered, sync, book, deliver, till, kra, row
):
    (first,) = registered("A")
    sync("B")
    book("06", (first, 1, 5), (Item.objects.get(sku="B"), 2, 5))

    sync(row("B", is_fiscal=False))
    deliver(till, "stock")

    assert [line["itemCd"] for line in kra.bodies("stock_io_save")[0]["itemList"]] == [first.code]
    states = StockMovement.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["accepted", "waiting"]


def test_it_sends_a_refused_movement_again(registered, book, deliver, till, kra):
    (item,) = registered("A")
    kra.replies["stock_io_save"] = [TOO_LOW]
    movement = book("11", (item, 1, 5))
    deliver(till, "stock")
    assert kra.bodies("stock_master_save") == []

    retry_movement(movement)
    deliver(till, "stock")

    assert StockMovement.objects.get().state == "accepted"
    assert len(kra.bodies("stock_master_save")) == 1
    with pytest.raises(MovementNotRetryable):
        retry_movement(movement)


def test_it_resends_the_same_bytes_while_kra_is_silent(registered, book, deliver, till, kra):
    (item,) = registered("A")
    kra.replies["stock_io_save"] = [SILENCE]
    book("06", (item, 1, 5))

    deliver(till, "stock")
    deliver(till, "stock")

    first, second = kra.bodies("stock_io_save")
    assert first == second
