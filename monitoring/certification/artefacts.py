"""The four papers KRA wants uploaded after the test (rule 13.4), as PDF on A4.

They are evidence, not handed to a buyer: none of them is on record as a print.
"""

from collections.abc import Callable
from pathlib import Path

from items.models import Item
from kra.times import NAIROBI
from sales.models import Invoice
from sales.receipts.pdf import papers
from sales.receipts.printing import copy_label, document_of, original_label
from sales.reports.pdf_format import pdf_bytes
from sales.reports.tables import Sheet

from .context import Context
from .services import CREDIT_NOTE, GOODS, MOST_CREDIT_NOTES, SALE
from .state import write

FOLDER = "artefacts"
SUFFIX = ".pdf"
ITEM, INVOICE, INVOICE_COPY, NOTE_COPY = (
    "1-item-creation",
    "2-invoice",
    "3-invoice-copy",
    "4-credit-note-copy",
)


def lay_out(ctx: Context, folder: Path) -> None:
    """Write what exists by now; repeats write the same."""
    laid: list[tuple[str, Callable[[], bytes] | None]] = [(ITEM, _item(ctx))]
    sale, note = ctx.invoice(SALE), _note(ctx)
    laid += [(INVOICE, _receipt(sale)), (INVOICE_COPY, _receipt(sale, is_copy=True))]
    laid.append((NOTE_COPY, _receipt(note, is_copy=True)))
    for name, paper in laid:
        if paper is not None:
            write(folder / FOLDER / f"{name}{SUFFIX}", paper())


def existing(folder: Path) -> dict[str, str]:
    """Each paper with its file, whatever it is made of; "" where it is missing."""
    found = {}
    for name in (ITEM, INVOICE, INVOICE_COPY, NOTE_COPY):
        files = sorted((folder / FOLDER).glob(f"{name}.*"))
        found[name] = files[0].name if files else ""
    return found


def _receipt(invoice: Invoice | None, *, is_copy: bool = False) -> Callable[[], bytes] | None:
    if invoice is None or invoice.status != "signed":
        return None
    label = copy_label(invoice) if is_copy else original_label(invoice)
    return lambda: papers.render_a4(document_of(invoice, label))


def _note(ctx: Context) -> Invoice | None:
    kinds = [CREDIT_NOTE, *(f"{CREDIT_NOTE}{place}" for place in range(2, MOST_CREDIT_NOTES + 1))]
    notes = [ctx.invoice(kind) for kind in kinds]
    return next((note for note in notes if note and note.status == "signed"), None)


def _item(ctx: Context) -> Callable[[], bytes] | None:
    mine = Item.objects.filter(company=ctx.company, sku=ctx.reference(GOODS))
    item = mine.exclude(registered_at=None).first()
    if item is None or item.registered_at is None:
        return None
    rows = [
        ("Taxpayer", f"{ctx.company.name}, PIN {ctx.company.pin}, branch {ctx.branch.code}"),
        ("Item", item.name),
        ("Item code", item.code),
        ("Own code (SKU)", item.sku),
        ("Classification", item.classification),
        ("Type", item.get_product_type_display()),
        ("Country of origin", item.origin_country),
        ("Packaging unit", item.packaging_unit),
        ("Quantity unit", item.quantity_unit),
        ("Tax letter", item.tax_letter),
        ("Price, tax included", f"KES {item.price:,.2f}"),
        ("Registered with KRA", f"{item.registered_at.astimezone(NAIROBI):%d/%m/%Y %H:%M:%S}"),
    ]
    facts = [(name, str(value)) for name, value in rows if value]
    return lambda: pdf_bytes(Sheet("ITEM CREATION", f"item {item.code}", facts, [], ""))
