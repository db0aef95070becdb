"""Each report as a sheet: the same figures as its JSON, in the order in which people read."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.money import ZERO
from kra.times import NAIROBI
from sales.outputs import money

from .day import DayReport, Side, Tally
from .head import Head
from .payments import MethodRow, PaymentReport
from .plu import PluReport
from .tables import Column, Sheet, Table, moneys, numbers, texts
from .vat import VatReport

NAMES = {"plu": "PLU report", "vat": "VAT report", "payments": "Payment methods"}
SHILLINGS = "Kenya shillings (KES)"
COUNTED = [*texts(""), *numbers("Count"), *moneys("Amount")]
PLU = [
    *texts("Code", "KRA code", "Name"), *moneys("Unit price"), *texts("Letter"), *numbers("Rate"),
    *numbers("Quantity"), *moneys("Amount"), *numbers("Credited"), *moneys("Credited amount"),
    *numbers("Unsigned"), *moneys("Unsigned amount"), *numbers("Stock left"),
]  # fmt: skip
VAT = [
    *texts("Letter", "Category"), *numbers("Rate"),
    *moneys("Sales taxable", "Sales tax", "Credit notes taxable", "Credit notes tax"),
    *moneys("Net taxable", "Net tax", "Unsigned taxable", "Unsigned tax"),
]  # fmt: skip
BUYERS = [
    *texts("Buyers"), *numbers("Sales"), *moneys("Taxable", "Tax"),
    *numbers("Credit notes"), *moneys("Credited taxable", "Credited tax"),
]  # fmt: skip
PURCHASES = [
    *texts("Kind", "Letter", "Category"), *numbers("Invoices"), *moneys("Taxable", "Tax", "Total"),
]  # fmt: skip
METHODS = [
    *texts("Method"), *numbers("Sales"), *moneys("Sales amount"), *numbers("Credit notes"),
    *moneys("Credited amount", "Net"), *numbers("Unsigned sales"), *moneys("Unsigned amount"),
    *numbers("Unsigned notes"), *moneys("Unsigned notes amount"),
]  # fmt: skip


def day_sheet(report: DayReport) -> Sheet:
    """X or Z."""
    title = f"Z REPORT No. {report.number}" if report.number else "X REPORT"
    name = f"{report.report}-{report.number or ''}-{_who(report)}-{report.day}".replace("--", "-")
    units = ", ".join(f"{d.serial} ({d.scu_id})" for d in report.devices)
    facts = [
        ("Trade name", report.trade_name),
        ("PIN", report.pin),
        ("Report", f"{report.report} {report.number or ''}".strip()),
        ("Business day", str(report.day)),
        ("Date and time", moment(report.made_at)),
        ("Since", _since(report)),
        ("Branch", f"{report.branch} {report.branch_name}".strip() or "all"),
        ("Address", report.address),
        ("Device", units),
        ("Made by", report.made_by),
        ("Opening deposit", report.opening_deposit),
        ("Amounts", SHILLINGS),
    ]
    if report.journal_checkpoint:
        facts += [(f"Journal {k}", str(v)) for k, v in report.journal_checkpoint.items()]
    tables = [
        *_day_tables(report),
        *_side_tables("Sales", report.sales),
        *_side_tables("Credit notes", report.credit_notes),
        _incomplete(report),
        _running(report),
    ]
    shown = [table for table in tables if table.rows]
    return Sheet(title, name, [fact for fact in facts if fact[1]], shown, _warning(report))


def _who(report: DayReport) -> str:
    if len(report.devices) == 1:
        return report.devices[0].serial
    return report.branch or report.pin


def _since(report: DayReport) -> str:
    spans = [
        f"Z {d.last_z}, {moment(d.since)}" if d.since else "the first day" for d in report.devices
    ]
    return "; ".join(dict.fromkeys(spans))


def _warning(report: DayReport | Head) -> str:
    if report.environment == "production":
        return ""
    return f"{report.environment.upper()}: NOT FOR TAX"


def _counted(label: str, tally: Tally) -> tuple[Any, ...]:
    return (label, tally.count, tally.total)


def _day_tables(report: DayReport) -> list[Table]:
    sales, notes = report.sales, report.credit_notes
    rows = [
        ("Sales (NS)", sales.count, sales.total),
        ("Credit notes (NC)", notes.count, f"-{notes.total}"),
        ("Net", "", report.net_total),
        ("Tax, net", "", report.net_tax),
        ("Items sold", sales.items, ""),
        ("Items credited", notes.items, ""),
        ("Discounts on sales", "", sales.discounts),
        ("Discounts on credit notes", "", notes.discounts),
        _counted("Other reductions (sales given up)", report.other_reductions),
        _counted("Of the sales: sold before an earlier Z", report.late_sales),
        _counted("Of the credit notes: made before an earlier Z", report.late_credit_notes),
        _counted("Copies (CS, CC)", report.copies),
        _counted("Training (TS, TC)", report.training),
        _counted("Proforma (PS)", report.proforma),
    ]
    return [Table("Totals", COUNTED, rows)]


def _side_tables(name: str, side: Side) -> list[Table]:
    letters = [(r.letter, r.rate, r.taxable, r.tax, r.total) for r in side.letters]
    payments = [(r.method.replace("_", " "), r.count, r.total) for r in side.payments]
    ends = [(side.first_receipt, side.last_receipt)] if side.first_receipt else []
    columns = [*texts("Letter"), *numbers("Rate"), *moneys("Taxable", "Tax", "Total")]
    return [
        Table(f"{name} by tax letter", columns, letters),
        Table(f"{name} by payment method", COUNTED, payments),
        Table(f"{name}: CU invoice numbers", texts("First", "Last"), ends),
    ]


def _incomplete(report: DayReport) -> Table:
    columns = [
        *texts("State"), *numbers("Sales"), *moneys("Amount"), *numbers("Credit notes"),
        *moneys("Credited amount"),
    ]  # fmt: skip
    rows = [
        (r.status, r.sales.count, r.sales.total, r.credit_notes.count, r.credit_notes.total)
        for r in report.incomplete
    ]
    return Table("Incomplete: not signed by KRA, in no total above", columns, rows)


def _running(report: DayReport) -> Table:
    run = report.running
    rows = [_counted("Sales", run.sales), _counted("Credit notes", run.credit_notes)]
    return Table("Grand totals since the first Z", COUNTED, rows)


def plu_sheet(report: PluReport) -> Sheet:
    rows: list[Sequence[Any]] = [
        (
            r.code, r.kra_code, r.name, r.unit_price, r.letter, r.rate, r.quantity, r.amount,
            r.credited_quantity, r.credited_amount, r.unsigned_quantity, r.unsigned_amount,
            "" if r.stock_left is None else r.stock_left,
        )
        for r in report.rows
    ]  # fmt: skip
    sums = (report.amount, "", report.credited_amount, "", report.unsigned_amount, "")
    rows.append(("Total", *[""] * 6, *sums))
    return _period_sheet(report.head, [Table("Items", PLU, rows, has_total=True)])


def vat_sheet(report: VatReport) -> Sheet:
    rows: list[Sequence[Any]] = [
        (
            r.letter, r.category, r.rate, r.sales_taxable, r.sales_tax, r.credit_taxable,
            r.credit_tax, r.net_taxable, r.net_tax, r.unsigned_taxable, r.unsigned_tax,
        )
        for r in report.rows
    ]  # fmt: skip
    rows.append(total_row(VAT, rows))
    buyers = [
        (
            b.buyers, b.sales, b.sales_taxable, b.sales_tax, b.credit_notes, b.credit_taxable,
            b.credit_tax,
        )
        for b in report.buyers
    ]  # fmt: skip
    purchases: list[Sequence[Any]] = [
        (p.kind, p.letter, p.category, p.count, p.taxable, p.tax, p.total) for p in report.purchases
    ]
    purchases.append(("Input tax", "", "", "", "", report.input_tax, ""))
    tables = [
        Table("Output tax by letter and rate", VAT, rows, has_total=True),
        Table("Output tax by buyer", BUYERS, buyers),
        Table("Purchases confirmed to KRA", PURCHASES, purchases, has_total=True),
    ]
    return _period_sheet(report.head, tables)


def payment_sheet(report: PaymentReport) -> Sheet:
    rows = [(r.device, *_method(r)) for r in report.rows]
    totals: list[Sequence[Any]] = [_method(r) for r in report.totals]
    totals.append(total_row(METHODS, totals))
    tables = [
        Table("By device and method", [*texts("Device"), *METHODS], rows),
        Table("By method", METHODS, totals, has_total=True),
    ]
    return _period_sheet(report.head, tables)


def total_row(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> list[str]:
    """The last row: what can be added up is."""
    return ["Total", *(_sum(column, place, rows) for place, column in enumerate(columns) if place)]


def _sum(column: Column, place: int, rows: Sequence[Sequence[Any]]) -> str:
    if column.kind == "money":
        return money(sum((Decimal(row[place]) for row in rows), ZERO))
    is_count = column.kind == "number" and column.label != "Rate"
    return str(sum(row[place] for row in rows)) if is_count else ""


def _method(row: MethodRow) -> Sequence[Any]:
    parts = (row.sales, row.credit_notes, row.unsigned_sales, row.unsigned_credit_notes)
    sold, credited, waiting, notes = ((part.count, part.total) for part in parts)
    return (row.method.replace("_", " "), *sold, *credited, row.net, *waiting, *notes)


def _period_sheet(head: Head, tables: list[Table]) -> Sheet:
    title = NAMES[head.report]
    facts = [
        ("Trade name", head.trade_name),
        ("PIN", head.pin),
        ("Report", title),
        ("Days of sale", f"{head.first} to {head.last}"),
        ("Branch", head.branch or "all"),
        ("Device", head.device or "all"),
        ("Date and time", moment(head.made_at)),
        ("Amounts", SHILLINGS),
    ]
    name = f"{head.report}-{head.device or head.branch or head.pin}-{head.first}-{head.last}"
    return Sheet(title, name, facts, tables, _warning(head))


def moment(at: datetime) -> str:
    return f"{at.astimezone(NAIROBI):%d/%m/%Y %H:%M:%S}"
