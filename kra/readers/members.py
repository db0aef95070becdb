"""Reading KRA's data member by member, whatever JSON type a value comes in."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from kra import envelope, times
from kra.errors import OutcomeUnknown

_MONEY_DIGITS = 18


class Members:
    """A JSON object, or nothing. The strict readers raise ValueError."""

    def __init__(self, value: Any) -> None:
        self._members: dict[str, Any] = value if isinstance(value, dict) else {}

    def __bool__(self) -> bool:
        return bool(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def object(self, name: str) -> "Members":
        return Members(self._members.get(name))

    def rows(self, name: str) -> Iterator["Members"]:
        rows = self._members.get(name)
        if rows is None:
            return
        if isinstance(rows, envelope.Rows):
            yield from map(Members, rows)
            return
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise unreadable(f"{name} is not a list of objects.")
        yield from map(Members, rows)

    def text(self, name: str) -> str:
        return envelope.text(self._members.get(name))

    def verbatim(self, name: str) -> str:
        """With the blanks around it: for what is sent back to KRA and compared there."""
        value = self._members.get(name)
        return "" if value is None else str(value)

    def three_texts(self, prefix: str) -> tuple[str, str, str]:
        return self.text(f"{prefix}1"), self.text(f"{prefix}2"), self.text(f"{prefix}3")

    def flag(self, name: str) -> bool:
        return self.text(name) == "Y"

    def number(self, name: str) -> int:
        """0 for what is no number."""
        return envelope.number(self._members.get(name))

    def count(self, name: str) -> int:
        digits = self.text(name)
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
            raise ValueError(f"{name} is {digits[:20]!r}")
        return int(digits)

    def money(self, name: str) -> Decimal:
        digits = self.text(name)
        try:
            amount = Decimal(digits)
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or amount.adjusted() >= _MONEY_DIGITS:
            raise ValueError(f"{name} is {digits[:20]!r}")
        return amount

    def money_or_none(self, name: str) -> Decimal | None:
        try:
            return self.money(name)
        except ValueError:
            return None

    def instant(self, name: str) -> datetime:
        return times.parse_instant(self.text(name))

    def instant_or_none(self, name: str) -> datetime | None:
        try:
            return self.instant(name)
        except ValueError:
            return None

    def day(self, name: str) -> date:
        return times.parse_date(self.text(name))

    def day_or_none(self, name: str) -> date | None:
        try:
            return self.day(name)
        except ValueError:
            return None


def incomplete(message: str) -> OutcomeUnknown:
    return OutcomeUnknown("incomplete_answer", message)


def unreadable(message: str) -> OutcomeUnknown:
    return OutcomeUnknown("unreadable_answer", message)
