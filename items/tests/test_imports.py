"""Import lines: fetched once, matched by a person, decided once."""

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connections

from core.errors import DomainError, Invalid, Upstream
from items import tasks
from items.errors import ImportDecided, ImportUnmatched, ItemUnknownToKRA, UnknownItems
from items.models import ImportCursor, ImportLine, ImportMatch, Item, StockMovement
from items.services import imports
from items.services.import_decisions import (
    Approval,
    approve_import,
    match_import,
    reject_import,
)
from items.services.imports import sync_imports
from items.services.suggestions import suggest
from outbox.models import Transmission

from .fake_kra import LOST, SILENCE, accepted, said

pytestmark = pytest.mark.django_db


def declared(task="T-1", sequence=1, **more):
    return {
        "taskCd": task, "dclDe": "03092026", "itemSeq": sequence, "dclNo": "26NBO1",
        "hsCd": "8516100000", "itemNm": "ELECTRIC KETTLES; ", "imptItemsttsCd": "2",
        "orgnNatCd": "CN", "exptNatCd": "CN", "pkg": 10, "pkgUnitCd": "CT", "qty": 100,
        "qtyUnitCd": "NO", "totWt": 150, "netWt": 140, "spplrNm": "EXPORTER LTD",
        "agntNm": "AGENT LTD", "invcFcurAmt": 1000, "invcFcurCd": "USD", "invcFcurExcrt": 129.5,
    } | more  # fmt: skip


def listed(*lines, at="20261122101500"):
    return accepted({"itemList": list(lines)}, at=at)


@pytest.fixture
def fetch(alpha, kra):
    """Let KRA list these lines and fetch them; returns alpha's lines."""

    def run(*lines, **more):
        kra.replies["import_list"].append(listed(*lines, **more))
        sync_imports(alpha, None, everything=False)
        return list(ImportLine.objects.filter(company=alpha).order_by("pk"))

    return run


@pytest.fixture
def line(fetch):
    return fetch(declared())[0]


@pytest.fixture
def kettle(registered):
    return registered("KETTLE")[0]


def test_it_fetches_what_changed_since_the_last_answer(fetch, kra):
    fetch(declared(), at="20261122101500")

    lines = fetch(declared(), declared("T-2"), at="20261123080000")

    assert [x.task_code for x in lines] == ["T-1", "T-2"]
    asked = [body["lastReqDt"] for body in kra.bodies("import_list")]
    assert asked == ["20180101000000", "20261122101500"]


def test_it_resumes_where_an_outage_stopped_it(alpha, fetch, kra):
    fetch(declared(), at="20261122101500")
    kra.replies["import_list"].append(SILENCE)
    with pytest.raises(Upstream):
        sync_imports(alpha, None, everything=False)
    assert ImportCursor.objects.get().error_code == "connect_timeout"

    lines = fetch(declared("T-2"))

    assert len(lines) == 2
    assert kra.bodies("import_list")[-1]["lastReqDt"] == "20261122101500"
    assert ImportCursor.objects.get().error_code == ""


def test_one_branch_that_fails_stops_no_other(alpha, device, kra):
    device(alpha, "alpha-2", branch="01")
    kra.replies["import_list"] += [SILENCE, listed(declared())]

    pulls = sync_imports(alpha, None, everything=False)

    assert [(pull.branch, pull.state, pull.new) for pull in pulls] == [
        ("00", "failed", 0),
        ("01", "done", 1),
    ]


def test_a_line_of_two_branches_is_one_line(alpha, device, kra):
    device(alpha, "alpha-2", branch="01")
    kra.replies["import_list"] += [listed(declared()), listed(declared())]

    sync_imports(alpha, None, everything=False)

    assert ImportLine.objects.get().branch.code == "00"


def test_a_line_that_cannot_be_echoed_is_counted_and_hides_no_other(alpha, kra):
    odd = [declared("T" * 51), declared("", 2), declared(dclDe="2026-09-03")]
    kra.replies["import_list"] = [listed(*odd, declared("T-2", qty="x", pkg="9" * 18))]

    (pull,) = sync_imports(alpha, None, everything=False)

    assert (pull.new, pull.unreadable) == (1, 3)
    assert ImportLine.objects.get().quantity is None


def test_a_line_decided_elsewhere_is_not_ours_to_decide(fetch, kettle):
    (line,) = fetch(declared(imptItemsttsCd="3"))

    assert line.state == "decided_elsewhere"
    with pytest.raises(ImportDecided):
        approve_import(line, Approval("KETTLE"))
    (line,) = fetch(declared(imptItemsttsCd="2"))
    assert line.state == "offered"


def test_an_approval_echoes_the_line_and_brings_stock_in(fetch, kettle, till, deliver, kra):
    (line,) = fetch(declared(dclDe="-1 ", hsCd="84713000 "))

    approve_import(line, Approval("KETTLE"))
    assert not StockMovement.objects.exists()
    deliver(till)

    (sent,) = kra.bodies("import_update")
    assert (sent["dclDe"], sent["hsCd"], sent["taskCd"], sent["itemSeq"]) == (
        *("-1 ", "84713000 ", "T-1", 1),
    )
    assert (sent["imptItemSttsCd"], sent["itemCd"]) == ("3", kettle.code)
    assert sent["remark"]
    line.refresh_from_db()
    assert (line.state, line.status_code) == ("approved", "3")
    booked = line.movement.lines.get()
    # 1000 USD at 129.50 over 100 pieces, and 16 %.
    assert (booked.quantity, booked.unit_price) == (Decimal(100), Decimal("1502.20"))
    assert line.movement.type == "01"


def test_a_service_brings_no_stock(line, registered, till, deliver, row):
    registered(row("SRV", product_type="service"))

    approve_import(line, Approval("SRV"))
    deliver(till)

    line.refresh_from_db()
    assert (line.state, line.movement) == ("approved", None)
    assert not StockMovement.objects.exists()


def test_a_rejection_moves_nothing(line, kettle, till, deliver, kra):
    reject_import(line, reason="Not ours", sku="KETTLE")
    deliver(till)

    (sent,) = kra.bodies("import_update")
    assert (sent["imptItemSttsCd"], sent["remark"]) == ("4", "Not ours")
    line.refresh_from_db()
    assert line.state == "rejected"
    assert not StockMovement.objects.exists()
    assert not ImportMatch.objects.exists()


def test_a_lost_answer_is_looked_up_and_doubles_nothing(line, kettle, till, deliver, kra):
    kra.replies["import_update"] = [LOST]
    approve_import(line, Approval("KETTLE"))
    deliver(till)
    line.refresh_from_db()
    assert (line.state, line.transmission.status) == ("queued", "unknown")

    kra.replies["import_list"] = [listed(declared(imptItemsttsCd="3"))]
    deliver(till)

    line.refresh_from_db()
    assert line.state == "approved"
    assert len(kra.bodies("import_update")) == 1
    assert StockMovement.objects.count() == 1


def test_a_lost_message_goes_again_with_the_same_bytes(line, kettle, till, deliver, kra):
    kra.replies["import_update"] = [LOST]
    approve_import(line, Approval("KETTLE"))
    deliver(till)

    kra.replies["import_list"] = [listed(declared(imptItemsttsCd="2"))]
    deliver(till)
    deliver(till)

    first, second = kra.bodies("import_update")
    assert first == second
    line.refresh_from_db()
    assert line.state == "approved"
    assert StockMovement.objects.count() == 1


def test_a_refusal_is_shown_and_can_be_decided_again(line, kettle, till, deliver, kra, fetch):
    kra.replies["import_update"] = [said("910", "Request parameter error")]
    approve_import(line, Approval("KETTLE"))
    deliver(till)
    line.refresh_from_db()
    assert (line.state, line.transmission.error_code) == ("refused", "910")
    assert not StockMovement.objects.exists()
    (line,) = fetch(declared(qty=99))
    assert line.state == "refused"

    approve_import(line, Approval("KETTLE"))
    deliver(till)

    line.refresh_from_db()
    assert line.state == "approved"
    assert line.movement.lines.get().quantity == 99


def test_what_we_decided_on_does_not_change_under_us(line, kettle, fetch):
    approve_import(line, Approval("KETTLE"))

    (same,) = fetch(declared(qty=1, hsCd="1"))

    assert (same.quantity, same.hs_code, same.state) == (100, "8516100000", "queued")


def test_a_repeat_is_the_same_approval_and_another_is_refused(line, kettle, registered):
    registered("POT")
    first = approve_import(line, Approval("KETTLE"))

    again = approve_import(line, Approval("KETTLE", Decimal(100)))

    assert (first.is_new, again.is_new) == (True, False)
    for other in (Approval("POT"), Approval("KETTLE", Decimal(7))):
        with pytest.raises(ImportDecided):
            approve_import(line, other)
    with pytest.raises(ImportDecided):
        reject_import(line, reason="No", sku="KETTLE")
    assert Transmission.objects.filter(kind="import_update").count() == 1


def test_an_unmatched_line_is_not_decided_on(line, sync, beta, row):
    sync("DRAFT")
    sync(row("HERS"), company=beta)
    refusals = {"": ImportUnmatched, "NONE": UnknownItems, "HERS": UnknownItems}

    for sku, error in (refusals | {"DRAFT": ItemUnknownToKRA}).items():
        with pytest.raises(error) as caught:
            approve_import(line, Approval(sku))
        assert caught.value.problems[0].field == "item"
        assert caught.value.problems[0].next_step
        with pytest.raises(error):
            reject_import(line, reason="No", sku=sku)
    assert not Transmission.objects.filter(kind="import_update").exists()
    assert not ImportMatch.objects.exists()


def test_an_inactive_item_stands_for_no_import(line, kettle):
    Item.objects.filter(pk=kettle.pk).update(is_active=False)

    with pytest.raises(ItemUnknownToKRA):
        approve_import(line, Approval("KETTLE"))


@pytest.mark.parametrize("quantity", ["0", "-1", "0.001", "NaN", "1e11"])
def test_it_refuses_a_quantity_that_cannot_be_booked(line, kettle, quantity):
    with pytest.raises(Invalid) as caught:
        approve_import(line, Approval("KETTLE", Decimal(quantity)))

    assert [p.field for p in caught.value.problems] == ["quantity"]


def test_other_units_need_a_quantity(fetch, kettle):
    (line,) = fetch(declared(qtyUnitCd="KGM", qty=20))

    with pytest.raises(Invalid, match="not valid") as caught:
        approve_import(line, Approval("KETTLE"))

    assert "20 KGM" in caught.value.problems[0].reason
    approve_import(line, Approval("KETTLE", Decimal(5)))


def test_a_match_is_remembered_and_only_suggested(fetch, kettle, registered, row):
    registered(row("POT", name="Cooking pot"))
    first, second, third = fetch(
        declared(), declared("T-2"), declared("T-3", spplrNm="OTHER LTD", itemNm="POTS")
    )

    match_import(first, "KETTLE")

    found = suggest([second, third], by_name=True)
    assert [(s.item, s.why) for s in found[second.pk]] == [("KETTLE", "same_goods")]
    assert [(s.item, s.why) for s in found[third.pk]] == [
        ("KETTLE", "same_hs_code"),
        ("POT", "similar_name"),
    ]
    second.refresh_from_db()
    assert second.item is None
    with pytest.raises(ImportUnmatched):
        approve_import(second, Approval())


def test_another_choice_replaces_the_remembered_one(line, kettle, registered):
    registered("POT")
    match_import(line, "KETTLE")
    match_import(line, "KETTLE")

    match_import(line, "POT")

    remembered = ImportMatch.objects.get()
    assert (remembered.item.sku, remembered.times) == ("POT", 1)


def test_beta_is_suggested_nothing_of_alphas(line, kettle, beta, kra):
    match_import(line, "KETTLE")
    kra.replies["import_list"].append(listed(declared()))
    sync_imports(beta, None, everything=False)
    hers = ImportLine.objects.get(company=beta)

    assert suggest([hers], by_name=True) == {hers.pk: []}


def test_the_schedule_begins_with_whom_it_asked_longest_ago(alpha, beta, kra):
    sync_imports(alpha, None, everything=False)
    kra.sent.clear()

    tasks.sync_imports()

    assert [body["tin"] for body in kra.bodies("import_list")] == [beta.pin, alpha.pin]


@pytest.mark.django_db(transaction=True)
def test_two_approvals_at_once_are_one_message(line, kettle, monkeypatch):
    monkeypatch.setattr("outbox.doorbell.ring", lambda *_, **__: True)

    def decide(order):
        try:
            return approve_import(line, order).is_new
        except DomainError as error:
            return error.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(decide, [Approval("KETTLE")] * 4))

    assert sorted(outcomes) == [False, False, False, True]
    assert Transmission.objects.filter(kind="import_update").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_fetches_at_once_store_nothing_twice(alpha, kra, monkeypatch):
    known = imports._known

    def slowly(*args):
        found = known(*args)
        time.sleep(0.2)
        return found

    monkeypatch.setattr(imports, "_known", slowly)
    lines = [declared(f"T-{n}") for n in range(40)]
    kra.replies["import_list"] = [listed(*lines) for _ in range(3)]

    def fetch(_):
        try:
            return sync_imports(alpha, None, everything=True)[0].new
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(fetch, range(3)))

    assert sorted(outcomes) == [0, 0, 40]
    assert ImportLine.objects.count() == 40
