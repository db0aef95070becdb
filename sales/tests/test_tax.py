"""Golden numbers that KRA and integrators published, and properties that hold for any basket."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import round_cents
from sales.tax import Convention, Line, compute, discounted, taxable_of, totals

DATA = Path(__file__).parent / "data"
# Case 04 fits no convention: its official sample is wrong, and must not be reproduced.
CASES = sorted(path.stem for path in DATA.glob("*.json") if not path.stem.startswith("04"))
WRITTEN = ["prc", "splyAmt", "dcRt", "dcAmt", "taxblAmt", "taxAmt", "totAmt"]


def read_case(name):
    return json.loads((DATA / f"{name}.json").read_text(), parse_float=Decimal, parse_int=Decimal)


def basket_of(case):
    # A basket that shows only the rates in use (case 13) is computed with just those.
    return [
        Line(
            quantity=line["qty"],
            unit_price=line["prc"],
            letter=line["taxTyCd"],
            rate=case["rates_percent"][line["taxTyCd"]],
            discount=line.get("dcAmt", Decimal(0)),
            discount_percent=line.get("dcRt"),
        )
        for line in case["input"]["lines"]
    ]


def computed(case):
    basket = basket_of(case)
    amounts = compute(
        basket,
        prices_include_tax=case["input"]["price_includes_tax"],
        convention=Convention(case["convention"]),
    )
    return basket, amounts


@pytest.mark.parametrize("name", CASES)
def test_it_reproduces_the_published_lines(name):
    case = read_case(name)

    _, amounts = computed(case)

    for amount, expected in zip(amounts, case["expected"]["itemList"], strict=True):
        mine = dict(
            zip(
                WRITTEN,
                (amount.unit_price, amount.supply, amount.discount_percent, amount.discount,
                 amount.taxable, amount.tax, amount.total),
                strict=True,
            )
        )  # fmt: skip
        assert mine == {name: expected[name] for name in WRITTEN}


@pytest.mark.parametrize("name", CASES)
def test_it_reproduces_the_published_totals(name):
    case = read_case(name)
    header = case["expected"]["header"]

    result = totals(*computed(case))

    assert result.total == header["totAmt"]
    assert result.total_tax == header["totTaxAmt"]
    assert result.total_taxable == header["totTaxblAmt"]
    for letter in "ABCDE":
        assert result.taxable[letter] == header[f"taxblAmt{letter}"]
        assert result.tax[letter] == header[f"taxAmt{letter}"]


def test_it_does_not_reproduce_the_wrong_official_purchase():
    case = read_case("04-spec-purchase-inconsistent")
    basket = basket_of(case)

    for convention in Convention:
        amounts = compute(basket, prices_include_tax=False, convention=convention)
        assert [a.tax for a in amounts] != [1260, 630] or totals(basket, amounts).total != 10500


def test_it_rounds_once_per_line_not_per_unit():
    line = Line(Decimal(1000), Decimal("9.99"), "B", Decimal(16))

    (amount,) = compute([line], prices_include_tax=True, convention=Convention.INCLUSIVE_SPLIT)

    assert amount.tax == Decimal("1377.93")


@pytest.mark.parametrize(
    ("_case", "price", "tax"),
    [("0.144 goes down", "0.90", "0.14"), ("an exact half goes up", "0.78125", "0.13")],
)
def test_it_rounds_half_up(_case, price, tax):
    assert round_cents(Decimal(price) * Decimal("0.16")) == Decimal(tax)


cents = st.integers(min_value=1, max_value=10_000_000).map(lambda n: Decimal(n) / 100)
quantities = st.integers(min_value=1, max_value=100_000).map(lambda n: Decimal(n) / 100)
RATES = {"A": Decimal(0), "B": Decimal(16), "C": Decimal(0), "D": Decimal(0), "E": Decimal(8)}


@st.composite
def lines(draw):
    quantity, price = draw(quantities), draw(cents)
    letter = draw(st.sampled_from("ABCDE"))
    percent = draw(st.sampled_from([0, 0, 5, 10, 33, 100]))
    discount = round_cents(round_cents(price * quantity) * percent / 100)
    return Line(quantity, price, letter, RATES[letter], discount, Decimal(percent))


SENT = [Convention.INCLUSIVE_SPLIT, Convention.NET_BASE]


@given(st.lists(lines(), min_size=1, max_size=12), st.booleans(), st.sampled_from(SENT))
def test_it_adds_up_for_any_basket(basket, inclusive, convention):
    amounts = compute(basket, prices_include_tax=inclusive, convention=convention)
    result = totals(basket, amounts)

    assert result.total == result.total_taxable + result.total_tax
    assert result.total == sum(a.total for a in amounts)
    for line, a in zip(basket, amounts, strict=True):
        assert a.total == a.taxable + a.tax
        assert a.supply == round_cents(a.unit_price * line.quantity)
        assert a.discount >= 0
        assert min(a.taxable, a.tax, a.total) >= 0


@given(st.lists(lines(), min_size=1, max_size=12), st.booleans())
def test_it_always_satisfies_the_gateways_validator(basket, inclusive):
    amounts = compute(basket, prices_include_tax=inclusive, convention=Convention.INCLUSIVE_SPLIT)

    for line, a in zip(basket, amounts, strict=True):
        assert a.supply - a.discount == a.total
        assert a.taxable == taxable_of(a.total, line.rate)


@given(st.lists(lines(), min_size=1, max_size=12), st.integers(0, 100))
def test_it_spreads_an_order_discount_to_the_cent(basket, percent):
    value = sum(round_cents(line.unit_price * line.quantity) - line.discount for line in basket)
    discount = round_cents(value * percent / 100)

    spread_out = discounted(basket, discount)

    before = sum(line.discount for line in basket)
    assert sum(line.discount for line in spread_out) - before == discount
    for line in spread_out:
        assert line.discount <= round_cents(line.unit_price * line.quantity)


def test_it_refuses_a_discount_larger_than_the_sale():
    basket = [Line(Decimal(1), Decimal(10), "B", Decimal(16))]

    with pytest.raises(ValueError, match="larger than the sale"):
        discounted(basket, Decimal("10.01"))
