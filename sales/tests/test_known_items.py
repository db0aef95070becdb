"""What a process remembers of the catalogue never decides: neither a price, nor a yes, nor a no."""

from decimal import Decimal

import msgspec
import pytest

from items import known
from items.models import Item, StockLevel
from outbox.models import Transmission
from sales import acceptance
from sales.errors import NotReady, ReferenceReused, SaleInvalid
from sales.models import Invoice
from sales.schemas import PreviewInput

# Each change commits: within one transaction PostgreSQL gives all versions of a row one name.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def kettle(device):
    """Known to this process, as it was before the test changes it."""
    known.forget()
    known.items_of(device.company_id, ["KETTLE"])
    return Item.objects.filter(sku="KETTLE")


def test_a_new_price_holds_at_once(kettle, accept):
    kettle.update(price="2500.00", name="Kettle, new model")

    sold = accept().invoice

    assert sold.total == Decimal("2500.00")
    assert sold.lines.all()[0].name == "Kettle, new model"
    assert b"Kettle, new model" in bytes(Transmission.objects.get().content or b"")


def test_an_item_taken_off_sale_is_refused(kettle, accept):
    kettle.update(is_active=False)

    with pytest.raises(SaleInvalid) as refused:
        accept()

    assert [problem.field for problem in refused.value.problems] == ["lines[0].item"]
    assert not Invoice.objects.exists()


def test_a_deleted_item_is_refused(kettle, accept):
    kettle.delete()

    with pytest.raises(SaleInvalid):
        accept()


def test_what_was_refused_is_sold_as_soon_as_it_may(kettle, accept):
    kettle.update(is_active=False)
    with pytest.raises(SaleInvalid):
        accept("T-1")
    kettle.update(is_active=True)

    assert not accept("T-2").is_replay


def test_a_repeat_stays_the_first_sale_whatever_the_item_is_now(kettle, accept):
    first = accept().invoice
    kettle.update(price="2500.00")

    again = accept()

    assert (again.is_replay, again.invoice.pk) == (True, first.pk)


def test_another_companys_item_of_that_name_is_not_sold(device, accept):
    known.items_of(device.company_id + 1, ["KETTLE"])

    assert accept().invoice.lines.all()[0].item.company_id == device.company_id


def test_an_item_that_changes_again_and_again_stops_the_sale_with_the_reason(
    kettle, accept, monkeypatch
):
    def too_late(*args, **more):
        found = known.items_of(*args, **more)
        kettle.update(price="1.00")
        return found

    monkeypatch.setattr("sales.baskets.items_of", too_late)

    with pytest.raises(ReferenceReused, match="or an item, is being changed"):
        accept()

    assert not Invoice.objects.exists()
    assert not Transmission.objects.exists()


def test_a_device_that_stopped_selling_is_the_reason_that_is_given(device, accept):
    type(device).objects.filter(pk=device.pk).update(state="suspended")

    with pytest.raises(NotReady):
        accept()


def test_too_little_stock_is_known_as_it_is_now(device, kettle, accept):
    level = StockLevel.objects.create(branch=device.branch, item=kettle.get(), kra_level=1)
    enough = accept("T-1")
    level.kra_level = Decimal("0.50")
    level.save()
    short = accept(
        "T-2", lines=[{"item": "KETTLE", "quantity": "1"}, {"item": "FIT", "quantity": "1"}]
    )

    assert enough.shortages == []
    assert [(one.sku, one.wanted, one.at_kra) for one in short.shortages] == [
        ("KETTLE", Decimal(1), Decimal("0.50"))
    ]


def test_only_so_many_items_are_kept(device, monkeypatch):
    monkeypatch.setattr(known, "MOST", 2)

    found = known.items_of(device.company_id, ["SEED", "BREAD", "NONE"])

    assert set(found) == {"SEED", "BREAD"}
    assert len(known._known) == 2


def test_a_preview_shows_what_is_there_now(device, kettle):
    kettle.update(price="2500.00")
    sale = msgspec.convert({"lines": [{"item": "KETTLE", "quantity": "1"}]}, PreviewInput)

    basket, _, shortages = acceptance.preview(device, sale)

    assert basket is not None
    assert basket.totals.total == Decimal("2500.00")
    assert [one.sku for one in shortages] == ["KETTLE"]
