"""Which item of ours a supplier's line stands for.

Applied without asking: what a person said before, a barcode that only one item has, and an equal
item code under an equal name. Anything weaker is a suggestion. (Item codes count per taxpayer: two
firms give one code to different things, so a code alone proves nothing.)
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from functools import reduce
from operator import or_
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from msgspec import Struct

from core.errors import Problem
from items.errors import UnknownItems
from items.models import Item
from purchases.errors import NotMatchable, PurchaseInvalid
from purchases.models import MatchSource, Purchase, PurchaseLine, RememberedMatch, State

OPEN = (State.OFFERED, State.MATCHED, State.REFUSED)
MOST_SUGGESTIONS, MOST_LINES, MOST_CANDIDATES = 3, 100, 2000
GOOD_ENOUGH = 0.55


class Choice(NamedTuple):
    """One line and the SKU it stands for; no SKU takes a match back."""

    line: int
    sku: str


class Suggestion(Struct):
    """An item of ours that this line may be. Nothing is matched before a person says so."""

    item: str
    name: str
    because: str


def normal(name: str) -> str:
    return " ".join(name.casefold().split())


def key_of(line: PurchaseLine) -> str:
    """How a supplier's item is known again: its code, else its name."""
    return f"code:{line.supplier_code}" if line.supplier_code else f"name:{normal(line.name)}"


class Matcher:
    """What the catalogue and the memory say about some lines: four questions, however many."""

    def __init__(self, company_id: int, lines: Sequence[PurchaseLine]) -> None:
        self.lines = lines
        pins = {line.purchase.supplier_pin for line in lines}
        remembered = RememberedMatch.objects.filter(
            company=company_id, supplier_pin__in=pins, key__in={key_of(line) for line in lines}
        )
        self.remembered = {
            (one.supplier_pin, one.key): one.item for one in remembered.select_related("item")
        }
        barcodes = {line.barcode for line in lines if line.barcode}
        codes = {line.supplier_code for line in lines if line.supplier_code}
        items = Item.objects.filter(company=company_id, is_fiscal=True, is_active=True)
        self.by_barcode: dict[str, list[Item]] = defaultdict(list)
        for item in items.filter(barcode__in=barcodes).order_by("pk"):
            self.by_barcode[item.barcode].append(item)
        self.by_code = {item.code: item for item in items.filter(code__in=codes)}

    def apply(self) -> None:
        """Match the lines that have no item yet; the caller saves them."""
        for line in self.lines:
            if line.item_id is None:
                line.item, line.match_source = self._find(line)

    def _find(self, line: PurchaseLine) -> tuple[Item | None, str]:
        known = self.remembered.get((line.purchase.supplier_pin, key_of(line)))
        if known is not None:
            return known, MatchSource.REMEMBERED
        same = self.by_barcode.get(line.barcode, []) if line.barcode else []
        if len(same) == 1:
            return same[0], MatchSource.BARCODE
        item = self.by_code.get(line.supplier_code) if line.supplier_code else None
        if item is not None and normal(item.name) == normal(line.name):
            return item, MatchSource.CODE
        return None, ""


@transaction.atomic
def match(purchase_id: int, choices: Sequence[Choice], *, remember: bool) -> None:
    """Say which items the lines stand for, all or none; without choices, look again.

    A match is remembered for the supplier's next invoices unless told otherwise; taking one back
    forgets it. Raises NotMatchable, PurchaseInvalid, UnknownItems.
    """
    purchase = lock(purchase_id)
    if purchase.state not in OPEN:
        raise NotMatchable(f"The invoice is {purchase.state}.")
    lines = {line.sequence: line for line in lines_of(purchase)}
    if choices:
        _apply(purchase, lines, choices, remember=remember)
    else:
        Matcher(purchase.company_id, list(lines.values())).apply()
    PurchaseLine.objects.bulk_update(lines.values(), ["item", "match_source"])
    if purchase.state != State.REFUSED:
        purchase.state = state_by_lines(lines.values())
    purchase.updated_at = timezone.now()
    purchase.save(update_fields=["state", "updated_at"])


def lock(purchase_id: int) -> Purchase:
    """The invoice, held until the transaction ends: whoever decides about it comes one by one."""
    return Purchase.objects.select_for_update(no_key=True).get(pk=purchase_id)


def lines_of(purchase: Purchase) -> list[PurchaseLine]:
    lines = list(purchase.lines.select_related("item").order_by("sequence"))
    for line in lines:
        line.purchase = purchase
    return lines


def state_by_lines(lines: Iterable[PurchaseLine]) -> State:
    all_lines = list(lines)
    is_whole = bool(all_lines) and all(line.item_id is not None for line in all_lines)
    return State.MATCHED if is_whole else State.OFFERED


def _apply(
    purchase: Purchase,
    lines: dict[int, PurchaseLine],
    choices: Sequence[Choice],
    *,
    remember: bool,
) -> None:
    skus = {choice.sku for choice in choices if choice.sku}
    items = {i.sku: i for i in Item.objects.filter(company=purchase.company_id, sku__in=skus)}
    _check(choices, lines, items)
    for choice in choices:
        line = lines[choice.line]
        line.item = items[choice.sku] if choice.sku else None
        line.match_source = MatchSource.PERSON if choice.sku else ""
        _note(purchase, line, remember=remember)


def _check(
    choices: Sequence[Choice], lines: dict[int, PurchaseLine], items: dict[str, Item]
) -> None:
    problems = line_problems([choice.line for choice in choices], lines)
    unknown = []
    for place, choice in enumerate(choices):
        path = f"lines[{place}].item"
        item = items.get(choice.sku)
        if choice.sku and item is None:
            step = "Create it with POST /api/item/sync/ first."
            unknown.append(Problem(path, f"There is no item {choice.sku!r}.", step))
        elif item is not None and not item.is_fiscal:
            reason = f"{choice.sku!r} is not fiscal: KRA never hears of it."
            problems.append(Problem(path, reason, "Choose an item that KRA knows."))
    if problems:
        problems += unknown
        raise PurchaseInvalid("The match is not valid; nothing was matched.", problems=problems)
    if unknown:
        raise UnknownItems("Some items are not in the catalogue.", problems=unknown)


def line_problems(numbers: Sequence[int], lines: dict[int, PurchaseLine]) -> list[Problem]:
    """Lines that the invoice does not have, or that are named twice."""
    problems, seen = [], set()
    for place, number in enumerate(numbers):
        path = f"lines[{place}].line"
        if number not in lines:
            step = f"Use a line from 1 to {len(lines)}; GET /api/purchases/{{id}}/ shows them."
            problems.append(Problem(path, f"The invoice has no line {number}.", step))
        elif number in seen:
            problems.append(Problem(path, f"Line {number} is named twice.", "Name it once."))
        seen.add(number)
    return problems


def _note(purchase: Purchase, line: PurchaseLine, *, remember: bool) -> None:
    if line.item is None:
        mine = RememberedMatch.objects.filter(company=purchase.company_id, key=key_of(line))
        mine.filter(supplier_pin=purchase.supplier_pin).delete()
    elif remember:
        RememberedMatch.objects.update_or_create(
            company_id=purchase.company_id,
            supplier_pin=purchase.supplier_pin,
            key=key_of(line),
            defaults={"item": line.item},
        )


def suggestions_for(purchase: Purchase) -> dict[int, list[Suggestion]]:
    """What the unmatched lines may be, best first, by line number."""
    lines = [line for line in lines_of(purchase) if line.item_id is None][:MOST_LINES]
    if not lines or purchase.state not in OPEN:
        return {}
    matcher = Matcher(purchase.company_id, lines)
    candidates = _candidates(purchase.company_id, lines)
    return {line.sequence: _suggest(line, matcher, candidates) for line in lines}


def _candidates(company_id: int, lines: Iterable[PurchaseLine]) -> list[tuple[str, str]]:
    """Items that share a word with one of the lines."""
    words = {word for line in lines for word in normal(line.name).split() if len(word) > 2}
    if not words:
        return []
    shares_word = reduce(or_, (Q(name__icontains=word) for word in sorted(words)[:200]))
    items = Item.objects.filter(shares_word, company=company_id, is_fiscal=True, is_active=True)
    return list(items.order_by("pk").values_list("sku", "name")[:MOST_CANDIDATES])


def _suggest(
    line: PurchaseLine, matcher: Matcher, candidates: list[tuple[str, str]]
) -> list[Suggestion]:
    found = [Suggestion(i.sku, i.name, "barcode") for i in matcher.by_barcode.get(line.barcode, [])]
    same_code = matcher.by_code.get(line.supplier_code)
    if same_code is not None:
        found.append(Suggestion(same_code.sku, same_code.name, "code"))
    scored = sorted(((-_likeness(line.name, name), sku, name) for sku, name in candidates))
    found += [Suggestion(sku, name, "name") for score, sku, name in scored if -score >= GOOD_ENOUGH]
    first = {one.item: one for one in reversed(found)}
    return [one for one in found if first[one.item] is one][:MOST_SUGGESTIONS]


def _likeness(one: str, other: str) -> float:
    """0 to 1: shared words count, and so does the spelling."""
    mine, theirs = set(normal(one).split()), set(normal(other).split())
    shared = len(mine & theirs) / max(1, min(len(mine), len(theirs)))
    if not shared:
        return 0.0
    return (shared + SequenceMatcher(None, normal(one), normal(other)).ratio()) / 2
