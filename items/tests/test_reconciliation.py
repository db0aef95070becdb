"""Our stock beside KRA's list, and our levels beside our own movements."""

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from items.models import StockLevel, StockMovement
from items.services.stock_check import wrong_levels

from .fake_kra import NOTHING, SILENCE, accepted, gateway_refused

pytestmark = pytest.mark.urls("items.tests.urls")
MIGRATION = "items.migrations.0003_fill_stock_levels"


@pytest.fixture
def client(alpha, api):
    return api(alpha)


@pytest.fixture
def thika(alpha, device):
    return device(alpha, "alpha-2", branch="01")


@pytest.fixture
def book(client):
    def send(reference, type="opening", quantity=9, **more):
        data = {"type": type, "reference": reference, "reason": "because"} | more
        lines = [{"item": "A", "quantity": quantity}]
        answer = client.post("/api/stock/", data | {"lines": lines}, format="json")
        assert answer.status_code == 201, answer.content

    return send


@pytest.fixture
def moved(registered, thika, book, client, deliver, till):
    """Four of A went to branch 01, under number 2 of the head office."""
    (item,) = registered("A")
    book("O")
    data = {"reference": "T-1", "from_branch": "00", "to_branch": "01",
            "lines": [{"item": "A", "quantity": 4}]}  # fmt: skip
    assert client.post("/api/stock/transfers/", data, format="json").status_code == 201
    for device in (till, thika):
        deliver(device, "stock")
    return item


@pytest.fixture
def compare(client, kra):
    def ask(*listed):
        kra.replies["stock_move_list"] = [accepted({"stockList": list(listed)}) if listed
                                          else NOTHING]  # fmt: skip
        return client.post("/api/stock/reconcile/", {"device": "alpha-2"}, format="json")

    return ask


def sent(number, quantities):
    lines = [{"itemCd": code, "qty": quantity} for code, quantity in quantities.items()]
    return {"custBhfId": "01", "sarNo": number, "ocrnDt": "20261122", "itemList": lines}


def told(answer):
    return [
        (d["kind"], d["reference"], d["number"], d["item"], float(d["ours"]), float(d["kras"]))
        for d in answer.json()["differences"]
    ]


def test_it_finds_nothing_when_both_agree(moved, compare):
    answer = compare(sent(2, {moved.code: 4}))

    assert (answer.status_code, answer.json()["is_equal"]) == (200, True)


def test_it_finds_what_kra_does_not_list(moved, compare):
    assert told(compare()) == [("not_at_kra", "T-1", 2, "A", 4, 0)]


def test_it_finds_other_quantities(moved, compare):
    answer = compare(sent(2, {moved.code: 3, "KE2NTNO0000077": 1}))

    assert told(answer) == [
        ("other_quantities", "T-1", 2, "A", 4, 3),
        ("other_quantities", "T-1", 2, "KE2NTNO0000077", 0, 1),
    ]


def test_it_finds_goods_that_nobody_booked_in(moved, compare, book):
    listed = (sent(2, {moved.code: 4}), sent(7, {moved.code: 5}))
    before = told(compare(*listed))

    book("BY-HAND", "transfer_in", 5, device="alpha-2")

    assert before == [("not_booked_here", "", 7, "A", 0, 5)]
    assert told(compare(*listed)) == []


def test_it_tells_two_senders_with_one_number_apart(moved, compare):
    answer = compare(sent(2, {moved.code: 9}), sent(2, {moved.code: 4}))

    assert told(answer) == [("not_booked_here", "", 2, "A", 0, 9)]


def test_it_finds_what_kra_refused_and_shows_what_is_under_way(
    moved, compare, book, kra, deliver, thika
):
    kra.replies["stock_io_save"] = [gateway_refused("regTyCd cannot be null")]
    book("BAD", "adjustment_in", 2, device="alpha-2")
    deliver(thika, "stock")
    book("LATER", "adjustment_in", 1, device="alpha-2")

    answer = compare(sent(2, {moved.code: 4}))

    assert told(answer) == [("refused", "BAD", None, "A", 2, 0)]
    assert answer.json()["pending"] == [
        {"item": "A", "level": "5.00", "kra_level": "4.00", "pending": "1.00"}
    ]


@pytest.mark.parametrize(
    "reply", [SILENCE, accepted({"stockList": "none"}), accepted({"stockList": [{"sarNo": "x"}]})]
)
def test_it_says_so_when_kra_gives_no_list(moved, client, kra, reply):
    kra.replies["stock_move_list"] = [reply]

    answer = client.post("/api/stock/reconcile/", {}, format="json")

    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "kra_unavailable")


def test_it_checks_and_repairs_levels_by_command(moved, capsys):
    call_command("check_stock")
    assert "All levels are right." in capsys.readouterr().out
    StockLevel.objects.filter(branch__code="00").update(level=99)
    StockLevel.objects.filter(branch__code="01").delete()

    with pytest.raises(CommandError, match="2 levels are wrong"):
        call_command("check_stock")

    said = capsys.readouterr().out
    assert (
        "A000000001Z branch 00 A: level 99.00, movements 5.00; at KRA 5.00, accepted 5.00" in said
    )
    assert "branch 01 A: level 0, movements 4.00" in said
    call_command("check_stock", repair=True)
    assert "2 levels set right." in capsys.readouterr().out
    assert wrong_levels() == []
    assert StockLevel.objects.get(branch__code="00").level == 5


def test_the_migration_fills_in_what_was_booked_before(moved, book):
    from importlib import import_module

    book("LATER", "adjustment_in", 1)
    StockMovement.objects.filter(reference="T-1", type="04").update(state="refused")
    StockLevel.objects.all().delete()

    with connection.cursor() as cursor:
        cursor.execute(import_module(MIGRATION).FILL)

    assert wrong_levels() == []
    rows = StockLevel.objects.order_by("branch__code")
    assert [(int(one.level), int(one.kra_level)) for one in rows] == [(6, 5), (0, 0)]
