"""Tax-inclusive arithmetic: prices and totals hold the tax, taxable amounts do not."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from simulator.answers import Coded, Refused

CENT = Decimal("0.01")
ZERO = Decimal(0)
LETTERS = "ABCDE"
_WIDE = Context(prec=60)  # the longest price times the longest quantity
Rates = Mapping[str, Decimal]


def cents(value: Decimal | int) -> Decimal:
    return Decimal(value).quantize(CENT, ROUND_HALF_UP, _WIDE)


def _expect(name: str, position: Any, expected: Decimal, found: Decimal | int) -> None:
    if abs(expected - found) > CENT:
        raise Refused(
            f"Invalid {name} on item: {position}. "
            f"Expected: {expected:.2f}, But Found: {cents(found):.2f}"
        )


def check_line(
    line: dict[str, Any], rates: Rates, *, discount: str = "dcAmt", supply: str = "splyAmt"
) -> None:
    """Every amount of one line follows from its price, quantity, discount and letter."""
    position, letter = line["itemSeq"], line["taxTyCd"]
    if letter not in rates:
        raise Coded("913", "Code value error among request parameters[<taxTyCd>]")
    if line["qty"] <= 0 or line["prc"] < 0:
        raise Refused(f"Invalid qty or prc on item: {position}. Amounts must be positive")
    _expect(supply, position, cents(line["prc"] * line["qty"]), line["splyAmt"])
    if not 0 <= line[discount] <= line["splyAmt"]:
        _expect(discount, position, ZERO, line[discount])
    gross = cents(line["splyAmt"] - line[discount])
    _expect("taxblAmt", position, cents(gross * 100 / (100 + rates[letter])), line["taxblAmt"])
    _expect("taxAmt", position, gross - line["taxblAmt"], line["taxAmt"])
    _expect("totAmt", position, gross, line["totAmt"])


def check_rates(body: dict[str, Any], rates: Rates) -> None:
    for letter in LETTERS:
        name = f"taxRt{letter}"
        if body[name] != rates[letter]:
            raise Refused(
                f"Rule {name} failed: Tax rate mismatch. "
                f"Expected: {rates[letter]:.2f}, Found: {body[name]}"
            )


def check_letters(body: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    """Per letter, the header is the sum of its lines."""
    for part in ("taxblAmt", "taxAmt"):
        sums = dict.fromkeys(LETTERS, ZERO)
        for line in lines:
            sums[line["taxTyCd"]] += line[part]
        for letter in LETTERS:
            _same(body, part + letter, sums[letter])


def check_totals(body: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    if body["totItemCnt"] != len(lines):
        raise Refused(f"Invalid totItemCnt. Expected: {len(lines)}, Found: {body['totItemCnt']}")
    for total, part in (("totTaxblAmt", "taxblAmt"), ("totTaxAmt", "taxAmt"), ("totAmt", "totAmt")):
        _same(body, total, sum((line[part] for line in lines), ZERO))


def _same(body: dict[str, Any], name: str, expected: Decimal) -> None:
    if body[name] != expected:
        raise Refused(
            f"Rule {name} failed: Amount mismatch. "
            f"Expected: {expected:.2f}, Found: {cents(body[name]):.2f}"
        )
