"""Every code, HTTP condition and gateway message we know: what it means for the sender.

The table is data/codes.json. A new code is one row there and one test with the captured answer.
`fiscal` is the verdict on a message that spends a number, `read` on everything else, where a
repeat is harmless.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files
from types import MappingProxyType

import msgspec

from kra.errors import DeviceRefused, KRAError, OutcomeUnknown, Rejected, Unavailable


class Verdict(Enum):
    ACCEPTED = "accepted"
    EMPTY = "empty"
    RETRY = "retry"
    RECONCILE = "reconcile"
    FIX = "fix"
    DEVICE = "device"

    @property
    def error(self) -> type[KRAError] | None:
        return _ERRORS.get(self)


_ERRORS: Mapping[Verdict, type[KRAError]] = MappingProxyType(
    {
        Verdict.RETRY: Unavailable,
        Verdict.RECONCILE: OutcomeUnknown,
        Verdict.FIX: Rejected,
        Verdict.DEVICE: DeviceRefused,
    }
)


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str
    fiscal: Verdict
    read: Verdict
    label: str
    cause: str
    next: str
    sw: str
    source: str
    retry_after: float | None = None
    pattern: str = ""  # of a gateway message; the group `expected` is the number KRA wants

    def verdict(self, *, is_fiscal: bool) -> Verdict:
        return self.fiscal if is_fiscal else self.read


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    result_codes: tuple[Row, ...]  # KRA's resultCd
    conditions: tuple[Row, ...]  # no verdict of KRA's: our own words
    messages: tuple[Row, ...]  # refusals that the gateway puts into words only


@dataclass(frozen=True, slots=True)
class Explanation:
    code: str
    label: str
    cause: str
    next_step: str
    next_step_sw: str
    source: str


@dataclass(frozen=True, slots=True)
class Match:
    row: Row
    expected_number: int | None


def _by_code(rows: Iterable[Row]) -> Mapping[str, Row]:
    return MappingProxyType({row.code: row for row in rows})


_table = msgspec.json.decode((files("kra") / "data" / "codes.json").read_bytes(), type=_Table)
RESULT_CODES = _by_code(_table.result_codes)
CONDITIONS = _by_code(_table.conditions)
MESSAGES = _by_code(_table.messages)
_LONGEST_MESSAGE = 1000
_PATTERNS = tuple((re.compile(row.pattern, re.IGNORECASE), row) for row in _table.messages)


def result_code(code: str) -> Row:
    return RESULT_CODES.get(code, CONDITIONS["unknown_code"])


def condition(code: str) -> Row:
    """A condition of ours; an HTTP status without a row of its own has its family's."""
    family = CONDITIONS.get(f"{code[:6]}xx", CONDITIONS["gateway_fault"])
    return CONDITIONS.get(code, family)


def match_message(message: str) -> Match | None:
    for pattern, row in _PATTERNS:
        if found := pattern.search(message.strip()[:_LONGEST_MESSAGE]):
            expected = found.groupdict().get("expected")
            return Match(row, None if expected is None else int(expected))
    return None


def explain(code: str, message: str = "") -> Explanation:
    """What happened and what a person does next, for known and unknown codes."""
    match = match_message(message)
    row = match.row if match is not None and code not in _ACCEPTED else _find(code)
    return Explanation(code, row.label, row.cause, row.next, row.sw, row.source)


def _find(code: str) -> Row:
    for rows in (RESULT_CODES, CONDITIONS, MESSAGES):
        if code in rows:
            return rows[code]
    if re.fullmatch(r"http_\d{3,18}", code, re.ASCII):
        return condition(code)
    return CONDITIONS["unknown_code"]


_ACCEPTED = frozenset(row.code for row in _table.result_codes if row.fiscal is Verdict.ACCEPTED)
