"""A sale that names a buyer by PIN alone takes the name under which the company knows it."""

import pytest

from companies.models import Branch
from core import sql
from sales.models import Customer
from sales.registers.services import save_record
from sales.tests import shop

PIN = "P000111222B"


@pytest.fixture
def know(device):
    def run(number="C-1", name="Mfano Hotel Ltd", *, by=None, **more):
        save_record(Customer, by or device, number, {"pin": PIN, "name": name} | more)

    return run


def name_of(sell, reference="T-1", **customer):
    return sell(reference, customer=customer).customer_name


def test_it_takes_the_stored_name(know, sell):
    know()

    assert name_of(sell, pin=PIN) == "Mfano Hotel Ltd"


def test_the_tills_own_word_counts_more(know, sell):
    know()

    assert name_of(sell, pin=PIN, name="Hotel") == "Hotel"


def test_an_unknown_or_retired_customer_has_no_name(know, sell):
    know(is_active=False)

    assert name_of(sell, pin=PIN) == ""
    assert name_of(sell, "T-2", pin="A000000000Z") == ""
    assert name_of(sell, "T-3", name="") == ""


def test_the_branchs_own_customer_comes_first(device, know, sell):
    know()
    other = shop.add_device(device.company, "dvc-2")
    other.branch = Branch.objects.create(company=device.company, code="01", name="Thika")
    other.save()
    know("C-9", "As Thika writes it", by=other)

    assert name_of(sell, pin=PIN) == "Mfano Hotel Ltd"


def test_another_companys_customer_is_nobody_here(device, know, sell):
    stranger = shop.open_company("B000000002B")
    know(by=shop.add_device(stranger, "dvc-b"))

    assert name_of(sell, pin=PIN) == ""


def test_a_repeat_is_the_same_sale_whatever_was_stored_meanwhile(know, accept):
    first = accept(customer={"pin": PIN})
    know()

    again = accept(customer={"pin": PIN})

    assert again.is_replay
    assert again.invoice.pk == first.invoice.pk


@pytest.mark.parametrize(
    ("customer", "asked"),
    [({}, 0), ({"name": "Asha"}, 0), ({"pin": PIN, "name": "Hotel"}, 0), ({"pin": PIN}, 1)],
)
def test_only_a_pin_without_a_name_costs_a_look_up(accept, monkeypatch, customer, asked):
    questions = []
    real = sql.fetch_all

    def count(text, params):
        questions.append(text)
        return real(text, params)

    monkeypatch.setattr(sql, "fetch_all", count)

    accept(customer=customer)

    assert sum("sales_customer" in text for text in questions) == asked
