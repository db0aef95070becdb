"""Every time on the wire is Africa/Nairobi, written without an offset."""

from datetime import datetime, timedelta, timezone

NAIROBI = timezone(timedelta(hours=3))  # no summer time
SKEW = timedelta(minutes=5)


def now() -> datetime:
    return datetime.now(NAIROBI)


def stamp(moment: datetime | None = None) -> str:
    return (moment or now()).strftime("%Y%m%d%H%M%S")


def parse(text: str) -> datetime | None:
    """`yyyyMMdd` or `yyyyMMddHHmmss`; None when it is neither."""
    if len(text) not in (8, 14) or not (text.isascii() and text.isdigit()):
        return None
    hour, minute, second = text[8:10] or "0", text[10:12] or "0", text[12:14] or "0"
    day = (int(text[:4]), int(text[4:6]), int(text[6:8]))
    try:
        return datetime(*day, int(hour), int(minute), int(second), tzinfo=NAIROBI)
    except ValueError:
        return None


def is_future(text: str, moment: datetime) -> bool:
    """Later than `moment` by more than clocks may differ. `text` is a checked date."""
    return text > stamp(moment + SKEW)[: len(text)]


def spaced(text: str | None) -> str | None:
    """`20261005101400` as lists answer it: `2026-10-05 10:14:00`."""
    if not text or len(text) != 14:
        return text
    return f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:10]}:{text[10:12]}:{text[12:]}"
