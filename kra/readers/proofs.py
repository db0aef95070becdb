"""What proves a sale or opens a device: read strictly, because money hangs on it."""

from typing import Any

from kra.readers.members import Members, incomplete, unreadable
from kra.records import DeviceInfo, Signature, StoredInvoice, StoredLine

_SIGNATURE = ("curRcptNo", "totRcptNo", "intrlData", "rcptSign", "sdcDateTime")


def read_signature(data: dict[str, Any] | None) -> Signature:
    """Raises OutcomeUnknown("incomplete_answer"): accepted, but nothing to print."""
    try:
        signature = _signature(Members(data))
    except ValueError as exc:
        raise incomplete(f"The signature cannot be read: {exc}.") from exc
    if signature is None:
        raise incomplete("KRA accepted the sale and sent no complete signature.")
    return signature


def read_device(data: dict[str, Any] | None) -> DeviceInfo:
    """Raises OutcomeUnknown("incomplete_answer"): initialised, but no key came."""
    info = Members(data).object("info")
    if not (key := info.text("cmcKey")):
        raise incomplete("KRA initialised the device and sent no key.")
    return DeviceInfo(
        pin=info.text("tin"),
        taxpayer_name=info.text("taxprNm"),
        business_activity=info.text("bsnsActv"),
        branch_code=info.text("bhfId"),
        branch_name=info.text("bhfNm"),
        branch_opened_on=info.day_or_none("bhfOpenDt"),
        is_head_office=info.flag("hqYn"),
        province=info.text("prvncNm"),
        district=info.text("dstrtNm"),
        sector=info.text("sctrNm"),
        address=info.text("locDesc"),
        manager_name=info.text("mgrNm"),
        manager_phone=info.text("mgrTelNo"),
        manager_email=info.text("mgrEmail"),
        device_id=info.text("dvcId"),
        # The specification's table says sdicId, its sample and live answers sdcId.
        scu_id=info.text("sdcId") or info.text("sdicId"),
        machine_number=info.text("mrcNo"),
        key=key,
    )


def read_invoice(data: dict[str, Any] | None) -> StoredInvoice | None:
    """None: KRA has no such invoice. Raises OutcomeUnknown("unreadable_answer")."""
    if data is None:
        return None
    members = Members(data)
    rows = list(members.rows("salesList"))
    if not rows and "salesList" in members:
        return None
    if len(rows) != 1:
        # "No such invoice" has the same number sent again: it takes more than a missing member.
        raise unreadable(f"KRA sent {len(rows)} invoices where one was asked for.")
    try:
        return _invoice(rows[0])
    except ValueError as exc:
        raise unreadable(f"The invoice cannot be read: {exc}.") from exc


def _signature(members: Members) -> Signature | None:
    """None when a part is missing. Raises ValueError when a part is not what it should be."""
    if not all(members.text(name) for name in _SIGNATURE):
        return None
    return Signature(
        receipt_number=members.count("curRcptNo"),
        total_receipts=members.count("totRcptNo"),
        internal_data=members.text("intrlData"),
        signature=members.text("rcptSign"),
        signed_at=members.instant("sdcDateTime"),
    )


def _invoice(row: Members) -> StoredInvoice:
    kind = row.text("rcptTyCd")
    if kind not in ("S", "R"):
        raise ValueError(f"rcptTyCd is {kind[:20]!r}")
    return StoredInvoice(
        number=row.count("invcNo"),
        original_number=row.number("orgInvcNo"),
        kind="S" if kind == "S" else "R",
        buyer_pin=row.text("custTin"),
        buyer_name=row.text("custNm"),
        total=row.money("totAmt"),
        tax=row.money("totTaxAmt"),
        taxable=row.money("totTaxblAmt"),
        signature=_signature(row.object("receipt")),
        date=row.day("salesDt"),
        confirmed_at=row.instant_or_none("cfmDt"),
        lines=tuple(_line(line) for line in row.rows("itemList")),
    )


def _line(row: Members) -> StoredLine:
    return StoredLine(row.text("itemCd"), row.money("qty"), row.money("totAmt"))
