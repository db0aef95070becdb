"""From what a till sent to what is sold: worked examples, and what holds for any price."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import round_cents
from items.models import TaxRate
from sales.baskets import read_basket
from sales.errors import SaleInvalid
from sales.schemas import SaleContent
from sales.tax import Convention, Line, compute

# The case, the lines, the rest, and per line: price, supply, discount, taxable, tax, total.
EXAMPLES: list[tuple[str, Any, Any, list[str]]] = [
    ("catalogue price", [{"item": "KETTLE", "quantity": "2"}], {},
     ["2320.00 4640.00 0.00 4000.00 640.00 4640.00"]),
    ("tax inside", [{"item": "KETTLE", "quantity": "3", "unit_price": "100"}],
     {"prices_include_tax": True}, ["100.00 300.00 0.00 258.62 41.38 300.00"]),
    ("tax on top", [{"item": "KETTLE", "quantity": "3", "unit_price": "100"}],
     {"prices_include_tax": False}, ["116.00 348.00 0.00 300.00 48.00 348.00"]),
    ("tax on top of a price that does not multiply out",
     [{"item": "KETTLE", "quantity": "1000", "unit_price": "0.33"}],
     {"prices_include_tax": False}, ["0.39 390.00 7.20 330.00 52.80 382.80"]),
    ("exempt, tax on top", [{"item": "SEED", "quantity": "0.5", "unit_price": "99.99"}],
     {"prices_include_tax": False}, ["99.99 50.00 0.00 50.00 0.00 50.00"]),
    ("another letter", [{"item": "KETTLE", "quantity": "1", "tax": "exempt"}], {},
     ["2320.00 2320.00 0.00 2320.00 0.00 2320.00"]),
    ("percent", [{"item": "KETTLE", "quantity": "1", "discount_percent": "12.5"}], {},
     ["2320.00 2320.00 290.00 1750.00 280.00 2030.00"]),
    ("all for nothing", [{"item": "KETTLE", "quantity": "1", "discount_percent": "100"}], {},
     ["2320.00 2320.00 2320.00 0.00 0.00 0.00"]),
    ("amount off", [{"item": "KETTLE", "quantity": "1", "discount_amount": "0.01"}], {},
     ["2320.00 2320.00 0.01 1999.99 320.00 2319.99"]),
    ("amount off before tax",
     [{"item": "KETTLE", "quantity": "1", "unit_price": "100", "discount_amount": "10"}],
     {"prices_include_tax": False}, ["116.00 116.00 11.60 90.00 14.40 104.40"]),
    ("a shilling over three equal lines", [{"item": "BREAD", "quantity": "1"}] * 3,
     {"discount_amount": "1"}, ["65.00 65.00 0.34 64.66 0.00 64.66",
                                "65.00 65.00 0.33 64.67 0.00 64.67",
                                "65.00 65.00 0.33 64.67 0.00 64.67"]),
    ("all of it off", [{"item": "BREAD", "quantity": "1"}, {"item": "KETTLE", "quantity": "1"}],
     {"discount_amount": "2385"}, ["65.00 65.00 65.00 0.00 0.00 0.00",
                                   "2320.00 2320.00 2320.00 0.00 0.00 0.00"]),
    ("one item twice at two prices",
     [{"item": "KETTLE", "quantity": "1"}, {"item": "KETTLE", "quantity": "1", "unit_price": "1"}],
     {"prices_include_tax": True}, ["2320.00 2320.00 0.00 2000.00 320.00 2320.00",
                                    "1.00 1.00 0.00 0.86 0.14 1.00"]),
    ("dollars", [{"item": "KETTLE", "quantity": "3", "unit_price": "10.05"}],
     {"prices_include_tax": True, "currency": "USD", "exchange_rate": "129.37"},
     ["1300.17 3900.51 0.00 3362.51 538.00 3900.51"]),
    ("small change in dollars: rounded once, not per unit",
     [{"item": "KETTLE", "quantity": "1000", "unit_price": "0.03"}],
     {"prices_include_tax": True, "currency": "USD", "exchange_rate": "129.37"},
     ["3.89 3890.00 8.90 3345.78 535.32 3881.10"]),
    ("discounts in dollars",
     [{"item": "KETTLE", "quantity": "1", "unit_price": "10", "discount_amount": "1"}],
     {"prices_include_tax": True, "currency": "USD", "exchange_rate": "100.5",
      "discount_amount": "0.5"}, ["1005.00 1005.00 150.75 736.42 117.83 854.25"]),
    ("dollars, but the catalogue's shillings", [{"item": "BREAD", "quantity": "1"}],
     {"currency": "USD", "exchange_rate": "129"}, ["65.00 65.00 0.00 65.00 0.00 65.00"]),
]  # fmt: skip


def read(device, **sale):
    return read_basket(device.company, msgspec.convert(sale, SaleContent))


def written(amounts):
    fields = ("unit_price", "supply", "discount", "taxable", "tax", "total")
    return " ".join(str(getattr(amounts, name)) for name in fields)


@pytest.mark.parametrize(("_case", "lines", "more", "expected"), EXAMPLES)
def test_it_computes_what_was_worked_out_by_hand(device, _case, lines, more, expected):
    basket = read(device, lines=lines, **more)

    assert [written(line) for line in basket.amounts] == expected
    assert basket.totals.total == sum(line.total for line in basket.amounts)


def test_it_sums_by_letter(device):
    names = ["KETTLE", "SEED", "BREAD", "FIT"]

    sums = read(device, lines=[{"item": name, "quantity": "1"} for name in names]).totals

    zero = Decimal(0)
    assert sums.taxable == {"A": 350, "B": Decimal("2862.07"), "C": 65, "D": zero, "E": zero}
    assert sums.tax == {"A": zero, "B": Decimal("457.93"), "C": zero, "D": zero, "E": zero}
    assert (sums.total, sums.total_taxable, sums.total_tax) == (
        3735, Decimal("3277.07"), Decimal("457.93"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("_case", "sold_at", "tax"),
    [
        ("the day before, late in the evening", "2026-11-20T23:59:59+03:00", "320.00"),
        ("the day itself, just after midnight", "2026-11-21T00:00:00+03:00", "353.90"),
        ("that midnight, written in UTC", "2026-11-20T21:00:00Z", "353.90"),
    ],
)
def test_it_takes_the_rate_of_the_day_in_nairobi(device, time_machine, _case, sold_at, tax):
    time_machine.move_to("2026-11-22T10:00:00+03:00")
    TaxRate.objects.create(
        environment="simulator", letter="B", rate=18, valid_from="2026-11-21", approved=True
    )
    TaxRate.objects.create(environment="simulator", letter="B", rate=20, valid_from="2026-11-21")

    basket = read(device, lines=[{"item": "KETTLE", "quantity": "1"}], sold_at=sold_at)

    assert str(basket.totals.total_tax) == tax


def test_it_writes_prices_without_tax_where_the_host_wants_them(device, settings):
    settings.KRA_TAX_CONVENTIONS = settings.KRA_TAX_CONVENTIONS | {"direct": "net-base"}

    (line,) = read(device, lines=[{"item": "KETTLE", "quantity": "2"}]).amounts

    assert written(line) == "2000.00 4000.00 0.00 4000.00 640.00 4640.00"


def test_it_lists_every_problem_of_every_line(device):
    lines = [
        {"item": "GHOST", "quantity": "1"},
        {"item": "KETTLE", "quantity": "0", "tax": "F", "unit_price": "-1"},
        {"item": "SEED", "quantity": "1", "rate": "16", "discount_percent": "101"},
        {"item": "BREAD", "quantity": "1", "discount_amount": "65.01"},
    ]

    with pytest.raises(SaleInvalid) as refusal:
        read(device, lines=lines, prices_include_tax=True, payment_method="barter")

    assert [problem.field for problem in refusal.value.problems] == [
        "payment_method", "lines[0].item", "lines[1].tax", "lines[1].unit_price",
        "lines[1].quantity", "lines[2].rate", "lines[3].discount_amount",
    ]  # fmt: skip
    assert all(p.reason and p.next_step for p in refusal.value.problems)


converted = st.decimals(min_value="0.000001", max_value="99999", places=6)
quantities = st.integers(min_value=1, max_value=100_000).map(lambda n: Decimal(n) / 100)
rates = st.sampled_from([Decimal(0), Decimal(8), Decimal(16)])


@given(converted, quantities, rates, st.booleans(), st.sampled_from(Convention))
def test_it_writes_any_converted_price_so_that_kra_can_check_it(
    price, quantity, rate, inclusive, convention
):
    line = Line(quantity, price, "B", rate)

    (a,) = compute([line], prices_include_tax=inclusive, convention=convention)

    assert a.unit_price == round_cents(a.unit_price)
    if convention != Convention.WHOLE_TAXABLE:
        base = a.taxable if convention == Convention.NET_BASE else a.total
        assert round_cents(a.unit_price * quantity) - a.discount == a.supply - a.discount == base
        assert a.discount >= 0
    if inclusive:
        assert a.total == round_cents(price * quantity)
