"""Which print is the original, who had it, and the ways out when paper or answer is lost."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from sales.errors import NotSigned
from sales.models import Label, ReceiptPrint
from sales.receipts import printing
from sales.receipts.formats import FORMATS
from sales.receipts.printing import (
    NothingToSpoil,
    PrintIdSpent,
    Wanted,
    hand_out,
    note_page_view,
    spoil,
)

from .conftest import read
from .shop import settle, sign


def want(suffix="txt", by="Till 1 (etims_1)", **more):
    return Wanted(FORMATS[suffix], by=by, **more)


def labels():
    return list(ReceiptPrint.objects.order_by("pk").values_list("label", flat=True))


def test_it_prints_the_original_once(signed):
    sale = signed()

    first, second = hand_out(sale, want()), hand_out(sale, want("html", by="Till 2 (etims_2)"))

    assert (first.label, second.label) == ("NS", "CS")
    assert b"C O P Y" not in first.body
    assert b"NOT AN OFFICIAL RECEIPT" in second.body
    rows = ReceiptPrint.objects.order_by("pk").values_list(
        "label", "format", "printed_by", "reference", "total", "device__serial"
    )
    assert [tuple(map(str, row)) for row in rows] == [
        ("NS", "txt", "Till 1 (etims_1)", "T-1", "2320.00", "dvcv1130"),
        ("CS", "html", "Till 2 (etims_2)", "T-1", "2320.00", "dvcv1130"),
    ]


def test_it_labels_credit_notes_and_training(signed, credit, accept):
    signed("T-1")
    note = credit()
    sign(note)
    training = read(accept("T-2", training=True).invoice)

    made = [hand_out(read(each), want()).label for each in (note, note, training, training)]

    assert made == ["NC", "CC", "TS", "TS"]


@pytest.mark.parametrize("suffix", ["json", "svg", "png"])
def test_data_is_not_a_print(signed, suffix):
    sale = signed()

    handed = hand_out(sale, want(suffix))

    assert handed.label == "CS"
    assert labels() == []


def test_a_till_that_lays_out_its_own_paper_names_its_print(signed):
    handed = hand_out(signed(), want("json", print_id="p-1"))

    assert handed.label == "NS"
    assert labels() == ["NS"]


def test_whoever_only_looks_prints_nothing(signed):
    hand_out(signed(), want(print_id="p-1", only_looks=True))

    assert labels() == []


def test_a_copy_can_be_asked_for_before_the_original(signed):
    sale = signed()

    assert [hand_out(sale, want(is_copy=copy)).label for copy in (True, False)] == ["CS", "NS"]


@pytest.mark.parametrize("status", ["queued", "sending", "unknown", "conflict", "refused"])
def test_an_unsigned_sale_is_not_printed_in_any_format(sell, status):
    sale = sell()
    settle(sale, status)

    for suffix in FORMATS:
        with pytest.raises(NotSigned) as refused:
            hand_out(read(sale), want(suffix))
        assert sale.public_url in refused.value.message
        assert refused.value.problems[0].reason == f"It is {status}."
    assert labels() == []


def test_the_same_print_again_is_the_same_paper(signed):
    sale = signed()

    first, again = (hand_out(sale, want(print_id="p-1")) for _ in range(2))
    other = hand_out(sale, want(print_id="p-2"))

    assert (first.label, again.label, other.label) == ("NS", "NS", "CS")
    assert first.body == again.body
    assert list(ReceiptPrint.objects.order_by("pk").values_list("label", "repeats")) == [
        ("NS", 1),
        ("CS", 0),
    ]


@pytest.mark.parametrize(
    ("_case", "again", "age"),
    [
        ("another till", want(by="Till 2 (etims_2)", print_id="p-1"), 0),
        ("another format", want("html", print_id="p-1"), 0),
        ("too late", want(print_id="p-1"), 16),
    ],
)
def test_a_print_id_cannot_be_used_for_more(signed, _case, again, age):
    sale = signed()
    hand_out(sale, want(print_id="p-1"))
    ReceiptPrint.objects.update(printed_at=timezone.now() - timedelta(minutes=age))

    with pytest.raises(PrintIdSpent):
        hand_out(sale, again)

    assert list(ReceiptPrint.objects.values_list("label", "repeats")) == [("NS", 0)]


def test_spoiled_paper_is_replaced_by_an_original_on_record(signed):
    sale = signed()
    hand_out(sale, want(print_id="p-1"))

    spoil(sale, by="Till 1 (etims_1)", reason="The paper jammed.")
    with pytest.raises(PrintIdSpent):
        hand_out(sale, want(print_id="p-1"))
    after = [hand_out(sale, want()).label for _ in range(2)]

    assert after == ["NS", "CS"]
    spoiled = ReceiptPrint.objects.exclude(spoiled_at=None).get()
    assert (spoiled.label, spoiled.spoiled_reason) == ("NS", "The paper jammed.")


def test_only_an_original_that_is_out_can_be_spoiled(signed):
    sale = signed()
    hand_out(sale, want(is_copy=True))
    with pytest.raises(NothingToSpoil):
        spoil(sale, by="x", reason="no original")

    hand_out(sale, want())
    spoil(sale, by="x", reason="once")

    with pytest.raises(NothingToSpoil):
        spoil(sale, by="x", reason="twice")


def test_a_receipt_that_cannot_be_rendered_was_not_printed(signed, monkeypatch):
    sale = signed()

    def jam(*_):
        raise RuntimeError("no ink")

    monkeypatch.setattr(printing, "document_of", jam)
    with pytest.raises(RuntimeError):
        hand_out(sale, want())
    monkeypatch.undo()

    assert labels() == []
    assert hand_out(sale, want()).label == "NS"


def test_the_buyers_page_is_one_copy(signed):
    sale = signed()

    for _ in range(3):
        note_page_view(sale)

    assert labels() == ["CS"]
    assert hand_out(sale, want()).label == "NS"


def test_the_database_holds_one_original(signed):
    sale = signed()
    hand_out(sale, want())
    row = ReceiptPrint.objects.get()
    row.pk = None

    with pytest.raises(IntegrityError, match="print_one_original"), transaction.atomic():
        row.save(force_insert=True)
    row.label = Label.PROFORMA
    with pytest.raises(IntegrityError, match="print_of_an_invoice"), transaction.atomic():
        row.save(force_insert=True)


def at_once(count, act):
    def run(place):
        try:
            return act(place)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.mark.django_db(transaction=True)
def test_tills_that_print_at_once_get_one_original(transactional_db, signed):
    sale = signed()

    made = at_once(6, lambda place: hand_out(sale, want(by=f"Till {place}")).label)

    assert sorted(made) == ["CS"] * 5 + ["NS"]
    assert sorted(labels()) == sorted(made)


@pytest.mark.django_db(transaction=True)
def test_one_print_asked_for_many_times_at_once_is_one(transactional_db, signed):
    sale = signed()

    made = at_once(6, lambda _: hand_out(sale, want(print_id="p-1")).label)

    assert made == ["NS"] * 6
    assert list(ReceiptPrint.objects.values_list("label", "repeats")) == [("NS", 5)]


@pytest.mark.django_db(transaction=True)
def test_many_who_look_at_once_are_one_copy(transactional_db, signed):
    sale = signed()

    at_once(6, lambda _: note_page_view(sale))

    assert labels() == ["CS"]
