"""Every sentence of KRA's validator that the simulator speaks, as recorded on the live host."""

import re
from decimal import Decimal

import pytest

from simulator.tests.client import (
    Device,
    credit,
    item,
    line,
    movement,
    numbered,
    purchase,
    sale,
    stamp,
)

KETTLE, SECOND, SERVICE = "KE2CTNO0000001", "KE2CTNO0000002", "KE3NTNO0000002"
LINE = line(KETTLE, 1, 100)
ANY = {"lastReqDt": "20180101000000"}


def selling(**changes):
    return lambda device: device.post("sales_save", sale(1, [LINE], **changes))


def selling_line(**changes):
    return lambda device: device.post("sales_save", sale(1, [{**LINE, **changes}]))


def crediting(**changes):
    def act(device):
        device.post("sales_save", sale(1, [LINE]))
        return device.post("sales_save", credit(2, changes.pop("original", 1), [LINE], **changes))

    return act


def moving(number=2, lines=(LINE,), **changes):
    return lambda device: device.post("stock_io_save", movement(number, list(lines), **changes))


def saving(code=SECOND, **changes):
    return lambda device: device.post("item_save", item(code, **changes))


def buying(**changes):
    def act(device):
        device.post("purchase_sales_list", ANY)
        return device.post("purchase_save", purchase(1, [line(KETTLE, 5, 1160)], **changes))

    return act


def buying_net(device):
    device.post("purchase_sales_list", ANY)
    seeded = {**line(KETTLE, 1, Decimal("1302.07")), "splyAmt": 1122}
    return device.post("purchase_save", purchase(1, [seeded], spplrInvcNo=79))


def customer(**changes):
    body = {"custNo": "1", "custTin": "P000000000B", "custNm": "Jamii", "useYn": "Y"}
    who = dict.fromkeys(("regrId", "regrNm", "modrId", "modrNm"), "till")
    return lambda device: device.post("branch_customer_save", {**body, **who, **changes})


def reporting(quantity, code=KETTLE):
    who = dict.fromkeys(("regrId", "regrNm", "modrId", "modrNm"), "till")
    return lambda device: device.post(
        "stock_master_save", {"itemCd": code, "rsdQty": quantity, **who}
    )


def composing(device):
    device.post("item_save", item(SECOND))
    return device.post(
        "item_composition_save",
        {"itemCd": KETTLE, "cpstItemCd": SECOND, "cpstQty": 1, "regrId": "a", "regrNm": "b"},
    )


def without_app(device):
    headers = {k: v for k, v in device.headers.items() if k != "apigee_app_id"}
    return device.post("code_list", ANY, headers=headers)


def wrong_branch(device):
    headers = {**device.headers, "bhfId": "07"}
    return device.post("item_save", item(SECOND), headers=headers)


def without_identity(device):
    return device.post("purchase_sales_list", {**ANY, "tin": None})


REFUSALS = [
    (selling(invcNo=5), r"^Invalid invcNo sequence, expected: (\d+) but found: (\d+)"),
    (selling(invcNo=0), r"^Invc No: (\d+) is invalid, use the expected value: (\d+)"),
    (moving(15), r"^Invalid sarNo: Expected: (\d+) but found: (\d+)"),
    (moving(1), r"^Invalid sarNo: Expected: (\d+) but found: (\d+)"),
    (
        saving("KE2CTNO0000007"),
        r"^Invalid itemCd Sequence\. Expected sequence ending with: \*+(\d+)",
    ),
    (
        saving("KE2CTU00000002", qtyUnitCd="U"),
        r"ItemCd isn.t made up of correct QtyUnitCd|Incorrect QtyUnitCd Prefix",
    ),
    (
        saving(qtyUnitCd="QQ"),
        r"ItemCd isn.t made up of correct QtyUnitCd|Incorrect QtyUnitCd Prefix",
    ),
    (
        saving("KE2BXNO0000002"),
        r"^Package unit code can ony be among the following list",
    ),
    (saving(orgnNatCd=None), r"^orgnNatCd cannot be null"),
    (saving(itemClsCd="7777777777"), r"^Ensure you use a valid item classification code"),
    (saving(itemTyCd="3"), r"^You cannot create an service using an item"),
    (
        moving(lines=[line(SECOND, 1, 100)]),
        r"Items provided under the itemList section do not exist in your stock",
    ),
    (
        lambda device: device.post("sales_save", sale(1, [line(SECOND, 1, 100)])),
        r"Items provided under the itemList section do not exist in your stock",
    ),
    (composing, r"^Item (\S+) \(itemSeq (\d+)\) does not exist in your stock master"),
    (
        lambda device: device.post("purchase_save", purchase(1, [line(SECOND, 5, 1160)])),
        r"^Item (\S+) .*does not exist in your inventory",
    ),
    (
        lambda device: device.post("sales_save", sale(1, [line(KETTLE, 101, 100)])),
        r"^You dont have sufficient stock for this Transaction",
    ),
    (moving(regTyCd=None), r"^regTyCd cannot be null"),
    (
        moving(lines=[{**LINE, "totAmt": 0}]),
        r"^Expected a value for (\w+) on item: (\d+) but it is empty or null",
    ),
    (
        selling_line(taxblAmt=100, taxAmt=0),
        r"^Invalid (taxblAmt|splyAmnt|splyAmt) on item: (\d+)\. "
        r"Expected: ([\d.]+), But Found: ([\d.]+)",
    ),
    (
        selling_line(splyAmt=90),
        r"^Invalid (taxblAmt|splyAmnt|splyAmt) on item: (\d+)\. "
        r"Expected: ([\d.]+), But Found: ([\d.]+)",
    ),
    (
        buying_net,
        r"^Invalid (taxblAmt|splyAmnt|splyAmt) on item: (\d+)\. "
        r"Expected: ([\d.]+), But Found: ([\d.]+)",
    ),
    (
        selling(taxRtE=8),
        r"^Rule taxRt([A-E]) failed: Tax rate mismatch\. Expected: ([\d.]+), Found: ([\d.]+)",
    ),
    (selling_line(pkg=2), r"^Invalid pkg for ItemList (\d+)\. Expected: 1, Found: ([\d.]+)"),
    (crediting(original=9), r"^orgInvcNo does not exist"),
    (crediting(rfdDt=None), r"^Missing RfdDt Date"),
    (crediting(rfdRsnCd="99"), r"^Invalid RfdRsnCd"),
    (crediting(custNm="Somebody Else Ltd"), r"custNm .*(match|original)"),
    (buying(spplrInvcNo=4711), r"^Supplier invoice number .* does not exist"),
    (buying(spplrNm="Somebody Else Ltd"), r"^spplrNm .* does not match the expected value"),
    (customer(custTin=None), r"^custTin cannot be empty or Null"),
    (without_identity, r"^tin cannot be Null"),
    (
        selling(modrId=None),
        r"^Request parameter error\s*\[<(\w+)> : may not be empty\]",
    ),
    (without_app, r"Invalid Headers apigee_app_id|apigee_app_id.*cannot be Null"),
    (
        wrong_branch,
        r"^Error occurred while validating item tax type: Please try again later",
    ),
]


@pytest.mark.parametrize(("act", "pattern"), REFUSALS)
def test_it_refuses_in_the_recorded_words(gateway, act, pattern):
    gateway.stocked()
    before = gateway.ledger()

    answer = act(gateway)

    assert answer.status == 400
    assert answer.code == "refused"
    assert re.search(pattern, answer.message), answer.message
    assert answer.json["responseHeader"]["debugMessage"] == answer.message
    assert gateway.ledger()["movements"] == before["movements"]


# The numbers in the sentences, word for word as published.
EXACT = [
    (selling(invcNo=5), "Invalid invcNo sequence, expected: 1 but found: 5"),
    (moving(15), "Invalid sarNo: Expected: 2 but found: 15"),
    (saving("KE2CTNO0000007"), "Invalid itemCd Sequence. Expected sequence ending with: ********2"),
    (selling(taxRtE=8), "Rule taxRtE failed: Tax rate mismatch. Expected: 0.00, Found: 8"),
    (selling_line(pkg=2), "Invalid pkg for ItemList 1. Expected: 1, Found: 2"),
    (buying_net, "Invalid splyAmnt on item: 1. Expected: 1302.07, But Found: 1122.00"),
    (
        moving(lines=[{**LINE, "totAmt": 0}]),
        "Expected a value for totAmt on item: 1 but it is empty or null",
    ),
]


@pytest.mark.parametrize(("act", "text"), EXACT)
def test_it_refuses_with_the_published_numbers(gateway, act, text):
    gateway.stocked()

    assert act(gateway).message == text


def test_it_refuses_stock_before_the_classification_list(gateway):
    gateway.post("item_save", item(KETTLE))

    answer = gateway.post("stock_io_save", movement(1, [LINE]))

    expected = r"^Make 'Get Item Classification List' request before performing StockIo"
    assert re.search(expected, answer.message)


def test_it_refuses_stock_master_before_any_movement(gateway):
    answer = reporting(5)(gateway)

    assert answer.status == 400
    assert re.search(r"^Stock IO is empty", answer.message)


def test_it_refuses_a_wrong_stock_master_with_http_200(gateway):
    answer = reporting(10, "KE2CTNO0000001")(gateway.stocked(quantity=8))

    assert answer.status == 200
    assert answer.json["responseHeader"]["responseCode"] == 400
    assert answer.json["responseBody"] is None
    assert re.search(r"^rsdQty mismatch\. Expected: ([\d.]+) but found: ([\d.]+)", answer.message)
    assert answer.message == "rsdQty mismatch. Expected: 8.0 but found: 10"


def test_it_can_corrupt_a_device_by_repeated_init(launch, pin):
    server = launch("--state", ":memory:", "--repeat-init-corrupts", "--quiet")
    server.approve(pin)
    gateway = Device(server, pin, gateway=True).start()
    gateway.post("init", dvcSrlNo=f"S-{pin}")

    answer = gateway.post("code_list", ANY)

    assert re.search(r"^Query did not return a unique result: (\d+) results", answer.message)


def test_it_can_insist_on_one_app(launch, pin):
    server = launch("--state", ":memory:", "--app-id", "the-one", "--quiet")
    server.approve(pin)
    gateway = Device(server, pin, gateway=True)
    gateway.log_in()

    answer = gateway.post("init", dvcSrlNo=f"S-{pin}")

    assert re.search("TestSessionApiLog", answer.message)


def test_it_refuses_on_the_direct_host_with_910_and_the_same_words(device):
    device.stocked()

    answer = device.post("sales_save", sale(5, [LINE]))

    assert answer.status == 200
    assert answer.json["resultCd"] == "910"
    assert answer.json["resultMsg"] == "Invalid invcNo sequence, expected: 1 but found: 5"
    assert answer.json["data"] is None


MUCH = line(KETTLE, 101, 100)
ORDER = [
    ("a missing field before the number", {"modrId": None, "invcNo": 9}, "modrId"),
    ("the number before the stock", {"invcNo": 9, "itemList": None}, "itemList"),
    ("the number before the rates", {"invcNo": 9, "taxRtE": 8}, "invcNo sequence"),
    ("the stock before the rates", {"itemList": numbered([MUCH]), "taxRtE": 8}, "sufficient"),
    ("the rates before the credit note", {"rcptTyCd": "R", "taxRtE": 8}, "taxRtE"),
]


@pytest.mark.parametrize(("_case", "changes", "expected"), ORDER)
def test_it_checks_in_the_live_order(gateway, _case, changes, expected):
    gateway.stocked()

    assert expected in gateway.post("sales_save", sale(1, [LINE], **changes)).message


AMOUNTS = [
    ("tax", selling_line(taxAmt=10), "Invalid taxAmt on item: 1"),
    ("line total", selling_line(totAmt=90), "Invalid totAmt on item: 1"),
    ("no quantity", selling_line(qty=0), "Invalid qty or prc on item: 1"),
    ("more discount than price", selling_line(dcAmt=101), "Invalid dcAmt on item: 1"),
    ("per letter", selling(taxblAmtA=1), "Rule taxblAmtA failed"),
    ("header total", selling(totAmt=101), "Rule totAmt failed"),
    ("header taxable", selling(totTaxblAmt=86), "Rule totTaxblAmt failed"),
    ("header tax", selling(totTaxAmt=13), "Rule totTaxAmt failed"),
    ("one number ahead", selling(invcNo=2), "expected: 1 but found: 2"),
    ("one movement ahead", moving(3), "Expected: 2 but found: 3"),
    (
        "two cents off",
        selling_line(taxblAmt=Decimal("86.23"), taxAmt=Decimal("13.77")),
        "Expected: 86.21, But Found: 86.23",
    ),
    (
        "half a cent is rounded up",
        selling_line(qty=Decimal("0.05"), prc=Decimal("2.5"), splyAmt=1),
        "Expected: 0.13, But Found: 1.00",
    ),
    ("item count", selling(totItemCnt=2), "Invalid totItemCnt. Expected: 1, Found: 2"),
    ("unknown letter", selling_line(taxTyCd="F"), "Code value error"),
    ("three decimals", selling(totAmt=Decimal("100.001")), "<totAmt> : must be a number"),
    ("text for a number", selling(invcNo="1"), "<invcNo> : must be an integer"),
    ("a date that is none", selling(salesDt="20261332"), "<salesDt> : must be yyyyMMdd"),
    ("tomorrow", selling(salesDt=stamp(days=1)[:8]), "salesDt must not be in the future"),
    ("another buyer", crediting(custTin="P000000001B"), "custTin does not match"),
    ("stock from nothing", moving(sarTyCd="16", lines=[line(KETTLE, 101, 100)]), "sufficient"),
    ("stock of tomorrow", moving(ocrnDt=stamp(days=1)[:8]), "ocrnDt must not be in the future"),
]


@pytest.mark.parametrize(("_case", "act", "expected"), AMOUNTS)
def test_it_refuses_what_cannot_be(gateway, _case, act, expected):
    gateway.stocked()

    assert expected in act(gateway).message


def test_it_tolerates_a_cent(gateway):
    gateway.stocked()
    near = {**LINE, "taxblAmt": Decimal("86.22"), "taxAmt": Decimal("13.78")}

    assert gateway.post("sales_save", sale(1, [near])).code == "000"


def test_it_never_credits_a_credit_note(gateway):
    gateway.stocked()
    gateway.post("sales_save", sale(1, [LINE]))
    gateway.post("sales_save", credit(2, 1, [LINE]))

    assert gateway.post("sales_save", credit(3, 2, [LINE])).message == "orgInvcNo does not exist"


def test_it_never_credits_a_sale_without_a_name(gateway):
    gateway.stocked()
    gateway.post("sales_save", sale(1, [LINE], custNm=None))

    answer = gateway.post("sales_save", credit(2, 1, [LINE], custNm=None))

    assert answer.message == "custNm does not match the original invoice"


def test_it_reads_a_movement_without_its_original_as_a_crash(gateway):
    gateway.stocked()

    assert moving(orgSarNo=None)(gateway).code == "999"
