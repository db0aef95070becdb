"""Items, stock, and everything that is listed."""

import pytest

from simulator.tests.client import Device, item, line, movement, purchase, sale, stamp

KETTLE, SECOND, SERVICE = "KE2CTNO0000001", "KE2BGKG0000002", "KE3NTNO0000003"
ANY = {"lastReqDt": "20180101000000"}
WHO = {"regrId": "a", "regrNm": "a", "modrId": "a", "modrNm": "a"}
LISTS = ["code_list", "item_class_list", "branch_list", "notice_list"]


def test_it_numbers_items_of_all_prefixes_in_one_sequence(device, server):
    server.approve(device.pin, branch="01", serial="S-01")
    other = Device(server, device.pin, "01").start("S-01")

    codes = [
        device.post("item_save", item(KETTLE)).code,
        other.post("item_save", item(SECOND)).code,
        device.post("item_save", item(SERVICE)).code,
    ]

    assert codes == ["000", "000", "000"]
    assert device.ledger()["counters"]["item"] == 3


def test_it_updates_an_item_under_its_old_code(device):
    device.post("item_save", item(KETTLE))
    device.post("item_save", item(SECOND))

    answer = device.post("item_save", item(KETTLE, itemNm="Kettle, red", dftPrc=120))

    found = {one["itemCd"]: one for one in device.post("item_list", ANY).data["itemList"]}
    assert answer.code == "000"
    assert (found[KETTLE]["itemNm"], found[KETTLE]["dftPrc"]) == ("Kettle, red", 120)
    assert (found[KETTLE]["regBhfId"], found[KETTLE]["grpPrcL1"]) == ("00", 0)


@pytest.mark.parametrize(
    ("_case", "changes", "text"),
    [
        ("country", {"orgnNatCd": "UG"}, "OrgnNatCd"),
        ("type", {"itemTyCd": "1"}, "ItemTyCd"),
        ("package", {"pkgUnitCd": "BG"}, "PkgUnitCd"),
        ("unit", {"qtyUnitCd": "KG"}, "QtyUnitCd"),
        ("three letters", {"pkgUnitCd": "CTN"}, "PkgUnitCd"),
    ],
)
def test_it_compares_the_code_with_the_fields(device, _case, changes, text):
    answer = device.post("item_save", item(KETTLE, **changes))

    assert answer.message == f"The ItemCd isn't made up of correct {text}"


def test_it_keeps_a_ledger_of_goods_in_and_out(device):
    device.stocked(quantity=10)
    device.post("stock_io_save", movement(2, [line(KETTLE, 2.5, 100)], sarTyCd="11"))
    report = {"itemCd": KETTLE, **WHO}

    wrong = device.post("stock_master_save", {**report, "rsdQty": 8})
    right = device.post("stock_master_save", {**report, "rsdQty": 7.5})

    assert wrong.message == "rsdQty mismatch. Expected: 7.5 but found: 8"
    assert right.code == "000"
    assert device.ledger()["stock"] == {KETTLE: 7.5}
    assert device.ledger()["reported"] == {KETTLE: 7.5}


def test_it_answers_994_when_a_lenient_device_repeats_a_movement(lenient):
    lines = [line(KETTLE, 1, 100)]

    codes = [lenient.post("stock_io_save", movement(4, lines)).code for _ in range(2)]

    assert codes == ["000", "994"]
    assert lenient.ledger()["stock"] == {KETTLE: 1}
    assert lenient.ledger()["counters"]["stock"] == 4


def test_it_answers_no_key_that_a_message_carried(device):
    device.stocked()
    device.post("item_save", {**item(SECOND), "cmcKey": device.key})
    device.post("sales_save", {**sale(1, [line(KETTLE, 1, 100)]), "cmcKey": device.key})

    for answer in (device.post("item_list", ANY), device.post("invoice_details", invcNo=1)):
        assert answer.code == "000"
        assert device.key not in answer.text


def test_it_shows_a_transfer_to_the_branch_it_went_to(device, server):
    server.approve(device.pin, branch="01", serial="S-01")
    other = Device(server, device.pin, "01").start("S-01")
    device.stocked()
    sent = movement(2, [line(KETTLE, 4, 100)], sarTyCd="13", custBhfId="01", custTin=device.pin)
    device.post("stock_io_save", sent)

    found = other.post("stock_move_list", ANY).data["stockList"]

    assert [(one["sarNo"], one["custBhfId"], one["totAmt"]) for one in found] == [(2, "01", 400)]
    assert device.post("stock_move_list", ANY).code == "001"


@pytest.mark.parametrize("endpoint", LISTS)
def test_it_honours_the_watermark(device, endpoint):
    full = device.post(endpoint, ANY)
    later = device.post(endpoint, lastReqDt=stamp(minutes=1))
    wrong = device.post(endpoint, lastReqDt="yesterday")

    assert (full.code, later.code, wrong.code) == ("000", "001", "910")
    assert later.data is None


def test_it_publishes_rates_and_changes_them(device, server):
    before = _rates(device)
    server.control("PUT", "/rates", {"E": "8"})
    changed = device.post("code_list", lastReqDt=stamp(seconds=-30)).data["clsList"]
    device.stocked()
    lines = [line(KETTLE, 1, 100)]

    old = device.post("sales_save", sale(1, lines))
    new = device.post("sales_save", sale(1, lines, taxRtE=8))

    assert before == {"A": "0", "B": "16", "C": "0", "D": "0", "E": "0"}
    assert _rates(device)["E"] == "8"
    assert [one["cdCls"] for one in changed] == ["04"]
    assert old.message == "Rule taxRtE failed: Tax rate mismatch. Expected: 8.00, Found: 0"
    assert new.code == "000"


def _rates(device):
    classes = device.post("code_list", ANY).data["clsList"]
    found = next(one for one in classes if one["cdCls"] == "04")
    return {one["cd"]: one["userDfnCd1"] for one in found["dtlList"]}


def test_it_publishes_the_whole_code_list(device):
    found = {one["cdCls"]: one for one in device.post("code_list", ANY).data["clsList"]}

    assert len(found) == 21
    assert "BX" in [one["cd"] for one in found["17"]["dtlList"]]  # listed, yet refused


def test_it_looks_up_buyers(device, server):
    server.control("POST", "/taxpayers", {"pin": "P123123123Q", "name": "Ufundi Ltd"})

    seeded = device.post("customer_pin", custmTin="P000000000B")
    added = device.post("customer_pin", custmTin="P123123123Q")

    assert seeded.data["custList"][0]["taxprNm"] == "Jamii Hardware Ltd"
    assert added.data["custList"][0]["taxprNm"] == "Ufundi Ltd"
    assert device.post("customer_pin", custmTin="P999999999Z").code == "001"


def test_it_describes_the_taxpayer_and_its_branches(device, server):
    server.approve(device.pin, branch="01", serial="S-01")

    info = device.post("taxpayer_info").data["info"]
    branches = device.post("branch_list", ANY).data["bhfList"]

    assert info == {"taxprNm": f"Taxpayer {device.pin}", "vatTyCd": "1"}
    assert [(one["bhfId"], one["hqYn"], one["bhfSttsCd"]) for one in branches] == [
        ("00", "Y", "01"),
        ("01", "N", "01"),
        ("98", "N", "02"),  # listed by KRA, yet it never opened
    ]


def test_it_keeps_customers_users_and_insurers(device):
    customer = {"custNo": "7", "custTin": "P000000000B", "custNm": "Jamii", "useYn": "Y", **WHO}
    user = {"userId": "c1", "userNm": "Till", "pwd": "x", "useYn": "Y", **WHO}
    insurer = {"isrccCd": "I1", "isrccNm": "Insurer", "isrcRt": 20, "useYn": "Y", **WHO}

    answers = [
        device.post("branch_customer_save", customer),
        device.post("branch_user_save", user),
        device.post("branch_insurance_save", insurer),
        device.post("branch_user_save", {**user, "pwd": None}),
    ]

    assert [one.code for one in answers] == ["000", "000", "000", "910"]
    found = device.post("customer_list", ANY).data["custList"]
    assert [(one["custNo"], one["custNm"]) for one in found] == [("7", "Jamii")]


def test_it_saves_a_composition_of_stocked_goods(device):
    device.stocked()
    device.post("item_save", item(SECOND))
    body = {"itemCd": SECOND, "cpstItemCd": KETTLE, "cpstQty": 2, "regrId": "a", "regrNm": "a"}

    assert device.post("item_composition_save", body).code == "000"


def test_it_lists_three_imports_and_takes_their_update(device):
    device.stocked()
    lines = device.post("import_list", ANY).data["itemList"]
    same = ("taskCd", "dclDe", "itemSeq", "hsCd")
    update = {
        **{name: lines[0][name] for name in same},
        "itemClsCd": "1000000000",
        "itemCd": KETTLE,
        "imptItemSttsCd": "3",
        "modrId": "a",
        "modrNm": "a",
    }

    silent = device.post("import_update", update)
    approved = device.post("import_update", {**update, "remark": "kettles"})

    after = device.post("import_list", ANY).data["itemList"]
    assert (len(lines), silent.code, approved.code) == (3, "999", "000")
    assert [one["imptItemsttsCd"] for one in after] == ["3", "2", "2"]


def test_it_offers_supplier_invoices_until_they_are_confirmed(device):
    device.stocked()
    offered = device.post("purchase_sales_list", ANY).data["saleList"]

    first = device.post("purchase_save", purchase(1, [line(KETTLE, 5, 1160)]))
    again = device.post("purchase_save", purchase(2, [line(KETTLE, 5, 1160)]))
    skipped = device.post("purchase_save", purchase(4, [line(KETTLE, 5, 1160)]))

    left = device.post("purchase_sales_list", ANY).data["saleList"]
    assert (len(offered), len(left), first.code) == (5, 4, "000")
    assert again.message == "Supplier invoice number 77 does not exist"
    assert skipped.message == "Invalid invcNo sequence, expected: 2 but found: 4"
    assert device.ledger()["purchases"][0]["total"] == "5800.00"


def test_it_offers_a_sale_to_the_taxpayer_who_bought(device, server):
    server.approve("P000000001B", name="Jirani Shop")
    buyer = Device(server, "P000000001B").start()
    device.stocked()
    device.post("sales_save", sale(1, [line(KETTLE, 3, 100)], custTin="P000000001B"))

    offered = buyer.post("purchase_sales_list", ANY).data["saleList"]

    mine = [one for one in offered if one["spplrTin"] == device.pin]
    assert [(one["spplrInvcNo"], one["totAmt"]) for one in mine] == [(1, 300)]
    buyer.post("item_save", item(KETTLE))
    names = ("spplrTin", "spplrNm", "spplrBhfId", "spplrInvcNo")
    copied = {name: mine[0][name] for name in names}
    assert buyer.post("purchase_save", purchase(1, [line(KETTLE, 3, 100)], **copied)).code == "000"
