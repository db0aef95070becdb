"""What a till sends. What it gets back is in outputs.py."""

from datetime import datetime
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

Number = Annotated[Decimal, Meta(description="A number or a string.", examples=["580.00"])]
Reference = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=50,
        pattern=r"^[\x20-\x7e]+$",
        description="Your own reference, in plain ASCII: the idempotency key, unique per branch.",
        examples=["TILL1-000123"],
    ),
]
Remark = Annotated[str, Meta(max_length=400)]
Reason = Annotated[str, Meta(min_length=3, max_length=400)]


# Plain addresses only: nothing in them can end a header or name a second recipient.
EmailAddress = Annotated[
    str,
    Meta(
        max_length=254,
        pattern=r"^$|^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
        r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}$",
        examples=["buyer@example.com"],
    ),
]


class CustomerInput(Struct, forbid_unknown_fields=True):
    pin: Annotated[str, Meta(description="KRA PIN; empty for a buyer without one.")] = ""
    name: Annotated[str, Meta(max_length=60)] = ""
    phone: Annotated[str, Meta(max_length=20)] = ""
    email: Annotated[
        EmailAddress,
        Meta(description="The receipt is mailed there once signed; KRA never sees it."),
    ] = ""


class LineInput(Struct, forbid_unknown_fields=True):
    item: Annotated[str, Meta(min_length=1, max_length=60, description="SKU from the catalogue.")]
    quantity: Number
    unit_price: Number | None = None
    tax: Annotated[str, Meta(description="Letter A–E or its name; the item's own by default.")] = ""
    rate: Annotated[
        Decimal | None, Meta(description="Percent; refused when it contradicts the letter.")
    ] = None
    discount_percent: Number | None = None
    discount_amount: Number | None = None


class SaleContent(Struct, forbid_unknown_fields=True, kw_only=True):
    """All of a sale but its reference: what a correction may change."""

    # KRA numbers lines with three digits.
    lines: Annotated[list[LineInput], Meta(min_length=1, max_length=999)]
    device: Annotated[str, Meta(description="Serial; the token's own by default.")] = ""
    sold_at: Annotated[datetime, Meta(tz=True)] | None = None
    prices_include_tax: Annotated[
        bool | None, Meta(description="Required as soon as a line carries a price of its own.")
    ] = None
    customer: CustomerInput = msgspec.field(default_factory=CustomerInput)
    payment_method: str = "cash"
    discount_amount: Number | None = None
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] = "KES"
    exchange_rate: Annotated[
        Decimal | None, Meta(description="Shillings for one unit of the currency.")
    ] = None
    remark: Remark = ""
    training: Annotated[bool, Meta(description="Kept off KRA's books.")] = False


class SaleInput(SaleContent, forbid_unknown_fields=True, kw_only=True):
    reference: Reference


class PreviewInput(SaleContent, forbid_unknown_fields=True, kw_only=True):
    reference: Annotated[str, Meta(max_length=50, pattern=r"^[\x20-\x7e]*$")] = ""


class BulkInput(Struct, forbid_unknown_fields=True):
    sales: Annotated[list[SaleInput], Meta(min_length=1, max_length=200)]


class BulkBody(Struct, forbid_unknown_fields=True):
    """BulkInput with its sales unread: what is wrong with one is not the others' fault."""

    sales: Annotated[list[Raw], Meta(min_length=1, max_length=200)]


class Named(Struct):
    """What a sale is called, whatever else it holds."""

    reference: Any = ""


class CreditLineInput(Struct, forbid_unknown_fields=True):
    line: Annotated[int, Meta(ge=1, description="Line number of the original sale.")]
    quantity: Number


class CreditNoteInput(Struct, forbid_unknown_fields=True, kw_only=True):
    reference: Reference
    original: Annotated[str, Meta(description="Reference of the signed sale.")]
    reason: Annotated[str, Meta(description="Name or code of table 32.")] = "refund"
    lines: list[CreditLineInput] | None = None
    returns_goods: Annotated[bool, Meta(description="The goods come back into stock.")] = True
    device: str = ""
    sold_at: Annotated[datetime, Meta(tz=True)] | None = None
    remark: Remark = ""


class ReasonInput(Struct, forbid_unknown_fields=True):
    reason: Reason


# Any number a body can hold, however odd: refusing it is left to those who name the field.
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)


def fingerprint_of(data: Struct) -> bytes:
    """The same bytes for the same content, however numbers were spelt."""
    return msgspec.json.encode(_canonical(data))


def _canonical(value: Any) -> Any:
    if value is None or type(value) is str:
        return value  # as most are
    if isinstance(value, CustomerInput) and not value.email:
        # As it was before there were addresses: what was accepted then is still the same sale.
        return [value.pin, value.name, value.phone]
    if isinstance(value, Struct):
        return [_canonical(getattr(value, name)) for name in value.__struct_fields__]
    if isinstance(value, list):
        return [_canonical(each) for each in value]
    if isinstance(value, Decimal):
        return str(value.normalize(_EXACT)) if value.is_finite() else str(value)
    return value
