"""Items that cannot be sold yet, and why; and which classification a name may want."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVector
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from msgspec import Struct

from companies.models import Company
from core.errors import Problem
from items.models import Classification, Item
from kra.codes import explain
from outbox.models import Status

MOST = 10
WORD = re.compile(r"[^\W_]{2,40}")
_VECTOR = SearchVector("name", config="english")


def _unusable() -> Q:
    """The classification is not among those that KRA uses; an empty list proves nothing."""
    listed = Classification.objects.filter(environment=OuterRef("company__environment"))
    usable = listed.filter(code=OuterRef("classification"), is_active=True)
    return Q(Exists(listed)) & ~Q(Exists(usable))


def not_ready(items: QuerySet[Item]) -> QuerySet[Item]:
    """Items that KRA should know and that cannot be sold, or will be refused when they change."""
    refused = Q(transmission__status=Status.REFUSED)
    faults = Q(registered_at=None) | refused | Q(is_active=False) | Q(price=0) | _unusable()
    return items.filter(faults, is_fiscal=True)


def reasons_of(items: Sequence[Item]) -> dict[int, list[Problem]]:
    """Per item, everything that keeps it from being sold."""
    bad = Item.objects.filter(_unusable(), pk__in=[item.pk for item in items])
    unusable = set(bad.values_list("pk", flat=True))
    return {item.pk: list(_reasons(item, is_usable=item.pk not in unusable)) for item in items}


def _reasons(item: Item, *, is_usable: bool) -> Iterable[Problem]:
    if item.state == "refused" and item.transmission is not None:
        found = explain(item.transmission.error_code, item.transmission.error_message)
        text = item.transmission.error_message or item.transmission.error_code
        yield Problem("state", f"KRA refused it: {text}", found.next_step)
    elif item.registered_at is None and item.state == "draft":
        step = "Initialise a device of the head office; then it is registered by itself."
        yield Problem("state", "It was not sent to KRA yet.", step)
    elif item.registered_at is None:
        yield Problem("state", "It waits for KRA's answer.", "Nothing; look again later.")
    if not item.is_active:
        step = 'PATCH /api/items/{sku}/ with {"is_active": true} brings it back.'
        yield Problem("is_active", "It is not active.", step)
    if not is_usable:
        step = "GET /api/classifications/suggest/?name=… helps to choose another one."
        reason = f"KRA's list has no usable classification {item.classification!r}."
        yield Problem("classification", reason, step)
    if item.price == 0:
        yield Problem("price", "It has no price.", "PATCH /api/items/{sku}/ with a price.")


class ClassificationSuggestion(Struct):
    """A class and why: used by so many own items with such a name, or its name has the words."""

    code: str
    name: str
    tax: str
    own_items: int


def words_query(text: str, *, joined_by: str) -> SearchQuery | None:
    """The words of a text, each by its beginning; None when there are none."""
    words = [word.lower() for word in WORD.findall(text)[:12]]
    # Only letters and digits are left of the caller's text.
    raw = joined_by.join(f"{word}:*" for word in words)
    return SearchQuery(raw, config="english", search_type="raw") if words else None


def search_classifications(rows: Any, text: str) -> Any:
    """The rows whose names hold all the words."""
    query = words_query(text, joined_by=" & ")
    return rows.none() if query is None else rows.annotate(words=_VECTOR).filter(words=query)


def suggest_classification(company: Company, name: str) -> list[ClassificationSuggestion]:
    """Classes for an item of this name: what own items with such names have, then KRA's names."""
    query = words_query(name, joined_by=" | ")
    if query is None:
        return []
    usable = Classification.objects.filter(environment=company.environment, is_active=True)
    own = Item.objects.filter(company=company).annotate(words=_VECTOR).filter(words=query)
    counts = dict(own.values_list("classification").annotate(n=Count("pk")).order_by("-n")[:MOST])
    known = {row.code: row for row in usable.filter(code__in=counts)}
    by_name = usable.annotate(words=_VECTOR).filter(words=query)
    ranked = by_name.annotate(rank=SearchRank(_VECTOR, query)).order_by("-rank", "-level", "code")
    rows = [known[code] for code in counts if code in known]
    rows += [row for row in ranked[:MOST] if row.code not in known]
    return [
        ClassificationSuggestion(row.code, row.name, row.tax_letter, counts.get(row.code, 0))
        for row in rows[:MOST]
    ]
