"""Receipts to be set on paper: of real sales, and stretched beyond what these sell."""

import io
from dataclasses import replace
from decimal import Decimal

from PIL import Image, ImageDraw

from sales.models import Label
from sales.receipts.document import Amount, Branding, build

from .test_messages import FULL

LONG = "Certified seed, hybrid maize H614D, early maturing, for highlands and mid altitudes, 2 kg"
ODD = "Unga – ½ kg · naïve café ñandú €5 中文 🙂"
HUGE = Decimal("9999999999999999.99")


def logo():
    image = Image.new("RGB", (300, 120), "white")
    ImageDraw.Draw(image).ellipse((20, 10, 280, 110), fill="navy")
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


BRANDED = Branding(
    logo=logo(),
    header=("Bidhaa bora, bei nafuu", "Simu 0712 345 678"),
    footer=("Asante kwa kununua kwetu",),
)


def sale_of(signed, **more):
    """Exempt, standard and zero-rated goods, with discounts."""
    return build(signed("TILL1-000123", **(FULL | more)), label=Label.SALE, branding=BRANDED)


def longer(document, count):
    lines = [document.lines[n % len(document.lines)] for n in range(count)]
    names = (LONG, ODD, "Brown bread")
    named = [replace(line, name=f"{n}. {names[n % 3]}") for n, line in enumerate(lines, start=1)]
    return replace(document, lines=tuple(named), items_number=count)


def huge(document):
    """Every amount as wide as its column in the database allows."""
    big = Amount(HUGE)
    lines = [
        replace(line, unit_price=big, quantity="99999999999.99", amount=Amount(HUGE, "A-EX"))
        for line in document.lines
    ]
    return replace(
        document,
        lines=tuple(lines),
        sums=tuple(replace(each, amount=big) for each in document.sums),
        payments=tuple(replace(each, amount=big) for each in document.payments),
        taxes=tuple(replace(each, taxable=big, tax=big) for each in document.taxes),
    )


def facts_of(document):
    """All that a receipt must say (rule R2), as it is printed."""
    scu, tis = document.scu, document.tis
    yield from (document.seller.name, document.seller.pin, document.seller.address, document.title)
    yield from (*document.branding.header, *document.branding.footer)
    for party in filter(None, [document.buyer]):
        yield from filter(None, (party.name, party.pin))
    for line in document.lines:
        yield from (str(line.unit_price), line.quantity, str(line.amount))
        if line.discount:
            yield str(line.discount)
    for each in (*document.sums, *document.payments):
        yield from (each.caption, str(each.amount))
    for row in document.taxes:
        yield from (f"{row.letter} {row.rate}", str(row.taxable), str(row.tax))
    if scu:
        yield from ("SCU INFORMATION", scu.date, scu.time, scu.scu_id, scu.cu_invoice_number)
        yield from (scu.counters, scu.internal_data, scu.signature)
    yield from ("TIS INFORMATION", tis.receipt_number, tis.date, tis.time)
    yield from filter(None, [document.original_cu_invoice_number])


def missing(document, text):
    """What the text lacks, wherever its lines are broken."""
    flat = "".join(text.split())
    return [fact for fact in facts_of(document) if "".join(fact.split()) not in flat]
