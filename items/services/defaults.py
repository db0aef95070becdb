"""What a category says about its new items."""

from collections.abc import Sequence
from typing import Any

import msgspec
from django.db import transaction
from django.utils import timezone
from msgspec import UNSET

from companies.models import Company
from core.errors import Invalid, Problem
from items.models import Item, ItemDefault
from items.rows import BY_CATEGORY, FaultyRow, ItemRow, required

from .checking import CHECKS, Fault, Lists

# Field of a row → column of the default.
COLUMNS = {
    "classification": "classification",
    "tax": "tax_letter",
    "product_type": "product_type",
    "packaging_unit": "packaging_unit",
    "quantity_unit": "quantity_unit",
}

Rows = Sequence[ItemRow | FaultyRow]


def fill_in(company: Company, rows: Rows) -> list[ItemRow | FaultyRow]:
    """Give the rows of new items what they leave out and their category says.

    An item that exists keeps what its row leaves out. A row that still lacks what every item
    needs becomes a faulty one.
    """
    short = [row for row in rows if isinstance(row, ItemRow) and _lacks(row)]
    if not short:
        return list(rows)
    named = {row.category for row in short if row.category is not UNSET}
    defaults = {
        one.category: one for one in ItemDefault.objects.filter(company=company, category__in=named)
    }
    items = Item.objects.filter(company=company, sku__in=[row.sku for row in short])
    stored = {item.sku: item for item in items.only("sku", *COLUMNS.values())}
    return [
        _filled(row, defaults, stored) if isinstance(row, ItemRow) and _lacks(row) else row
        for row in rows
    ]


def _lacks(row: ItemRow) -> bool:
    needed = any(getattr(row, name) is UNSET for name in BY_CATEGORY)
    return needed or (
        row.category is not UNSET and any(getattr(row, name) is UNSET for name in COLUMNS)
    )


def _filled(
    row: ItemRow, defaults: dict[Any, ItemDefault], stored: dict[str, Item]
) -> ItemRow | FaultyRow:
    item = stored.get(row.sku)
    source: Any = None if row.category is UNSET else item or defaults.get(row.category.strip())
    values = {} if source is None else _given_by(source, row)
    if item is not None:
        # Everything but these keeps its value by being left out.
        values = {name: value for name, value in values.items() if name in BY_CATEGORY}
    missing = [n for n in BY_CATEGORY if getattr(row, n) is UNSET and n not in values]
    if missing:
        return FaultyRow(row.sku, [required(name) for name in missing])
    return msgspec.structs.replace(row, **values)


def _given_by(source: Any, row: ItemRow) -> dict[str, str]:
    return {
        name: getattr(source, column)
        for name, column in COLUMNS.items()
        if getattr(row, name) is UNSET and getattr(source, column)
    }


def replace_defaults(company: Company, wanted: Sequence[dict[str, str]]) -> list[ItemDefault]:
    """Put these defaults in the place of all that there were. Raises Invalid, changing nothing."""
    lists = Lists.of_codes(company.environment, {one["classification"] for one in wanted})
    problems: list[Problem] = []
    fresh: dict[str, ItemDefault] = {}
    for place, one in enumerate(wanted):
        values, faults = _checked(one, lists, f"defaults[{place}]")
        problems += faults
        category = values.get("category", "")
        if category in fresh:
            path, step = f"defaults[{place}].category", "Send each category once."
            problems.append(Problem(path, f"{category!r} is given twice.", step))
        fresh[category] = ItemDefault(company=company, updated_at=timezone.now(), **values)
    if problems:
        raise Invalid("The defaults are not valid; nothing was changed.", problems=problems)
    with transaction.atomic():
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        ItemDefault.objects.filter(company=company).delete()
        return ItemDefault.objects.bulk_create(fresh.values())


def _checked(
    given: dict[str, str], lists: Lists, path: str
) -> tuple[dict[str, str], list[Problem]]:
    """The columns of one default, and what is wrong with it."""
    values, problems = {}, []
    for name, value in given.items():
        try:
            checked = CHECKS[name](value, lists) if value else ""
        except Fault as fault:
            problems.append(Problem(f"{path}.{name}", fault.reason, fault.next_step))
        else:
            values[COLUMNS.get(name, name)] = checked
    return values, problems
