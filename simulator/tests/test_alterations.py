"""Books put wrong on order, so that a comparison of books has something to find."""

import pytest

from simulator.tests.client import line, sale

KETTLE = "KE2CTNO0000001"
PATH = "/_simulator/invoices"


@pytest.fixture
def sold(device):
    device.stocked()
    for number in (1, 2):
        assert device.post("sales_save", sale(number, [line(KETTLE, 1, 100)])).code == "000"
    return device


def order(device, **body):
    return {"pin": device.pin, "branch": "00", **body}


def held(device, number):
    return device.post("invoice_details", {"invcNo": number})


def test_it_changes_what_is_stored(sold, server):
    body = order(sold, number=2, set={"totAmt": 90, "rcptTyCd": "R"})

    assert server.request("PUT", PATH, body).status == 200

    (row,) = held(sold, 2).data["salesList"]
    assert (row["totAmt"], row["rcptTyCd"]) == (90, "R")
    assert sold.ledger()["counters"]["invoice"] == 2


def test_it_takes_an_invoice_away_and_keeps_the_counters(sold, server):
    before = sold.ledger()["counters"]

    assert server.request("DELETE", PATH, order(sold, number=2)).status == 200

    assert held(sold, 2).code == "001"
    assert sold.ledger()["counters"] == before | {"invoices": 1}


def test_it_adds_a_copy_under_another_number(sold, server):
    assert server.request("PUT", PATH, order(sold, number=9, like=1)).status == 200

    (row,) = held(sold, 9).data["salesList"]
    assert (row["invcNo"], row["totAmt"]) == (9, 100)
    assert sold.ledger()["counters"]["invoice"] == 2


@pytest.mark.parametrize(
    "body",
    [
        {"number": 7},
        {"number": "1"},
        {"number": 1, "set": {"totAmt": "much"}},
        {"number": 1, "set": {"itemList": []}},
        {"number": 1, "set": {"rcptTyCd": "X"}},
        {"number": 1, "set": 3},
    ],
)
def test_it_says_what_it_cannot_understand(sold, server, body):
    before = sold.ledger()

    answer = server.request("PUT", PATH, order(sold, **body))

    assert (answer.status, list(answer.json)) == (400, ["error"])
    assert sold.ledger() == before
