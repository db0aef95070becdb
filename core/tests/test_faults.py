"""Faults in words that help."""

from datetime import date, datetime
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta, Struct

from core.errors import Invalid
from core.faults import check_parameters, fault_of

Code = Annotated[str, Meta(pattern="^[A-Z]{2}$", description="Two capitals.", examples=["KE"])]


class Buyer(Struct, forbid_unknown_fields=True):
    pin: str = ""


class Line(Struct, forbid_unknown_fields=True):
    item: str
    discount_percent: str = ""
    discount_amount: str = ""


class Sale(Struct, forbid_unknown_fields=True):
    reference: Annotated[str, Meta(max_length=5)] = ""
    customer: Buyer | None = None
    lines: Annotated[list[Line], Meta(max_length=2)] = []
    country: Code = "KE"
    sold_at: datetime | None = None
    day: date | None = None
    buyer: Annotated[str, Meta(min_length=2)] = "xx"


def fault(body):
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(body, type=Sale)
    return fault_of(str(caught.value), Sale)


@pytest.mark.parametrize(
    ("body", "field", "named"),
    [
        ('{"refrence": "S"}', "refrence", "Did you mean reference?"),
        ('{"customer_pin": "P"}', "customer_pin", "Did you mean customer.pin?"),
        ('{"lines": [{"item": "A", "discount": "1"}]}', "lines[0].discount",
         "Did you mean lines.discount_amount or lines.discount_percent?"),
        ('{"customer": {"pim": "P"}}', "customer.pim", "Did you mean customer.pin?"),
        ('{"zzz": 1}', "zzz", "Check its name, or leave it out"),
    ],
)  # fmt: skip
def test_it_says_which_field_was_meant(body, field, named):
    found = fault(body)

    assert (found.field, found.reason) == (field, "This field is unknown.")
    assert named in found.next_step


@pytest.mark.parametrize(
    ("body", "field", "reason", "step"),
    [
        ('{"reference": "toolong"}', "reference", "It must have at most 5 characters.",
         "Shorten it."),
        ('{"buyer": "x"}', "buyer", "It must have at least 2 characters.", "Send more."),
        ('{"lines": [{"item":"a"},{"item":"a"},{"item":"a"}]}', "lines",
         "It must have at most 2 entries.", "Shorten it."),
        ('{"country": "Kenya"}', "country", "It does not have the form of this field.",
         "Two capitals. For example KE."),
        ('{"sold_at": "yesterday"}', "sold_at", "It is not a time.", "2026-01-31T14:30:00+03:00"),
        ('{"day": "31/1/2026"}', "day", "It is not a day.", "2026-01-31"),
        ('{"reference": 5}', "reference", "Expected `str`, got `int`", "shows its type"),
        ('{"lines": [{}]}', "lines[0].item", "This field is required.", "Add 'item'."),
    ],
)  # fmt: skip
def test_it_says_what_is_wrong_and_what_would_be_right(body, field, reason, step):
    found = fault(body)

    assert (found.field, found.reason) == (field, reason)
    assert step in found.next_step


def test_it_takes_no_parameter_for_another():
    check_parameters(["reference"], ["reference", "limit"])

    with pytest.raises(Invalid) as caught:
        check_parameters(["refrence", "limit", "x" * 500], ["reference", "limit"])

    first, second = caught.value.problems
    assert (first.field, first.reason) == ("refrence", "This parameter is unknown.")
    assert "Did you mean reference?" in first.next_step
    assert len(second.field) == 60
