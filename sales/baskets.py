"""From what a till sent to what is sold: items, prices, tax, and every problem at once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial

from django.conf import settings
from django.utils import timezone

from companies.models import PIN_PATTERN, Company
from core.errors import Problem
from core.money import ZERO, round_cents
from items.known import Known, items_of
from items.models import Item
from items.rates import rates_on
from items.services import Shortage
from kra.times import NAIROBI

from .errors import SaleInvalid
from .schemas import LineInput, SaleContent
from .tax import Convention, Line, LineAmounts, Totals, compute, discounted, totals
from .words import PAYMENT_METHODS, TAX_NAMES, code_of

MAX_QUANTITY = Decimal(10_000_000)
MAX_AMOUNT = Decimal("9999999999999.99")
HUNDRED = Decimal(100)
# What the column of the exchange rate holds.
RATE_STEP, RATE_DIGITS = Decimal("0.000001"), 12
PIN = re.compile(PIN_PATTERN, re.ASCII)
LETTERS = dict.fromkeys("ABCDE")


@dataclass(frozen=True, slots=True)
class Basket:
    """A sale's lines, ready to be stored. Amounts are shillings."""

    items: list[Item]
    lines: list[Line]
    amounts: list[LineAmounts]
    totals: Totals
    rates: dict[str, Decimal]
    prices_include_tax: bool
    # The versions of its items, by id.
    versions: dict[int, str]


@dataclass(slots=True)
class Reading:
    """One pass over a sale's input. Collects problems instead of stopping at the first."""

    company: Company
    data: SaleContent
    now: datetime
    items: dict[str, Known] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, field: str, reason: str, next_step: str) -> None:
        self.problems.append(Problem(field, reason, next_step))

    @property
    def sold_at(self) -> datetime:
        return self.data.sold_at or self.now


def read_basket(company: Company, data: SaleContent, *, fresh: bool = False) -> Basket:
    """Check and compute a sale, with items that this process may have read a while ago, or with
    `fresh` ones. Raises SaleInvalid with all problems found, surely as things are now.
    """
    reading = Reading(company, data, timezone.now())
    try:
        return _basket(reading, fresh=fresh)
    except SaleInvalid:
        if fresh:
            raise
        return read_basket(company, data, fresh=True)


def _basket(reading: Reading, *, fresh: bool) -> Basket:
    company, data = reading.company, reading.data
    rates = rates_on(company.environment, _day_of_sale(reading))
    _check_head(reading)
    items = _find_items(reading, fresh=fresh)
    pairs = [
        (item, line)
        for place, given in enumerate(data.lines)
        if (item := items[place]) and (line := _read_line(reading, place, item, rates))
    ]
    if reading.problems:
        raise SaleInvalid("The sale is not valid.", problems=reading.problems)
    return _computed(reading, [p[0] for p in pairs], [p[1] for p in pairs], rates)


def _check_head(reading: Reading) -> None:
    data, wrong = reading.data, reading.wrong
    if data.customer.pin and not PIN.fullmatch(data.customer.pin):
        step = "A capital letter, nine digits, a capital letter, no blanks; or leave it out."
        wrong("customer.pin", "Not a KRA PIN.", step)
    if code_of(data.payment_method, PAYMENT_METHODS) is None:
        wrong("payment_method", "Unknown.", f"One of {', '.join(PAYMENT_METHODS)}.")
    _check_rate(reading)
    own_price = any(line.unit_price is not None for line in data.lines)
    if own_price and data.prices_include_tax is None:
        wrong("prices_include_tax", "Prices are given, but not whether tax is in them.",
              "Send true or false.")  # fmt: skip
    if data.discount_amount is not None:
        _check_amount(reading, "discount_amount", data.discount_amount)


def _day_of_sale(reading: Reading) -> date:
    """The day in Nairobi whose rates apply; today for a time that is refused."""
    skew = timedelta(seconds=settings.SALES_CLOCK_SKEW_SECONDS)
    if reading.sold_at > reading.now + skew:
        reading.wrong("sold_at", "It lies in the future.", "Set the till's clock; KRA refuses it.")
    elif reading.sold_at < reading.now - timedelta(days=settings.SALES_MAX_AGE_DAYS):
        reading.wrong("sold_at", f"It is older than {settings.SALES_MAX_AGE_DAYS} days.",
                      "Raise SALES_MAX_AGE_DAYS for a backfill.")  # fmt: skip
    else:
        return reading.sold_at.astimezone(NAIROBI).date()
    return reading.now.astimezone(NAIROBI).date()


def _check_rate(reading: Reading) -> None:
    currency, rate = reading.data.currency, reading.data.exchange_rate
    if currency == "KES" and rate is not None:
        reading.wrong("exchange_rate", "A sale in KES has none.", "Leave it out.")
    elif currency != "KES" and (rate is None or not _is_rate(rate)):
        reading.wrong("exchange_rate", f"A sale in {currency} needs a rate above 0.",
                      "Send KES per unit, with at most six decimals.")  # fmt: skip


def _is_rate(rate: Decimal) -> bool:
    is_held = rate.is_finite() and rate.adjusted() < RATE_DIGITS
    return is_held and rate > 0 and rate == rate.quantize(RATE_STEP)


def _find_items(reading: Reading, *, fresh: bool) -> list[Item | None]:
    lines = reading.data.lines
    reading.items = items_of(reading.company.pk, {line.item for line in lines}, fresh=fresh)
    return [_usable(reading, place, line) for place, line in enumerate(lines)]


def _usable(reading: Reading, place: int, line: LineInput) -> Item | None:
    known = reading.items.get(line.item)
    where = f"lines[{place}].item"
    item = known.item if known else None
    if item is None:
        reading.wrong(where, f"There is no item {line.item!r}.", "POST /api/item/sync/ first.")
    elif not item.is_active or not item.is_fiscal:
        reading.wrong(where, f"{line.item!r} is not for sale.", "Activate it in the catalogue.")
    elif item.registered_at is None:
        reading.wrong(where, f"{line.item!r} is not registered with KRA yet.",
                      f"GET /api/items/{line.item}/ says why; try again once it is.")  # fmt: skip
    else:
        return item
    return None


def _read_line(reading: Reading, place: int, item: Item, rates: dict[str, Decimal]) -> Line | None:
    given = reading.data.lines[place]
    before = len(reading.problems)
    wrong = partial(_wrong_at, reading, place)
    letter = _letter(wrong, given, item, rates)
    price = _price(wrong, reading.data, given, item)
    if not _fits(given.quantity) or not 0 < given.quantity <= MAX_QUANTITY:
        wrong("quantity", "Must be above 0, at most 10,000,000, with at most two decimals.",
              "Correct the quantity.")  # fmt: skip
    elif price * given.quantity > MAX_AMOUNT:
        wrong("unit_price", "The line is larger than KRA's field.", "Split the sale.")
    if len(reading.problems) > before:
        return None
    discount = _discount(wrong, given, round_cents(price * given.quantity), reading.data)
    if len(reading.problems) > before:
        return None
    return Line(given.quantity, price, letter, rates[letter], discount, given.discount_percent)


def _wrong_at(reading: Reading, place: int, field: str, reason: str, next_step: str) -> None:
    reading.wrong(f"lines[{place}].{field}", reason, next_step)


def _letter(wrong: "partial[None]", given: LineInput, item: Item, rates: dict[str, Decimal]) -> str:
    word = given.tax or item.tax_letter
    letter = word if word in LETTERS else code_of(word, TAX_NAMES)
    if letter is None:
        wrong("tax", f"Unknown tax {given.tax!r}.", f"A–E or one of {', '.join(TAX_NAMES)}.")
        return item.tax_letter
    if given.rate is not None and not (given.rate.is_finite() and given.rate == rates[letter]):
        wrong("rate", f"Letter {letter} has {rates[letter]} %, not {given.rate} %.",
              "Leave the rate out, or choose the right letter.")  # fmt: skip
    return letter


def _price(wrong: "partial[None]", data: SaleContent, given: LineInput, item: Item) -> Decimal:
    if given.unit_price is None and data.prices_include_tax is False:
        wrong("unit_price", "Catalogue prices include tax; this sale's prices do not.",
              "Send the unit price without tax.")  # fmt: skip
        return ZERO
    price = item.price if given.unit_price is None else given.unit_price
    if not _fits(price) or not 0 <= price <= MAX_AMOUNT:
        wrong("unit_price", "Must be 0 or more, with at most two decimals.", "Correct the price.")
        return ZERO
    if given.unit_price is not None and data.currency != "KES" and data.exchange_rate:
        return price * data.exchange_rate  # rounded once, with the whole line
    return price


def _discount(
    wrong: "partial[None]", given: LineInput, value: Decimal, data: SaleContent
) -> Decimal:
    percent, amount = given.discount_percent, given.discount_amount
    if percent is not None and amount is not None:
        wrong("discount_amount", "Percent and amount are both given.", "Send one of them.")
    elif percent is not None:
        if _fits(percent) and 0 <= percent <= HUNDRED:
            return round_cents(value * percent / HUNDRED)
        wrong("discount_percent", "Must be from 0 to 100.", "Correct the percentage.")
    elif amount is not None:
        in_shillings = _in_shillings(amount, data) if _fits(amount) else Decimal(-1)
        if 0 <= in_shillings <= value:
            return in_shillings
        wrong("discount_amount", "Must be from 0 to the line's value.", "Correct the amount.")
    return ZERO


def _in_shillings(amount: Decimal, data: SaleContent) -> Decimal:
    if data.currency == "KES" or not data.exchange_rate:
        return amount
    return round_cents(amount * data.exchange_rate)


def _check_amount(reading: Reading, field: str, amount: Decimal) -> None:
    if not _fits(amount) or not 0 <= amount <= MAX_AMOUNT:
        reading.wrong(field, "Must be 0 or more, with at most two decimals.", "Correct it.")


def _fits(value: Decimal) -> bool:
    """Neither negative nor endless, and of at most two decimals: what KRA's fields hold."""
    is_held = value.is_finite() and not value.is_signed() and value.adjusted() < 16
    return is_held and value == round_cents(value)


def _computed(
    reading: Reading, items: list[Item], lines: Sequence[Line], rates: dict[str, Decimal]
) -> Basket:
    data = reading.data
    # Catalogue prices are quoted with tax.
    inclusive = data.prices_include_tax is not False
    order_discount = _in_shillings(data.discount_amount or ZERO, data)
    try:
        spread_out = discounted(lines, order_discount)
    except ValueError as exc:
        problem = Problem("discount_amount", f"Not possible: {exc}.", "Correct the discount.")
        raise SaleInvalid("The sale is not valid.", problems=[problem]) from exc
    amounts = compute(
        spread_out, prices_include_tax=inclusive, convention=convention_of(reading.company)
    )
    summed = totals(spread_out, amounts)
    if summed.total + summed.discount > MAX_AMOUNT:
        problem = Problem("lines", "The total is larger than KRA's field.", "Split the sale.")
        raise SaleInvalid("The sale is not valid.", problems=[problem])
    versions = {known.item.pk: known.version for known in reading.items.values()}
    return Basket(items, spread_out, amounts, summed, rates, inclusive, versions)


def shortages_of(basket: Basket, held: Mapping[int, Decimal]) -> list[Shortage]:
    """Goods of which KRA holds less than is sold: it may refuse the sale (rule S2). `held`: by
    item; without a level it holds nothing.
    """
    wanted: dict[Item, Decimal] = {}
    for item, line in zip(basket.items, basket.lines, strict=True):
        if not item.is_service:
            wanted[item] = wanted.get(item, ZERO) + line.quantity
    return [
        Shortage(item.pk, item.sku, quantity, held.get(item.pk, ZERO))
        for item, quantity in wanted.items()
        if quantity > held.get(item.pk, ZERO)
    ]


def convention_of(company: Company) -> Convention:
    return Convention(settings.KRA_TAX_CONVENTIONS[company.profile])
