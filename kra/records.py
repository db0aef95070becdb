"""What KRA tells us, in our words. Times are in UTC, money is Decimal, absent text is ""."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, slots=True)
class Signature:
    """What KRA's control unit signed. A receipt without it is not fiscal."""

    receipt_number: int
    total_receipts: int
    internal_data: str
    signature: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    pin: str
    taxpayer_name: str
    business_activity: str
    branch_code: str
    branch_name: str
    branch_opened_on: date | None
    is_head_office: bool
    province: str
    district: str
    sector: str
    address: str
    manager_name: str
    manager_phone: str
    manager_email: str
    device_id: str
    scu_id: str
    machine_number: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredLine:
    item_code: str
    quantity: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class StoredInvoice:
    """A sale or credit note as KRA holds it, to compare with what we meant to send."""

    number: int
    original_number: int
    kind: Literal["S", "R"]
    buyer_pin: str
    buyer_name: str
    total: Decimal
    tax: Decimal
    taxable: Decimal
    signature: Signature | None
    date: date
    # When the seller confirmed it, to the second; None where KRA does not say.
    confirmed_at: datetime | None = None
    lines: tuple[StoredLine, ...] = ()


@dataclass(frozen=True, slots=True)
class ListedInvoice:
    """A stored sale or credit note without its lines, as books are compared."""

    number: int
    kind: Literal["S", "R"]
    date: date
    total: Decimal
    tax: Decimal
    signature: str
    is_cancelled: bool


@dataclass(frozen=True, slots=True)
class CodeDetail:
    code: str
    name: str
    description: str
    sort_order: int
    values: tuple[str, str, str]  # of class 04 the first is the tax rate
    is_used: bool


@dataclass(frozen=True, slots=True)
class CodeClass:
    code: str
    name: str
    description: str
    value_names: tuple[str, str, str]
    is_used: bool
    details: tuple[CodeDetail, ...]


@dataclass(frozen=True, slots=True)
class Classification:
    code: str
    name: str
    level: int
    tax_letter: str
    is_major: bool
    is_used: bool


@dataclass(frozen=True, slots=True)
class CustomerInfo:
    pin: str
    name: str
    status_code: str
    province: str
    district: str
    sector: str
    address: str


@dataclass(frozen=True, slots=True)
class TaxpayerInfo:
    name: str
    vat_type_code: str


@dataclass(frozen=True, slots=True)
class BranchInfo:
    pin: str
    code: str
    name: str
    status_code: str
    is_open: bool
    is_head_office: bool
    province: str
    district: str
    sector: str
    address: str
    manager_name: str
    manager_phone: str
    manager_email: str


@dataclass(frozen=True, slots=True)
class Notice:
    number: int
    title: str
    text: str
    url: str
    author: str
    registered_at: datetime | None


@dataclass(frozen=True, slots=True)
class ItemInfo:
    code: str
    class_code: str
    type_code: str
    name: str
    standard_name: str
    origin_country: str
    package_unit: str
    quantity_unit: str
    tax_letter: str
    batch_number: str
    barcode: str
    branch_code: str
    price: Decimal | None
    safety_quantity: Decimal | None
    is_insured: bool
    is_used: bool


@dataclass(frozen=True, slots=True)
class ImportedItem:
    """A line that customs declared. What KRA compares is kept as it came."""

    task_code: str
    declared_on: str  # DDMMYYYY or YYYYMMDD: echoed in the update, never read
    sequence: int
    declaration_number: str
    hs_code: str
    name: str
    status_code: str
    origin_country: str
    export_country: str
    packages: Decimal | None
    package_unit: str
    quantity: Decimal | None
    quantity_unit: str
    gross_weight: Decimal | None
    net_weight: Decimal | None
    supplier_name: str
    agent_name: str
    amount: Decimal | None
    currency: str
    exchange_rate: Decimal | None


@dataclass(frozen=True, slots=True)
class SupplierLine:
    sequence: int
    item_code: str
    class_code: str
    name: str
    barcode: str
    package_unit: str
    packages: Decimal
    quantity_unit: str
    quantity: Decimal
    price: Decimal
    supply_amount: Decimal
    discount_rate: Decimal
    discount_amount: Decimal
    tax_letter: str
    taxable: Decimal
    tax: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class SupplierInvoice:
    """What a supplier says that we bought. Suppliers mix price conventions: never recompute."""

    supplier_pin: str
    supplier_name: str
    supplier_branch: str
    number: int
    scu_id: str
    machine_number: str
    kind: str
    payment_code: str
    confirmed_at: datetime | None
    date: date
    taxable: Decimal
    tax: Decimal
    total: Decimal
    remark: str
    lines: tuple[SupplierLine, ...]


@dataclass(frozen=True, slots=True)
class BranchTransfer:
    """Goods that another branch of the taxpayer sent here. KRA does not name the sender."""

    number: int
    date: date | None
    remark: str
    # Item code to quantity, equal codes added up.
    quantities: dict[str, Decimal]
