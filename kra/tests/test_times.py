from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from kra import times

MOMENT = datetime(2026, 10, 5, 7, 15, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "20261005101501",
        "2026-10-05 10:15:01",
        "2026-10-05 10:15:01.0",
        "2026-10-05T10:15:01.123",
        " 20261005101501 ",
    ],
)
def test_it_reads_every_way_kra_writes_a_time(text):
    assert times.parse_instant(text) == MOMENT
    assert times.parse_instant(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["", "20261005", "20261305101500", "20261005256000", "00010101000000", "2026-10-05 10"]
)
def test_it_refuses_what_is_no_time(text):
    with pytest.raises(ValueError):
        times.parse_instant(text)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("20261005", date(2026, 10, 5)),
        ("2026-10-05", date(2026, 10, 5)),
        ("20261005003000", date(2026, 10, 5)),  # still the fourth in UTC
        ("2026-10-05 23:59:59.0", date(2026, 10, 5)),
    ],
)
def test_it_reads_dates(text, day):
    assert times.parse_date(text) == day


@pytest.mark.parametrize("text", ["", "20261399", "5.10.2026", "05102026x"])
def test_it_refuses_what_is_no_date(text):
    with pytest.raises(ValueError):
        times.parse_date(text)


def test_it_writes_nairobi_time():
    late = datetime(2026, 10, 5, 22, 30, tzinfo=UTC)

    assert times.format_instant(late) == "20261006013000"
    assert times.format_date(late) == "20261006"
    assert times.format_date(date(2026, 10, 5)) == "20261005"
    assert (
        times.format_instant(MOMENT.astimezone(timezone(timedelta(hours=-8)))) == "20261005101501"
    )


def test_it_writes_years_in_four_digits():
    assert times.format_date(date(987, 1, 2)) == "09870102"
    assert times.format_instant(datetime(987, 1, 2, tzinfo=UTC)).startswith("09870102")


def test_it_wants_to_know_the_offset():
    naive = datetime(2026, 10, 5)  # noqa: DTZ001

    with pytest.raises(ValueError, match="ambiguous"):
        times.format_instant(naive)
