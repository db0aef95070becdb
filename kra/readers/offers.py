"""What others declared about us: imports, purchases, and what our own branches sent."""

from decimal import Decimal
from typing import Any

from kra.errors import OutcomeUnknown
from kra.readers.members import Members, unreadable
from kra.records import BranchTransfer, ImportedItem, SupplierInvoice, SupplierLine


def read_imports(data: dict[str, Any] | None) -> tuple[ImportedItem, ...]:
    return tuple(_import(row) for row in Members(data).rows("itemList"))


def read_supplier_invoices(data: dict[str, Any] | None) -> tuple[SupplierInvoice, ...]:
    """Raises OutcomeUnknown("unreadable_answer"): amounts are copied, so each must be there."""
    try:
        # saleList, without the s that salesList has elsewhere.
        return tuple(_supplier_invoice(row) for row in Members(data).rows("saleList"))
    except ValueError as exc:
        raise unreadable(f"A supplier invoice cannot be read: {exc}.") from exc


def sift_supplier_invoices(
    data: dict[str, Any] | None,
) -> tuple[tuple[SupplierInvoice, ...], tuple[str, ...]]:
    """The invoices that can be read, and what is wrong with each of the others: one supplier's
    odd document must not hide all the rest. Raises OutcomeUnknown when there is no list at all.
    """
    readable, faults = [], []
    for row in Members(data).rows("saleList"):
        try:
            readable.append(_supplier_invoice(row))
        except (ValueError, OutcomeUnknown) as exc:
            name = f"{row.text('spplrTin')}/{row.text('spplrInvcNo')}"
            faults.append(f"{name[:60]}: {exc}"[:200])
    return tuple(readable), tuple(faults)


def read_transfers(data: dict[str, Any] | None) -> tuple[BranchTransfer, ...]:
    """Raises OutcomeUnknown("unreadable_answer"): a misread quantity looks like a loss."""
    try:
        return tuple(_transfer(row) for row in Members(data).rows("stockList"))
    except ValueError as exc:
        raise unreadable(f"A transfer cannot be read: {exc}.") from exc


def _transfer(row: Members) -> BranchTransfer:
    quantities: dict[str, Decimal] = {}
    for line in row.rows("itemList"):
        code = line.text("itemCd")
        quantities[code] = quantities.get(code, Decimal(0)) + line.money("qty")
    return BranchTransfer(
        number=row.count("sarNo"),
        date=row.day_or_none("ocrnDt"),
        remark=row.text("remark"),
        quantities=quantities,
    )


def _import(row: Members) -> ImportedItem:
    return ImportedItem(
        task_code=row.verbatim("taskCd"),
        declared_on=row.verbatim("dclDe"),
        sequence=row.number("itemSeq"),
        declaration_number=row.text("dclNo"),
        hs_code=row.verbatim("hsCd"),
        name=row.text("itemNm"),
        # The list spells it with a small s, the update with a capital one.
        status_code=row.text("imptItemsttsCd") or row.text("imptItemSttsCd"),
        origin_country=row.text("orgnNatCd"),
        export_country=row.text("exptNatCd"),
        packages=row.money_or_none("pkg"),
        package_unit=row.text("pkgUnitCd"),
        quantity=row.money_or_none("qty"),
        quantity_unit=row.text("qtyUnitCd"),
        gross_weight=row.money_or_none("totWt"),
        net_weight=row.money_or_none("netWt"),
        supplier_name=row.text("spplrNm"),
        agent_name=row.text("agntNm"),
        amount=row.money_or_none("invcFcurAmt"),
        currency=row.text("invcFcurCd"),
        exchange_rate=row.money_or_none("invcFcurExcrt"),
    )


def _supplier_invoice(row: Members) -> SupplierInvoice:
    return SupplierInvoice(
        supplier_pin=row.text("spplrTin"),
        supplier_name=row.text("spplrNm"),
        supplier_branch=row.text("spplrBhfId"),
        number=row.count("spplrInvcNo"),
        scu_id=row.text("spplrSdcId"),
        machine_number=row.text("spplrMrcNo"),
        kind=row.text("rcptTyCd"),
        payment_code=row.text("pmtTyCd"),
        confirmed_at=row.instant_or_none("cfmDt"),
        date=row.day("salesDt"),
        taxable=row.money("totTaxblAmt"),
        tax=row.money("totTaxAmt"),
        total=row.money("totAmt"),
        remark=row.text("remark"),
        lines=tuple(_supplier_line(line) for line in row.rows("itemList")),
    )


def _supplier_line(row: Members) -> SupplierLine:
    return SupplierLine(
        sequence=row.number("itemSeq"),
        item_code=row.text("itemCd"),
        class_code=row.text("itemClsCd"),
        name=row.text("itemNm"),
        barcode=row.text("bcd"),
        package_unit=row.text("pkgUnitCd"),
        packages=row.money("pkg"),
        quantity_unit=row.text("qtyUnitCd"),
        quantity=row.money("qty"),
        price=row.money("prc"),
        supply_amount=row.money("splyAmt"),
        discount_rate=row.money("dcRt"),
        discount_amount=row.money("dcAmt"),
        tax_letter=row.text("taxTyCd"),
        taxable=row.money("taxblAmt"),
        tax=row.money("taxAmt"),
        total=row.money("totAmt"),
    )
