import re
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.tests.client import Device, credit, item, line, movement, sale, stamp

KETTLE, SERVICE = "KE2CTNO0000001", "KE3NTNO0000002"


def test_it_signs_a_sale(device):
    device.stocked()

    answer = device.post("sales_save", sale(1, [line(KETTLE, 2, 100)]))

    data = answer.data
    assert answer.code == "000"
    assert (data["curRcptNo"], data["totRcptNo"]) == (1, 1)
    assert re.fullmatch("[A-Z2-7]{26}", data["intrlData"])
    assert re.fullmatch("[A-Z2-7]{16}", data["rcptSign"])
    assert data["sdcDateTime"][:8] == stamp()[:8]


def test_it_signs_the_same_content_the_same_way(device, server):
    device.stocked()
    first = device.post("sales_save", sale(1, [line(KETTLE, 2, 100)])).data
    server.control("POST", "/reset")
    server.approve(device.pin)
    device.start().stocked()

    again = device.post("sales_save", sale(1, [line(KETTLE, 2, 100)])).data
    other = device.post("sales_save", sale(2, [line(KETTLE, 2, 100)])).data

    assert again["rcptSign"] == first["rcptSign"]
    assert again["intrlData"] == first["intrlData"]
    assert other["rcptSign"] != first["rcptSign"]


def test_it_numbers_sales_and_credit_notes_together_but_receipts_by_type(device):
    device.stocked()
    lines = [line(KETTLE, 1, 100)]

    device.post("sales_save", sale(1, lines))
    device.post("sales_save", sale(2, lines))
    note = device.post("sales_save", credit(3, 1, lines))
    last = device.post("sales_save", sale(4, lines))

    assert (note.data["curRcptNo"], note.data["totRcptNo"]) == (1, 3)
    assert (last.data["curRcptNo"], last.data["totRcptNo"]) == (3, 4)
    assert device.ledger()["counters"]["invoice"] == 4


def test_it_spends_a_number_only_on_acceptance(device):
    device.stocked()

    refused = device.post("sales_save", sale(1, [line(KETTLE, 1000, 100)]))
    accepted = device.post("sales_save", sale(1, [line(KETTLE, 1, 100)]))

    assert (refused.code, accepted.code) == ("910", "000")


def test_it_sells_services_without_stock(device):
    device.stocked()
    device.post("item_save", item(SERVICE))

    assert device.post("sales_save", sale(1, [line(SERVICE, 5, 100)])).code == "000"


def test_it_sums_one_item_over_all_lines_against_stock(device):
    device.stocked(quantity=10)

    answer = device.post("sales_save", sale(1, [line(KETTLE, 6, 100), line(KETTLE, 5, 100)]))

    assert answer.message == "You dont have sufficient stock for this Transaction"


def test_it_accepts_discounts(device):
    device.stocked()

    answer = device.post("sales_save", sale(1, [line(KETTLE, 2, "580.00", discount="116.00")]))

    assert answer.code == "910"  # prices are numbers, never text
    lines = [line(KETTLE, 2, Decimal("580.00"), discount=Decimal("116.00"))]
    assert device.post("sales_save", sale(1, lines)).code == "000"
    assert device.ledger()["invoices"][0]["total"] == "1044.00"


# Published numbers: quantity, price, letter -> taxable amount, tax, total.
PUBLISHED = [
    ("the validator, 100", [(1, 100, "B", "86.21", "13.79", 100)]),
    ("the validator, 1000", [(10, 100, "B", "862.07", "137.93", 1000)]),
    (
        "exempt and zero-rated",
        [(20, 200, "C", "4000", "0", 4000), (30, 200, "A", "6000", "0", 6000)],
    ),
    (
        "a partial credit note",
        [(1, 52200, "B", "45000", "7200", 52200), (1, 2000, "D", "2000", "0", 2000)],
    ),
    ("a supplier invoice recomputed", [(1, "1302.07", "B", "1122.47", "179.60", "1302.07")]),
]


@pytest.mark.parametrize(("_case", "rows"), PUBLISHED, ids=[name for name, _ in PUBLISHED])
def test_it_accepts_published_numbers(device, _case, rows):
    device.stocked()
    lines = [line(KETTLE, row[0], Decimal(row[1]), row[2]) for row in rows]
    for one, row in zip(lines, rows, strict=True):
        expected = {"taxblAmt": row[3], "taxAmt": row[4], "totAmt": row[5]}
        one.update({name: Decimal(value) for name, value in expected.items()})

    original = device.post("sales_save", sale(1, lines))
    note = device.post("sales_save", credit(2, 1, lines))

    assert (original.code, note.code) == ("000", "000")


def test_it_refuses_the_taxable_amount_of_the_published_refusal(gateway):
    gateway.stocked()
    wrong = {**line(KETTLE, 1, 100), "taxblAmt": 100, "taxAmt": 0}

    answer = gateway.post("sales_save", sale(1, [wrong]))

    assert answer.status == 400
    assert answer.message == "Invalid taxblAmt on item: 1. Expected: 86.21, But Found: 100.00"


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(1, 99_999),  # quantity in hundredths
            st.integers(1, 99_999_999),  # price in cents
            st.sampled_from("ABCDE"),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_it_accepts_every_inclusive_split(device, rows):
    if not device.ledger()["items"]:
        device.stocked()
        device.post("item_save", item(SERVICE))
    number = device.ledger()["counters"]["invoice"] + 1
    lines = [line(SERVICE, Decimal(q) / 100, Decimal(p) / 100, letter) for q, p, letter in rows]

    answer = device.post("sales_save", sale(number, lines))

    assert answer.code == "000", answer.text


def test_it_accepts_net_amounts_from_a_lenient_device(lenient):
    net = {
        **line(KETTLE, 1, 1),
        "dcRt": 10,
        "dcAmt": Decimal("0.1"),
        "taxblAmt": Decimal("0.9"),
        "taxAmt": Decimal("0.14"),
        "totAmt": Decimal("1.04"),
        "pkg": Decimal("0.4"),
    }

    answer = lenient.post("sales_save", sale(7, [net], trdInvcNo=123, pmtTyCd=""))

    assert answer.code == "000"


def test_it_answers_994_when_a_lenient_device_repeats_a_number(lenient):
    lines = [line(KETTLE, 1, 100)]
    lenient.post("sales_save", sale(5, lines))

    assert lenient.post("sales_save", sale(5, lines)).code == "994"
    assert lenient.post("sales_save", sale(3, lines)).code == "000"


def test_it_demands_the_printed_fields_of_a_lenient_device(lenient):
    answer = lenient.post("sales_save", sale(1, [line(KETTLE, 1, 100)], trdInvcNo=None))

    assert answer.code == "910"
    assert answer.message == "Request parameter error[<trdInvcNo> : may not be empty]"


def test_it_reads_an_invoice_back_in_other_formats(device):
    device.stocked()
    sent = sale(1, [line(KETTLE, 2, 100)], cfmDt="20261005101400", salesDt="20261005")
    sent["receipt"]["rcptPbctDt"] = "20261005101400"
    signed = device.post("sales_save", sent).data

    found = device.post("invoice_details", invcNo=1).data["salesList"][0]

    receipt = found["receipt"]
    assert (found["cfmDt"], found["salesDt"]) == ("2026-10-05 10:14:00", "20261005")
    assert (found["totAmt"], found["totTaxAmt"]) == (200, 27.59)
    assert (found["modrId"], found["modrNm"]) == (None, None)
    assert receipt["rcptPbctDt"] == "2026-10-05 10:14:00.0"
    assert (receipt["curRcptNo"], receipt["totRcptNo"]) == ("1", "1")
    assert receipt["rcptSign"] == signed["rcptSign"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.0", receipt["sdcDateTime"])
    assert found["itemList"][0]["itemCd"] == KETTLE


def test_it_knows_no_invoice_that_was_not_accepted(device):
    answer = device.post("invoice_details", invcNo=1)

    assert (answer.code, answer.data) == ("001", None)


def test_it_lists_sales_since_a_watermark(device):
    device.stocked()
    device.post("sales_save", sale(1, [line(KETTLE, 1, 100)]))

    found = device.post("sales_list", lastReqDt="20260101000000")
    later = device.post("sales_list", lastReqDt=stamp(minutes=1))

    assert [one["invcNo"] for one in found.data["salesList"]] == [1]
    assert (later.code, later.data) == ("001", None)


def test_it_takes_a_clock_five_minutes_fast_and_no_faster(device):
    device.stocked()
    lines = [line(KETTLE, 1, 100)]

    fast = device.post("sales_save", sale(1, lines, cfmDt=stamp(minutes=4)))
    wrong = device.post("sales_save", sale(2, lines, cfmDt=stamp(minutes=6)))

    assert (fast.code, wrong.code) == ("000", "910")
    assert wrong.message == "cfmDt must not be in the future"


def test_it_keeps_the_counters_of_branches_apart(device, server):
    server.approve(device.pin, branch="01", serial="S-01")
    other = Device(server, device.pin, "01").start("S-01")
    device.stocked()
    device.post("sales_save", sale(1, [line(KETTLE, 1, 100)]))
    other.post("item_class_list", lastReqDt="20180101000000")
    other.post("stock_io_save", movement(1, [line(KETTLE, 5, 100)]))

    answer = other.post("sales_save", sale(1, [line(KETTLE, 1, 100)]))

    assert answer.code == "000"
    assert device.ledger()["counters"]["invoice"] == 1
