"""Receipts as they look: each paper is drawn anew and laid over the picture that was looked at.

`REWRITE_GOLDEN=1 ./run test sales/tests/test_receipt_pictures.py` writes them anew, into
sales/tests/golden/pictures. Look at each before it is committed.
"""

from dataclasses import replace

import pytest
import time_machine

from sales.models import Label
from sales.receipts.document import build

from . import pictures
from .conftest import read
from .papers import BRANDED, LONG, huge, longer, sale_of
from .shop import sign
from .test_messages import FULL, NOON

LETTERS = {
    "prices_include_tax": True,
    "discount_amount": "77",
    "lines": [
        {"item": "KETTLE", "quantity": "1.5", "tax": letter, "unit_price": "1000.00"} | less
        for letter, less in zip("ABCDE", [{}, {"discount_percent": "5"}] * 3, strict=False)
    ],
}


def credit_note(signed, credit):
    signed("T-1", **FULL)
    note = credit(lines=[{"line": 1, "quantity": "1"}, {"line": 2, "quantity": "0.5"}])
    sign(note)
    return build(read(note), label=Label.CREDIT_NOTE, branding=BRANDED)


def long_names(signed, _):
    document = sale_of(signed)
    name = "The Nairobi Agricultural Machinery, Seeds and Household Goods Company Limited"
    seller = replace(document.seller, name=name, address=f"{LONG}, Moi Avenue, Nairobi")
    buyer = replace(document.buyer, name=f"Shirika la {LONG}")
    return replace(longer(document, 5), seller=seller, buyer=buyer)


def labelled(label, language="en"):
    return lambda signed, _: build(
        signed("TILL1-000123", **FULL), label=label, language=language, branding=BRANDED
    )


DOCUMENTS = {
    "sale": labelled(Label.SALE),
    "credit_note": credit_note,
    "long_names": long_names,
    "kiswahili": labelled(Label.SALE, "sw"),
    "letters": lambda signed, _: build(signed(**LETTERS), label=Label.SALE),
    "huge": lambda signed, _: huge(sale_of(signed)),
    "200_lines": lambda signed, _: longer(sale_of(signed), 200),
    "copy": labelled(Label.SALE_COPY),
    "training": labelled(Label.TRAINING_SALE, "sw"),
    "proforma": labelled(Label.PROFORMA),
}


@pytest.mark.parametrize("name", DOCUMENTS)
@time_machine.travel(NOON, tick=False)
def test_it_looks_as_it_was_looked_at(signed, credit, name, tmp_path):
    wrong = []

    for path, made in drawn(name, DOCUMENTS[name](signed, credit)):
        if pictures.REWRITES:
            pictures.write(made, path)
        elif (difference := pictures.difference(made, path)) > pictures.TOLERANCE:
            made.save(tmp_path / path.name)
            wrong.append(f"{path.name} differs by {difference}: see {tmp_path / path.name}")

    assert wrong == []


@time_machine.travel(NOON, tick=False)
def test_one_changed_digit_and_one_moved_line_are_seen(signed):
    document = DOCUMENTS["sale"](signed, None)
    tis = replace(document.tis, time=document.tis.time.replace("15", "16"))
    moved = replace(document, payments=(*document.payments, *document.payments))

    for other in (replace(document, tis=tis), moved):
        for path, made in drawn("sale", other):
            assert pictures.difference(made, path) > pictures.TOLERANCE, path.name


def drawn(name, document):
    """Each part of each format, with where its picture is kept."""
    for format, draw in pictures.FORMATS.items():
        parts = draw(document)
        yield from zip(pictures.golden_of(f"{name}_{format}", len(parts)), parts, strict=True)
