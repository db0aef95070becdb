"""What is stored of a sale, what a repeat gets, and that a preview promises the same."""

import msgspec
import pytest
from django.db.models import F

from devices.models import Device
from outbox.models import Transmission
from sales import acceptance, corrections
from sales.errors import NotCorrectable, NotReady, NotVoidable, ReferenceReused, SaleInvalid
from sales.models import Invoice, InvoiceLine
from sales.outputs import PreviewOutput, invoice_output, preview_amounts
from sales.schemas import PreviewInput, SaleContent, SaleInput

from . import shop
from .conftest import read
from .test_baskets import EXAMPLES
from .test_messages import FULL

pytestmark = pytest.mark.django_db

SALES = [(case, {"lines": lines} | more) for case, lines, more, _ in EXAMPLES]


@pytest.mark.parametrize(("_case", "sale"), [*SALES, ("everything at once", FULL)])
def test_a_preview_promises_what_is_sold(device, accept, _case, sale):
    basket, problems, _ = acceptance.preview(device, msgspec.convert(sale, PreviewInput))
    assert basket is not None
    assert not Invoice.objects.exists()
    shown = PreviewOutput(is_valid=True, problems=[], warnings=[])
    preview_amounts(shown, basket, acceptance.new_lines(basket))

    sold = invoice_output(read(accept(**sale).invoice))

    assert problems == []
    for name in ("total", "taxable_amount", "tax_amount", "discount", "letters", "lines"):
        assert getattr(shown, name) == getattr(sold, name)


@pytest.mark.parametrize(("_case", "sale"), [*SALES, ("everything at once", FULL)])
def test_the_first_answer_is_what_is_stored(accept, _case, sale):
    made = accept(**sale).invoice

    assert invoice_output(made) == invoice_output(read(made))


def test_a_repeat_is_the_same_sale(accept):
    first, again = accept(), accept()

    assert (first.is_replay, again.is_replay) == (False, True)
    assert first.invoice.pk == again.invoice.pk
    assert Transmission.objects.count() == 1


def test_a_reference_is_free_in_another_branch(device, accept):
    accept()
    other = shop.add_device(device.company, "dvcv2")
    other.branch = device.company.branches.create(code="01", name="Market")
    other.save()

    sale = {"reference": "T-1", "lines": [{"item": "KETTLE", "quantity": "1"}]}
    made = acceptance.create_sale(other, msgspec.convert(sale, SaleInput))

    assert not made.is_replay
    assert Invoice.objects.filter(reference="T-1").count() == 2


def test_a_repeat_from_another_device_is_not_the_same_sale(device, accept):
    accept()
    other = shop.add_device(device.company, "dvcv2")
    sale = {"reference": "T-1", "lines": [{"item": "KETTLE", "quantity": "1"}]}

    with pytest.raises(ReferenceReused):
        acceptance.create_sale(other, msgspec.convert(sale, SaleInput))

    assert Invoice.objects.count() == 1


def test_it_stores_nothing_of_a_wrong_sale(accept):
    with pytest.raises(SaleInvalid):
        accept(lines=[{"item": "KETTLE", "quantity": "1"}, {"item": "GHOST", "quantity": "1"}])

    assert not Invoice.objects.exists()
    assert not InvoiceLine.objects.exists()
    assert not Transmission.objects.exists()


@pytest.mark.parametrize("state", ["registered", "initialising", "suspended"])
def test_it_sells_nothing_on_a_device_that_may_not(device, accept, state):
    Device.objects.filter(pk=device.pk).update(state=state)
    device.state = state

    with pytest.raises(NotReady, match=f"The device dvcv1130 is {state}"):
        accept()


def test_a_device_suspended_since_it_was_read_sells_nothing(device, accept):
    Device.objects.filter(pk=device.pk).update(state="suspended")
    assert device.state == "active"

    with pytest.raises(NotReady, match="The device dvcv1130 is suspended"):
        accept()

    assert not Invoice.objects.exists()
    assert not InvoiceLine.objects.exists()
    assert not Transmission.objects.exists()


def test_a_device_resumed_since_it_was_read_sells(device, accept):
    device.state = "suspended"

    assert accept().invoice.status == "queued"


def test_a_device_that_kra_refuses_still_sells(device, accept):
    device.state = "refused"

    assert accept().invoice.status == "queued"


@pytest.fixture
def refused(sell):
    sale = sell()
    shop.settle(sale, "refused", error_code="910")
    return read(sale)


def correction(**changes):
    lines = [{"item": "KETTLE", "quantity": "2"}]
    return msgspec.convert({"lines": lines} | changes, SaleContent)


def test_a_correction_is_a_new_version_under_the_old_reference(refused):
    made = corrections.correct(refused, correction()).invoice

    assert (made.version, made.is_current, made.status) == (2, True, "queued")
    old = read(refused)
    assert (old.version, old.is_current, old.status) == (1, False, "superseded")
    assert Invoice.objects.get(reference="T-1", is_current=True).pk == made.pk


def test_a_repeat_of_any_version_gets_the_current_one(refused, accept):
    made = corrections.correct(refused, correction()).invoice

    assert accept().invoice.pk == made.pk
    assert accept(lines=[{"item": "KETTLE", "quantity": "2"}]).invoice.pk == made.pk


def test_a_refused_sale_is_corrected_once(refused):
    corrections.correct(refused, correction())

    with pytest.raises(NotCorrectable):
        corrections.correct(refused, correction())

    assert Invoice.objects.count() == 2


def test_a_voided_sale_keeps_its_reference(sell, accept):
    sale = sell()
    corrections.void(sale, reason="typed twice")

    assert accept().invoice.status == "voided"
    with pytest.raises(ReferenceReused):
        accept(remark="another")
    with pytest.raises(NotVoidable):
        corrections.void(read(sale), reason="again")


def test_a_training_sale_is_voided_but_never_retried(accept):
    made = accept(training=True).invoice

    with pytest.raises(NotVoidable):
        corrections.retry(made)
    corrections.void(made, reason="only practice")
    assert read(made).status == "voided"
    assert not Transmission.objects.exists()


def test_it_reads_a_large_sale_in_as_many_queries_as_a_small_one(sell, django_assert_num_queries):
    sale = sell(lines=[{"item": "KETTLE", "quantity": "1"}] * 300)

    with django_assert_num_queries(3):
        assert len(invoice_output(read(sale)).lines) == 300


def test_it_rings_for_an_idle_lane_alone(accept, monkeypatch):
    rung: list[int] = []
    monkeypatch.setattr("sales.acceptance.ring_after_commit", rung.append)

    first, _ = accept("T-1").invoice, accept("T-2").invoice
    assert rung == [first.transmission.lane_id], "whoever comes for T-1 finds T-2"
    Transmission.objects.update(status="accepted", number=F("id"), body=b"{}")
    accept("T-3")

    assert len(rung) == 2
