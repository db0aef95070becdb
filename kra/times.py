"""KRA's clock: every time is Nairobi's, written without an offset."""

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

NAIROBI = ZoneInfo("Africa/Nairobi")

# 20261005101500 in envelopes, 2026-10-05 10:15:01 in lists, 2026-10-05 10:15:01.0 in receipts.
_INSTANT = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)[ T]?(\d\d):?(\d\d):?(\d\d)(?:\.\d{1,9})?", re.ASCII)
_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)", re.ASCII)


def format_instant(moment: datetime) -> str:
    """yyyyMMddHHmmss."""
    return _digits(_in_nairobi(moment).replace(tzinfo=None).isoformat(timespec="seconds"))


def format_date(day: date) -> str:
    """yyyyMMdd; an instant is given the date it has in Nairobi."""
    if isinstance(day, datetime):
        day = _in_nairobi(day).date()
    return _digits(day.isoformat())


def parse_instant(text: str) -> datetime:
    """Aware, in UTC. Raises ValueError."""
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        raise ValueError("not a time as KRA writes it")
    year, month, day, hour, minute, second = map(int, match.groups())
    moment = datetime(year, month, day, hour, minute, second, tzinfo=NAIROBI)
    try:
        return moment.astimezone(UTC)
    except OverflowError as exc:  # the first hours of year 1
        raise ValueError("out of range") from exc


def parse_date(text: str) -> date:
    """A date, or the Nairobi date of an instant. Raises ValueError."""
    text = text.strip()
    match = _DATE.fullmatch(text)
    if match is None:
        return parse_instant(text).astimezone(NAIROBI).date()
    year, month, day = map(int, match.groups())
    return date(year, month, day)


def parse_http_date(text: str) -> datetime | None:
    """Of HTTP headers; None for what is no date."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _in_nairobi(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time without offset is ambiguous")
    return moment.astimezone(NAIROBI)


def _digits(iso: str) -> str:
    # Not strftime, whose %Y has fewer than four digits in early years on some platforms.
    return re.sub(r"\D", "", iso)
