"""Both sides of the settings that switch an assumption about KRA (docs/kra.md)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from companies.models import Company
from devices.models import Device
from outbox.models import Transmission
from sales.errors import SaleInvalid
from sales.models import InvoiceLine

pytestmark = pytest.mark.django_db


def days_ago(days):
    return (timezone.now() - timedelta(days=days)).isoformat()


def test_old_sales_are_taken_as_long_as_they_may(accept, settings):
    settings.SALES_MAX_AGE_DAYS = 31
    with pytest.raises(SaleInvalid) as refusal:
        accept(sold_at=days_ago(60))
    assert refusal.value.problems[0].field == "sold_at"

    settings.SALES_MAX_AGE_DAYS = 90

    assert accept(sold_at=days_ago(60)).invoice.pk


@pytest.mark.parametrize("hours", [1, 24])
def test_a_sale_is_due_when_it_is_said_to_be(accept, settings, hours):
    settings.SALES_DEADLINE_HOURS = hours

    accept()

    due = timezone.now() + timedelta(hours=hours)
    assert Transmission.objects.filter(deadline_at__gt=due - timedelta(minutes=1)).exists()
    assert not Transmission.objects.filter(deadline_at__gt=due).exists()


@pytest.mark.parametrize(("convention", "price"), [("inclusive-split", 2320), ("net-base", 2000)])
def test_the_gateway_has_a_convention_of_its_own(device, accept, settings, convention, price):
    settings.KRA_TAX_CONVENTIONS = {"direct": "gross-all"} | {"gavaconnect": convention}
    Company.objects.update(profile="gavaconnect")
    device.company.refresh_from_db()

    accept(lines=[{"item": "KETTLE", "quantity": "1"}])

    assert Device.objects.get().company.profile == "gavaconnect"
    line = InvoiceLine.objects.get()
    assert (line.unit_price, line.total, line.tax) == (price, 2320, 320)
