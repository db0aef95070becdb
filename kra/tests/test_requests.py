import json
from decimal import Decimal

import msgspec
import pytest

from kra import requests
from kra.requests import LETTERS, LetterAmount, SaleLine, SaleReceipt, SaleRequest

REQUESTS = {
    "init": requests.InitRequest,
    "code_list": requests.ListRequest,
    "item_class_list": requests.ListRequest,
    "branch_list": requests.ListRequest,
    "notice_list": requests.ListRequest,
    "customer_pin": requests.CustomerPinRequest,
    "taxpayer_info": requests.TaxpayerInfoRequest,
    "branch_customer_save": requests.BranchCustomerRequest,
    "customer_list": requests.ListRequest,
    "branch_user_save": requests.BranchUserRequest,
    "branch_insurance_save": requests.BranchInsuranceRequest,
    "item_save": requests.ItemRequest,
    "item_list": requests.ListRequest,
    "item_composition_save": requests.ItemCompositionRequest,
    "import_list": requests.ListRequest,
    "import_update": requests.ImportUpdateRequest,
    "sales_save": SaleRequest,
    "invoice_details": requests.InvoiceDetailsRequest,
    "sales_list": requests.ListRequest,
    "purchase_sales_list": requests.ListRequest,
    "purchase_save": requests.PurchaseRequest,
    "stock_move_list": requests.ListRequest,
    "stock_io_save": requests.StockIORequest,
    "stock_master_save": requests.StockMasterRequest,
}


def build(kind, members):
    """The message with these members, as an app would build it."""
    if "taxblAmtA" in members:
        letters = {
            letter: [members.pop(f"{name}{letter}") for name in ("taxblAmt", "taxRt", "taxAmt")]
            for letter in LETTERS
        }
        members["letters"] = letters
    return msgspec.convert(members, kind, strict=False)


@pytest.mark.parametrize(("endpoint_id", "kind"), REQUESTS.items())
def test_it_writes_the_documented_members_in_their_order(endpoint_id, kind, examples):
    for members in examples[endpoint_id]["requests"]:
        body = build(kind, dict(members)).encode()

        assert json.dumps(json.loads(body)) == json.dumps(members)


def test_it_covers_every_call(examples):
    assert set(REQUESTS) == set(examples)


@pytest.fixture
def sale():
    def sale(**changes):
        zero = LetterAmount(Decimal(0), Decimal(0), Decimal(0))
        members = {
            "tin": "A123456789Z",
            "bhfId": "00",
            "trdInvcNo": "T-1",
            "invcNo": 1,
            "orgInvcNo": 0,
            "custNm": None,
            "rcptTyCd": "S",
            "cfmDt": "20261005101400",
            "salesDt": "20261005",
            "totItemCnt": 0,
            "letters": dict.fromkeys(LETTERS, zero),
            "totTaxblAmt": Decimal(0),
            "totTaxAmt": Decimal(0),
            "totAmt": Decimal(0),
            "regrId": "pos",
            "regrNm": "POS",
            "modrId": "pos",
            "modrNm": "POS",
            "receipt": SaleReceipt(rcptPbctDt="20261005101400"),
            "itemList": [],
        }
        return SaleRequest(**{**members, **changes})

    return sale


def test_it_fills_in_what_every_final_sale_has(sale):
    members = json.loads(sale().encode())

    assert members["salesSttsCd"] == "02"
    assert members["salesTyCd"] == "N"
    assert members["prchrAcptcYn"] == "N"
    assert members["pmtTyCd"] is None
    assert members["custTin"] is None
    assert members["receipt"]["rptNo"] == 1
    assert members["receipt"]["prchrAcptcYn"] == "N"


def test_it_writes_compact_json_and_the_same_bytes_each_time(sale):
    body = sale().encode()

    assert body == sale().encode()
    assert body.startswith(b'{"tin":"A123456789Z","bhfId":"00","trdInvcNo":"T-1","invcNo":1,')
    assert b'"letters"' not in body
    assert b'"totItemCnt":0,"taxblAmtA":0,' in body
    assert b'"taxAmtE":0,"totTaxblAmt":0,' in body


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("4862.07"), b"4862.07"),
        (Decimal("2320.00"), b"2320"),
        (Decimal("777.90"), b"777.9"),
        (Decimal("2.32E+3"), b"2320"),
        (Decimal("0.10000"), b"0.1"),
        (Decimal("-0.00"), b"0"),
        (Decimal("-86.21"), b"-86.21"),
        (Decimal("9999999999999999.99"), b"9999999999999999.99"),
        (5, b"5"),
    ],
)
def test_it_writes_each_number_in_one_way(sale, value, written):
    assert b'"totAmt":' + written + b"," in sale(totAmt=value).encode()


@pytest.mark.parametrize(
    "value",
    [Decimal("0.001"), Decimal("1E+30"), Decimal("1E-30"), Decimal("NaN"), Decimal("Infinity")],
)
def test_it_never_rounds(sale, value):
    with pytest.raises(ValueError, match="KRA takes"):
        sale(totAmt=value).encode()


def test_it_takes_no_floats(sale):
    with pytest.raises(TypeError, match="Decimal"):
        sale(totAmt=0.1).encode()


@pytest.mark.parametrize("letters", [{}, {"A": None}, dict.fromkeys("ABCDEF")])
def test_it_wants_all_five_letters(sale, letters):
    with pytest.raises(ValueError, match="five tax letters"):
        sale(letters=letters).encode()


def test_required_members_have_no_default():
    with pytest.raises(TypeError, match="itemCd"):
        SaleLine(itemSeq=1)  # type: ignore[call-arg]


def test_no_message_has_room_for_the_key():
    for kind in REQUESTS.values():
        assert "cmcKey" not in kind.__struct_fields__


def test_no_repr_shows_the_password_of_a_branch_user(examples):
    (members,) = examples["branch_user_save"]["requests"]

    assert members["pwd"] not in repr(build(requests.BranchUserRequest, members))
