"""The four papers KRA wants uploaded after the test (rule 13.4), as text.

They are evidence, not handed to a buyer: none of them is on record as a print. A renderer that
makes PDFs takes the place of `text` here: the file's stem stays.
"""

from collections.abc import Callable
from pathlib import Path

from items.models import Item
from kra.times import NAIROBI
from sales.models import Invoice
from sales.receipts import text
from sales.receipts.printing import copy_label, document_of, original_label

from .context import Context
from .services import CREDIT_NOTE, GOODS, MOST_CREDIT_NOTES, SALE
from .state import write

FOLDER = "artefacts"
SUFFIX = ".txt"
ITEM, INVOICE, INVOICE_COPY, NOTE_COPY = (
    "1-item-creation",
    "2-invoice",
    "3-invoice-copy",
    "4-credit-note-copy",
)


def lay_out(ctx: Context, folder: Path) -> None:
    """Write what exists by now; repeats write the same."""
    papers: list[tuple[str, Callable[[], str] | None]] = [(ITEM, _item(ctx))]
    sale, note = ctx.invoice(SALE), _note(ctx)
    papers += [(INVOICE, _receipt(sale)), (INVOICE_COPY, _receipt(sale, is_copy=True))]
    papers.append((NOTE_COPY, _receipt(note, is_copy=True)))
    for name, paper in papers:
        if paper is not None:
            write(folder / FOLDER / f"{name}{SUFFIX}", paper().encode())


def existing(folder: Path) -> dict[str, str]:
    """Each paper with its file, whatever it is made of; "" where it is missing."""
    found = {}
    for name in (ITEM, INVOICE, INVOICE_COPY, NOTE_COPY):
        files = sorted((folder / FOLDER).glob(f"{name}.*"))
        found[name] = files[0].name if files else ""
    return found


def _receipt(invoice: Invoice | None, *, is_copy: bool = False) -> Callable[[], str] | None:
    if invoice is None or invoice.status != "signed":
        return None
    label = copy_label(invoice) if is_copy else original_label(invoice)
    return lambda: text.lay_out(document_of(invoice, label))


def _note(ctx: Context) -> Invoice | None:
    kinds = [CREDIT_NOTE, *(f"{CREDIT_NOTE}{place}" for place in range(2, MOST_CREDIT_NOTES + 1))]
    notes = [ctx.invoice(kind) for kind in kinds]
    return next((note for note in notes if note and note.status == "signed"), None)


def _item(ctx: Context) -> Callable[[], str] | None:
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
    paper = "ITEM CREATION\n\n" + "".join(f"{name + ':':<22}{value}\n" for name, value in rows)
    return lambda: paper
