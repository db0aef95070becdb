"""What statements by hand rest on."""

from datetime import UTC, datetime

import psycopg
import pytest
from django.db import connection

from core import sql

pytestmark = pytest.mark.django_db
MOMENTS = [
    datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
    datetime(2026, 11, 23, 23, 59, 59, 999999, tzinfo=UTC),
    # PostgreSQL leaves zeros out: every number of digits.
    *(datetime(2026, 1, 2, 3, 4, 5, 10**digits, tzinfo=UTC) for digits in range(6)),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
]


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_moment_comes_back_as_it_went(moment):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [moment])
        (by_django,) = cursor.fetchone()
    ((by_hand,),) = sql.fetch_all("SELECT $1::timestamptz", [moment])

    assert by_django == by_hand == moment
    assert by_django.tzinfo is by_hand.tzinfo is UTC


def test_both_ways_of_asking_read_moments_fast():
    oid = psycopg.adapters.types["timestamptz"].oid
    connection.ensure_connection()
    loader = connection.connection.adapters.get_loader(oid, psycopg.pq.Format.TEXT)

    assert loader is sql.MomentLoader


def test_what_the_calendar_does_not_hold_is_an_error():
    with pytest.raises(psycopg.DataError, match="infinity"):
        sql.fetch_all("SELECT 'infinity'::timestamptz", [])
