"""How a message becomes bytes: the same message always gives the same bytes."""

from decimal import Context, Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

LETTERS = "ABCDE"
_CENT = Decimal("0.01")
_MOST_DIGITS = 18
_context = Context(prec=60)  # not the caller's, which may round or raise
_PLAIN = {str, int, type(None)}
_UNNUMBERED = b'"invcNo":0,'
_encoder = msgspec.json.Encoder(decimal_format="number")


class LetterAmount(NamedTuple):
    """One tax letter of a document: becomes taxblAmtX, taxRtX and taxAmtX."""

    taxable: Decimal
    rate: Decimal
    tax: Decimal


Letters = dict[str, LetterAmount]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    tin: str
    bhfId: str

    def encode(self) -> bytes:
        """Compact JSON, the same bytes for the same message. Raises ValueError, TypeError."""
        return _encoder.encode(_members(self))


def numbered(content: bytes, number: int) -> bytes:
    """An encoded document with its number, which was 0 until now. Raises ValueError.

    A quote inside a text is escaped, so the first match is the member.
    """
    head, found, tail = content.partition(_UNNUMBERED)
    if not found:
        raise ValueError("the content has no place for a number")
    return head + b'"invcNo":%d,' % number + tail


def _members(message: msgspec.Struct) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name in message.__struct_fields__:
        value = getattr(message, name)
        kind = type(value)
        if kind is Decimal:
            members[name] = _number(value)
        elif kind in _PLAIN:
            members[name] = value
        elif name == "letters":
            members.update(_letters(value))
        else:
            members[name] = _value(value)
    return members


def _letters(letters: Letters) -> dict[str, Any]:
    if set(letters) != set(LETTERS):
        raise ValueError("KRA wants all five tax letters, used or not")
    prefixes = ("taxblAmt", "taxRt", "taxAmt")
    return {
        prefix + letter: _number(letters[letter][place])
        for place, prefix in enumerate(prefixes)
        for letter in LETTERS
    }


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, msgspec.Struct):
        return _members(value)
    if isinstance(value, list):
        return [_value(member) for member in value]
    if isinstance(value, float):
        raise TypeError("a float cannot hold money: use Decimal")
    return value


@lru_cache(maxsize=4096)
def _number(value: Decimal) -> Decimal | int:
    """One spelling per value: 2320, not 2320.00 or 2.32E+3. Never rounds."""
    if not value.is_finite() or value.adjusted() >= _MOST_DIGITS:
        raise ValueError(f"KRA takes no such number: {value}")
    exact = value.quantize(_CENT, context=_context)
    if exact != value:
        raise ValueError(f"KRA takes numbers of at most two decimals, not {value}")
    return int(exact) if exact == int(exact) else exact.normalize(_context)
