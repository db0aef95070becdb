import copy
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from kra.answers import (
    BranchInfo,
    Classification,
    CodeDetail,
    CustomerInfo,
    Notice,
    Signature,
    StoredInvoice,
    TaxpayerInfo,
    read_branches,
    read_classifications,
    read_code_classes,
    read_customer,
    read_device,
    read_invoice,
    read_items,
    read_notices,
    read_signature,
    read_taxpayer,
)
from kra.errors import OutcomeUnknown
from kra.records import StoredLine

SIGNATURE = Signature(
    receipt_number=1,
    total_receipts=1,
    internal_data="ABCDEFGHIJKLMNOPQRSTUVWX23",
    signature="ABCDEFGH234567QR",
    signed_at=datetime(2026, 10, 5, 7, 15, 1, tzinfo=UTC),
)


@pytest.fixture
def data(examples):
    """The data of an endpoint's successful example, free to change."""

    def data(endpoint_id, place=0):
        return copy.deepcopy(examples[endpoint_id]["answers"][place]["body"]["data"])

    return data


def test_it_reads_a_signature(data):
    assert read_signature(data("sales_save")) == SIGNATURE


def test_it_reads_numbers_that_come_as_strings():
    signature = read_signature(
        {
            "curRcptNo": "169",
            "totRcptNo": 170,
            "intrlData": "I",
            "rcptSign": "S",
            "sdcDateTime": "2026-10-05 10:15:01.0",
        }
    )

    assert (signature.receipt_number, signature.total_receipts) == (169, 170)


@pytest.mark.parametrize("number", ["12a", "-1", "1.5", "9" * 19, "١"])
def test_it_takes_only_numbers_for_numbers(data, number):
    with pytest.raises(OutcomeUnknown, match="curRcptNo"):
        read_signature({**data("sales_save"), "curRcptNo": number})


def test_it_reads_a_device_and_hides_its_key(data):
    device = read_device(data("init"))

    assert device.pin == "A123456789Z"
    assert device.taxpayer_name == "Mfano Traders Ltd"
    assert (device.branch_code, device.branch_name) == ("00", "Headquarter")
    assert device.branch_opened_on == date(2026, 1, 1)
    assert device.is_head_office
    assert device.address == "Example Road"
    assert device.device_id == "450001"
    assert device.scu_id == "KRACU0100000001"
    assert device.machine_number == "KRA00000001"
    assert device.key == "000000000000SYNTHETIC-CMC-KEY-NOT-REAL-0000000000000"
    assert device.key not in repr(device)


def test_it_reads_the_control_unit_under_its_other_name(data):
    answer = data("init")
    answer["info"]["sdicId"] = answer["info"].pop("sdcId")
    answer["info"]["bhfOpenDt"] = "soon"

    device = read_device(answer)

    assert device.scu_id == "KRACU0100000001"
    assert device.branch_opened_on is None


def test_it_reads_a_stored_invoice(data):
    assert read_invoice(data("invoice_details")) == StoredInvoice(
        number=1,
        original_number=0,
        kind="S",
        buyer_pin="P000000000B",
        buyer_name="Jamii Hardware Ltd",
        total=Decimal(6690),
        tax=Decimal("777.93"),
        taxable=Decimal("5912.07"),
        signature=SIGNATURE,
        date=date(2026, 10, 5),
        confirmed_at=datetime(2026, 10, 5, 7, 14, tzinfo=UTC),
        lines=(
            StoredLine("KE2CTNO0000001", Decimal(2), Decimal(4640)),
            StoredLine("KE2BGKG0000002", Decimal(3), Decimal(1050)),
            StoredLine("KE3NTNO0000003", Decimal(1), Decimal(1000)),
        ),
    )


def test_it_reads_a_stored_credit_note(data):
    answer = data("invoice_details")
    answer["salesList"][0] |= {"rcptTyCd": "R", "orgInvcNo": "7", "custTin": None, "receipt": None}

    note = read_invoice(answer)

    assert note is not None
    assert (note.kind, note.original_number) == ("R", 7)
    assert (note.buyer_pin, note.signature) == ("", None)


@pytest.mark.parametrize("nothing", [None, {"salesList": []}, {"salesList": None}])
def test_it_finds_no_invoice(nothing):
    assert read_invoice(nothing) is None


@pytest.mark.parametrize(
    "data", [{}, {"salesInfo": []}, {"salesList": {}}, {"salesList": [1]}, {"salesList": [{}, {}]}]
)
def test_it_does_not_take_a_strange_answer_for_no_invoice(data):
    with pytest.raises(OutcomeUnknown) as caught:
        read_invoice(data)

    assert caught.value.code == "unreadable_answer"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rcptTyCd", "X"),
        ("invcNo", None),
        ("totAmt", None),
        ("totAmt", "much"),
        ("totTaxAmt", "NaN"),
        ("totTaxblAmt", "1e30"),
        ("salesDt", ""),
        ("salesDt", "20261399"),
    ],
)
def test_it_compares_nothing_that_it_cannot_read(data, name, value):
    answer = data("invoice_details")
    answer["salesList"][0][name] = value

    with pytest.raises(OutcomeUnknown) as caught:
        read_invoice(answer)

    assert caught.value.code == "unreadable_answer"


def test_it_reads_rates_from_the_code_list(data):
    (taxes,) = read_code_classes(data("code_list"))

    assert (taxes.code, taxes.name) == ("04", "Taxation Type")
    assert taxes.value_names == ("Tax Rate", "", "")
    assert taxes.is_used
    assert taxes.details[1] == CodeDetail(
        code="B",
        name="B-VAT 16%",
        description="B-VAT 16%",
        sort_order=2,
        values=("16", "B-16%", ""),
        is_used=True,
    )
    assert [detail.code for detail in taxes.details] == ["A", "B", "C", "E", "D"]


def test_it_reads_classifications(data):
    assert read_classifications(data("item_class_list"))[1] == Classification(
        code="99010000", name="Goods", level=2, tax_letter="", is_major=False, is_used=True
    )


def test_it_reads_the_taxpayer_behind_a_pin(data):
    assert read_customer(data("customer_pin")) == CustomerInfo(
        pin="P000000000B",
        name="Jamii Hardware Ltd",
        status_code="A",
        province="NAIROBI CITY",
        district="WESTLANDS",
        sector="WON",
        address="Example Towers",
    )
    assert read_customer(None) is None


def test_it_reads_the_taxpayer(data):
    assert read_taxpayer(data("taxpayer_info")) == TaxpayerInfo("Mfano Traders Ltd", "1")
    assert read_taxpayer(None) is None


def test_it_reads_branches(data):
    (branch,) = read_branches(data("branch_list"))

    assert branch == BranchInfo(
        pin="A123456789Z",
        code="00",
        name="Headquarter",
        status_code="01",
        is_open=True,
        is_head_office=True,
        province="NAIROBI CITY",
        district="WESTLANDS",
        sector="WON",
        address="Example Road",
        manager_name="Example Manager",
        manager_phone="0700000000",
        manager_email="manager@example.test",
    )


def test_it_reads_notices(data):
    answer = data("notice_list")
    answer["noticeList"].append({"noticeNo": "31", "regDt": "soon"})

    first, second = read_notices(answer)

    assert first == Notice(
        number=30,
        title="Planned maintenance",
        text="The service will be unavailable for one hour.",
        url="https://etims-sbx.kra.go.ke/common/link/ebm/receipt/indexEbmNotice?noticeNo=30",
        author="eTIMS Admin",
        registered_at=datetime(2026, 10, 1, 5, 0, tzinfo=UTC),
    )
    assert (second.number, second.title, second.registered_at) == (31, "", None)


def test_it_reads_items(data):
    answer = data("item_list")
    answer["itemList"].append({"itemCd": "X", "dftPrc": "?"})

    first, second = read_items(answer)

    assert (first.code, first.class_code, first.type_code) == ("KE2CTNO0000001", "1000000000", "2")
    assert (first.package_unit, first.quantity_unit, first.tax_letter) == ("CT", "NO", "B")
    assert (first.price, first.safety_quantity) == (Decimal(2320), Decimal(0))
    assert (first.is_used, first.is_insured) == (True, False)
    assert (second.code, second.price) == ("X", None)


def test_an_empty_list_has_no_rows():
    for reader in (read_items, read_branches, read_notices, read_code_classes):
        assert reader(None) == ()


def test_a_list_that_is_none_is_not_read():
    with pytest.raises(OutcomeUnknown, match="itemList"):
        read_items({"itemList": "none"})
