"""A shop without KRA: its devices and items are simply there, as if KRA had accepted them."""

from datetime import UTC, datetime
from decimal import Decimal

from django.utils import timezone

from companies.models import Branch, Company
from devices.models import Device
from items.models import Item, ItemCounter
from outbox.models import Lane, Status, Transmission
from sales.models import Receipt

# SKU, name, tax letter, price, product type
GOODS = [
    ("KETTLE", "Electric kettle 1.7 l", "B", "2320.00", "2"),
    ("SEED", "Certified seed", "A", "350.00", "2"),
    ("BREAD", "Brown bread 400 g", "C", "65.00", "2"),
    ("FIT", "Fitting service", "B", "1000.00", "3"),
]
SIGNED_AT = datetime(2026, 11, 22, 7, 15, 42, tzinfo=UTC)


def open_company(pin="A123456789Z", **facts):
    facts = {"name": "Baraka Stores", "environment": "simulator", "profile": "direct"} | facts
    company = Company.objects.create(pin=pin, **facts)
    Branch.objects.create(
        company=company,
        code="00",
        name="Head office",
        address="Moi Avenue, Nairobi",
        is_head_office=True,
    )
    return company


def add_device(company, serial="dvcv1130"):
    device = Device.objects.create(
        company=company,
        branch=company.branches.get(code="00"),
        serial=serial,
        state="active",
        key="secret-key",
        scu_id="KRACU0100000001",
    )
    return Device.objects.select_related("company", "branch").get(pk=device.pk)


def add_items(company, device):
    """The catalogue, registered; and one item for each reason not to be sold."""
    ItemCounter.objects.create(company=company, device=device, last_number=len(GOODS))
    now = timezone.now()
    common = {"company": company, "created_at": now, "updated_at": now}
    for number, (sku, name, letter, price, kind) in enumerate(GOODS, start=1):
        Item.objects.create(
            sku=sku,
            name=name,
            code=f"KE{kind}NTNO{number:07}",
            classification="1000000000",
            product_type=kind,
            tax_letter=letter,
            price=Decimal(price),
            registered_at=now,
            **common,
        )
    odd = common | {"classification": "1000000000", "tax_letter": "B", "price": Decimal(10)}
    Item.objects.create(sku="DRAFT", name="Not registered", **odd)
    Item.objects.create(
        sku="GONE", name="Taken off", is_active=False, registered_at=now, code="X1", **odd
    )
    Item.objects.create(sku="TIP", name="Not fiscal", is_fiscal=False, **odd)


def sign(invoice, number=None):
    """What an acceptance by KRA leaves behind, but for the stock."""
    row = invoice.transmission
    lane = Lane.objects.get(pk=row.lane_id)
    number = number or lane.last_number + 1
    Lane.objects.filter(pk=lane.pk).update(last_number=number)
    settle(invoice, Status.ACCEPTED, number=number)
    return Receipt.objects.create(
        invoice=invoice,
        device_id=invoice.device_id,
        number=number,
        receipt_number=number,
        total_receipts=number,
        internal_data="A2B3C4D5E6F7G2H3I4J5K6L7M2",
        signature="V249J39CFJ48HE2W",
        signed_at=SIGNED_AT,
        scu_id="KRACU0100000001",
    )


def settle(invoice, status, **facts):
    """Put the message of an invoice into a state of its own."""
    body = bytes(invoice.transmission.content)
    Transmission.objects.filter(pk=invoice.transmission_id).update(
        status=status, attempts=1, body=body, finished_at=timezone.now(), **facts
    )
