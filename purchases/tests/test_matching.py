"""Which item a supplier's line stands for."""

import pytest

from purchases.models import Purchase, RememberedMatch
from purchases.services import Choice, match, suggestions_for

from .conftest import offer, offered_line

pytestmark = pytest.mark.django_db


def test_a_person_says_so_once_for_all_invoices(fetch, goods):
    item = goods("OIL", 1)
    (first,) = fetch(offer(77))

    match(first.pk, [Choice(1, "OIL")], remember=True)

    first.refresh_from_db()
    _, second = fetch(offer(78, offered_line(1, itemNm="Other words, same code")))
    assert (first.state, second.state) == ("matched", "matched")
    assert second.lines.get().item == item
    assert second.lines.get().match_source == "remembered"


def test_an_item_without_a_code_is_known_by_its_name(fetch, goods):
    goods("OIL", 1)
    (first,) = fetch(offer(77, offered_line(1, itemCd=None, itemNm="Cooking  Oil")))
    match(first.pk, [Choice(1, "OIL")], remember=True)

    rows = fetch(offer(78, offered_line(1, itemCd="", itemNm="cooking oil")))

    assert rows[-1].state == "matched"


def test_another_suppliers_code_is_another_thing(fetch, goods):
    goods("OIL", 1)
    (first,) = fetch(offer(77))
    match(first.pk, [Choice(1, "OIL")], remember=True)

    rows = fetch(offer(77, spplrTin="P000000000T"))

    assert rows[-1].state == "offered"


def test_it_remembers_only_what_it_may(fetch, goods):
    goods("OIL", 1)
    (first,) = fetch(offer(77))

    match(first.pk, [Choice(1, "OIL")], remember=False)

    assert not RememberedMatch.objects.exists()


def test_taking_a_match_back_forgets_it(fetch, goods):
    goods("OIL", 1)
    (first,) = fetch(offer(77))
    match(first.pk, [Choice(1, "OIL")], remember=True)

    match(first.pk, [Choice(1, "")], remember=True)

    first.refresh_from_db()
    assert first.state == "offered"
    assert not RememberedMatch.objects.exists()


def test_it_looks_again_when_asked(fetch, goods):
    (first, second) = fetch(offer(77), offer(78))
    goods("OIL", 1)
    match(first.pk, [Choice(1, "OIL")], remember=True)

    match(second.pk, [], remember=True)

    second.refresh_from_db()
    assert second.state == "matched"


def test_a_barcode_that_one_item_has_is_enough(fetch, goods):
    goods("OIL", 1, barcode="616")

    (purchase,) = fetch(offer(77, offered_line(1, bcd="616")))

    assert purchase.lines.get().match_source == "barcode"


def test_a_barcode_that_two_items_have_is_a_suggestion(fetch, goods):
    goods("OIL", 1, barcode="616")
    goods("OIL-2", 2, barcode="616")

    (purchase,) = fetch(offer(77, offered_line(1, bcd="616")))

    assert purchase.state == "offered"
    found = suggestions_for(purchase)[1]
    assert [(one.item, one.because) for one in found] == [
        ("OIL", "barcode"),
        ("OIL-2", "barcode"),
    ]


def test_a_code_needs_its_name_too(fetch, goods):
    goods("SHELF", 1, code="KE2CTNO0000011", name="Steel shelf")
    (other,) = fetch(offer(77, offered_line(1, itemNm="Maize flour")))
    _, same = fetch(offer(78, offered_line(1, itemNm="steel  Shelf")))

    assert (other.state, same.state) == ("offered", "matched")
    assert [one.because for one in suggestions_for(other)[1]] == ["code"]


def test_a_name_suggests_and_never_applies(fetch, goods):
    goods("OIL", 1, name="Cooking oil 3 l")
    goods("OIL-5", 2, name="Engine oil")
    goods("GONE", 3, name="Cooking oil, 3 l", is_active=False)

    (purchase,) = fetch(offer(77, offered_line(1, itemNm="Cooking oil, 3 l")))

    assert purchase.lines.get().item is None
    assert suggestions_for(purchase)[1][0].item == "OIL"
    assert "GONE" not in [one.item for one in suggestions_for(purchase)[1]]


def test_suggestions_stay_in_the_company(fetch, goods, beta):
    goods("OIL", 1, name="Cooking oil", company=beta)

    (purchase,) = fetch(offer(77, offered_line(1, itemNm="Cooking oil")))

    assert suggestions_for(purchase) == {1: []}
    assert Purchase.objects.count() == 1
