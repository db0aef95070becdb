"""Cents: rounded half up, and spread without losing or inventing one."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import ZERO, round_cents, spread

cents = st.integers(0, 10**15).map(lambda n: Decimal(n) / 100)
weights = st.lists(cents, min_size=1, max_size=60).filter(lambda ws: sum(ws) > 0)


@pytest.mark.parametrize(
    ("_case", "amount", "rounded"),
    [
        ("down", "1.234", "1.23"),
        ("half up", "1.235", "1.24"),
        ("half up again", "1.245", "1.25"),
        ("half of a negative", "-1.235", "-1.24"),
        ("whole", "7", "7.00"),
    ],
)
def test_it_rounds_half_up(_case, amount, rounded):
    assert str(round_cents(Decimal(amount))) == rounded


@given(cents, weights)
def test_it_spreads_to_the_last_cent(amount, weights):
    shares = spread(amount, weights)

    assert sum(shares, ZERO) == amount
    assert len(shares) == len(weights)


@given(cents, weights)
def test_no_share_is_a_cent_or_more_from_its_exact_value(amount, weights):
    total = sum(weights)

    for share, weight in zip(spread(amount, weights), weights, strict=True):
        assert abs(share - amount * weight / total) < Decimal("0.01")
        assert share == round_cents(share) >= 0


@given(cents, weights)
def test_nothing_weighs_nothing(amount, weights):
    shares = spread(amount, [*weights, ZERO])

    assert shares[-1] == 0


@given(cents, weights)
def test_more_weight_never_gets_less(amount, weights):
    shares = spread(amount, weights)

    by_weight = sorted(zip(weights, shares, strict=True))
    for (lighter, less), (heavier, more) in zip(by_weight, by_weight[1:], strict=False):
        assert less <= more + (Decimal("0.01") if lighter == heavier else 0)


@pytest.mark.parametrize(
    ("_case", "amount", "weights", "shares"),
    [
        ("thirds", "10.00", "111", ["3.34", "3.33", "3.33"]),
        ("largest remainder", "0.05", "73", ["0.04", "0.01"]),
        ("one cent", "0.01", "1119", ["0.00", "0.00", "0.00", "0.01"]),
        ("nothing", "0.00", "12", ["0.00", "0.00"]),
        ("nothing over nothing", "0.00", "00", ["0.00", "0.00"]),
        ("nothing over nobody", "0.00", "", []),
    ],
)
def test_it_splits_as_an_accountant_would(_case, amount, weights, shares):
    assert [str(s) for s in spread(Decimal(amount), [Decimal(w) for w in weights])] == shares


@pytest.mark.parametrize("weights", [[], [ZERO], [ZERO, ZERO]])
def test_it_refuses_to_lose_money(weights):
    with pytest.raises(ValueError, match="nothing to spread"):
        spread(Decimal("1.00"), weights)
