"""Two companies and functions that make rows. Nothing here talks to KRA."""

import itertools
import socket
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from companies.authentication import TokenAuthentication
from companies.models import COMPANY_SCOPES, ApiToken, Branch, Company
from devices.models import Call, Device
from monitoring import health
from outbox.models import Lane, Transmission
from sales.models import Invoice, Receipt

_numbers = itertools.count(1)
KEY = "cmc-key-never-shown-4711"
SENT = ("sending", "unknown", "conflict", "accepted")


@dataclass
class Tenant:
    company: Company
    branch: Branch
    device: Device
    lane: Lane
    secret: str


@pytest.fixture(autouse=True)
def fresh_caches():
    """What the process remembers must not outlive a test's database."""
    health.forget()
    TokenAuthentication.cache.clear()


@pytest.fixture
def open_device():
    def build(company, serial, *, code="00", state="active") -> Device:
        branch, _ = Branch.objects.get_or_create(
            company=company, code=code, defaults={"name": f"Branch {code}"}
        )
        return Device.objects.create(
            company=company, branch=branch, serial=serial, state=state, key=KEY,
            init_answer=f"answer with {KEY}", scu_id="KRACU0100000001",
        )  # fmt: skip

    return build


@pytest.fixture
def open_company(open_device):
    def build(pin: str, name: str, serial: str) -> Tenant:
        company = Company.objects.create(
            pin=pin, name=name, environment="sandbox", profile="direct",
            consumer_key="consumer-key-never-shown", consumer_secret="consumer-secret-never-shown",
        )  # fmt: skip
        device = open_device(company, serial)
        lane = Lane.objects.create(device=device, stream="fiscal")
        _, secret = ApiToken.issue(name="books", scopes=COMPANY_SCOPES, company=company)
        return Tenant(company, device.branch, device, lane, secret)

    return build


@pytest.fixture
def alpha(db, open_company):
    return open_company("A000000001A", "Alpha Traders", "alpha-1")


@pytest.fixture
def beta(db, open_company):
    return open_company("B000000002B", "Beta Stores", "beta-1")


@pytest.fixture
def get(client):
    """GET as a tenant, or with a secret."""

    def get(path: str, who: Tenant | str, **query: Any) -> Any:
        secret = who if isinstance(who, str) else who.secret
        return client.get(path, query, headers={"Authorization": f"Token {secret}"})

    return get


@pytest.fixture
def make_call():
    def build(tenant: Tenant, **fields: Any) -> Call:
        device = fields.pop("device", tenant.device)
        moment = fields.setdefault("started_at", timezone.now())
        fields = {
            "endpoint": "sales_save", "outcome": "accepted", "code": "000", "http_status": 200,
            "finished_at": moment, "elapsed_ms": 12, "request": "{}", "answer": "{}",
        } | fields  # fmt: skip
        return Call.objects.create(company=device.company, device=device, **fields)

    return build


@pytest.fixture
def owe():
    """A message owed to KRA; `created_at` and all else may be given."""

    def build(lane: Lane, status: str = "queued", **fields: Any) -> Transmission:
        created_at = fields.pop("created_at", None)
        number = next(_numbers)
        if status in SENT:
            fields = {"body": b'{"invcNo":1}', "number": number} | fields
        if status in ("accepted", "refused", "cancelled"):
            fields = {"finished_at": timezone.now()} | fields
        fields = {"kind": "sale", "reference": f"R{number}", "not_before": timezone.now()} | fields
        row = Transmission.objects.create(lane=lane, status=status, **fields)
        if created_at:
            Transmission.objects.filter(pk=row.pk).update(created_at=created_at)
        return row

    return build


@pytest.fixture
def sell(owe):
    """An invoice with its message and, when accepted, its receipt. `letters`: taxable and tax."""

    def build(tenant: Tenant, status: str = "accepted", *, letters=None, **fields: Any) -> Invoice:
        letters = letters or {"B": ("1000.00", "160.00")}
        device = fields.pop("device", tenant.device)
        lane, _ = Lane.objects.get_or_create(device=device, stream="fiscal")
        row = owe(lane, status)
        taxable = sum(Decimal(amounts[0]) for amounts in letters.values())
        tax = sum(Decimal(amounts[1]) for amounts in letters.values())
        for letter, amounts in letters.items():
            fields[f"taxable_{letter.lower()}"], fields[f"tax_{letter.lower()}"] = amounts
        fields = {
            "kind": "sale", "reference": row.reference, "sold_at": timezone.now(),
            "payment_method": "01", "content_hash": "0" * 64, "transmission": row,
            "total": taxable + tax, "taxable": taxable, "tax": tax, "discount": 0,
        } | fields  # fmt: skip
        invoice = Invoice.objects.create(
            company=device.company, branch=device.branch, device=device, **fields
        )
        if status == "accepted":
            sign(invoice, row)
        return invoice

    return build


def sign(invoice: Invoice, row: Any) -> Receipt:
    return Receipt.objects.create(
        invoice=invoice, device_id=invoice.device_id, number=row.number,
        receipt_number=row.number, total_receipts=row.number,
        internal_data="INTERNALDATA", signature="SIGNATURE", signed_at=timezone.now(),
        scu_id=invoice.device.scu_id,
    )  # fmt: skip


@pytest.fixture
def refusing_port():
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture
def silent_port():
    """A port that lets everybody in and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield listener.getsockname()[1]
