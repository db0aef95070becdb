"""Which own item an import line may be. Shown to a person, never applied by us."""

import re
from collections import defaultdict
from collections.abc import Sequence

from django.db.models import Q
from msgspec import Struct

from items.models import ImportLine, ImportMatch, Item

from .import_decisions import digest_of

MOST = 5
# Shorter words, and what customs writes on everything, tell nothing.
WORD = re.compile(r"[^\W\d_]{3,}")
EMPTY_WORDS = {"and", "for", "with", "other", "the", "new", "set"}


class Suggestion(Struct):
    """An item, and why: same_goods, same_supplier, same_hs_code or similar_name."""

    item: str
    name: str
    why: str


def suggest(lines: Sequence[ImportLine], *, by_name: bool = False) -> dict[int, list[Suggestion]]:
    """Per line: what was chosen before for goods like these, best first; then similar names."""
    remembered = _remembered(lines)
    return {line.pk: _for_line(line, remembered, by_name=by_name) for line in lines}


def _remembered(lines: Sequence[ImportLine]) -> dict[tuple[int, str], list[ImportMatch]]:
    matches = ImportMatch.objects.filter(
        company__in={line.company_id for line in lines}, hs_code__in={x.hs_code for x in lines}
    )
    found = defaultdict(list)
    for match in matches.select_related("item").order_by("-times", "-updated_at")[:2000]:
        found[match.company_id, match.hs_code].append(match)
    return found


def _for_line(
    line: ImportLine, remembered: dict[tuple[int, str], list[ImportMatch]], *, by_name: bool
) -> list[Suggestion]:
    digest, found = digest_of(line), []
    for match in remembered.get((line.company_id, line.hs_code), []):
        if match.digest == digest:
            found.append((0, match.item, "same_goods"))
        elif match.supplier_name == line.supplier_name:
            found.append((1, match.item, "same_supplier"))
        else:
            found.append((2, match.item, "same_hs_code"))
    if by_name:
        found += [(3, item, "similar_name") for item in _similar(line)]
    best: dict[str, Suggestion] = {}
    for _, item, why in sorted(found, key=lambda one: one[0]):
        best.setdefault(item.sku, Suggestion(item.sku, item.name, why))
    return list(best.values())[:MOST]


def _similar(line: ImportLine) -> list[Item]:
    """Items that share words with the line's name, those with most of them first."""
    words = {word.casefold().rstrip("s") for word in WORD.findall(line.name)[:8]} - EMPTY_WORDS
    if not words:
        return []
    shares = Q()
    for word in words:
        shares |= Q(name__icontains=word)
    items = Item.objects.filter(shares, company=line.company_id, is_fiscal=True, is_active=True)
    found = list(items.order_by("pk")[:200])
    found.sort(key=lambda item: -sum(word in item.name.casefold() for word in words))
    return found[:MOST]
