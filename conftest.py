import functools
import gc

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import TransactionTestCase


def pytest_configure() -> None:
    # Threads that deliver must not hold a test database open after the run.
    settings.DATABASES["default"]["CONN_MAX_AGE"] = 0
    # The tests show more wrong tokens in a minute than any address may.
    settings.API_WRONG_TOKEN_LIMIT = "1000000/minute"
    # Each test client would list all static files anew, which costs more than what it asks.
    settings.WHITENOISE_AUTOREFRESH = True
    # Tests of people sign in without a telephone; tests of the second factor switch it on.
    settings.ADMIN_TWO_FACTOR = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first: at the end nobody waits for the last of them."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: no collection of garbage needs to look at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _tables_are_emptied_quickly():
    TransactionTestCase._fixture_teardown = lambda _: empty_tables()


# What migrations wrote, and no test changes.
KEPT = {"django_content_type", "auth_permission"}
# From here on it costs less to truncate all tables, full and empty.
MANY_ROWS = 2000


def empty_tables() -> None:
    """Delete what a test has committed: in a tenth of the time of Django's own way, which truncates
    every table and writes all content types and permissions anew.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        # As TRUNCATE would wait: what a killed process had begun ends first.
        cursor.execute(f"LOCK TABLE {', '.join(_tables())} IN ACCESS EXCLUSIVE MODE")
        filled = _count_rows(cursor)
        are_many = MANY_ROWS in filled.values()
        guarded = _guarded(cursor) & (set(_tables()) if are_many else filled.keys())
        for table in guarded:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        if are_many:
            cursor.execute(f"TRUNCATE {', '.join(_tables())}")
        else:
            for table in filled:
                cursor.execute(f"DELETE FROM {table}")
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in guarded:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@functools.cache
def _tables() -> list[str]:
    return sorted(set(connection.introspection.django_table_names(only_existing=True)) - KEPT)


def _count_rows(cursor) -> dict[str, int]:
    """Rows of each table that has any; no more than MANY_ROWS are counted."""
    counts = " UNION ALL ".join(
        f"SELECT '{table}', count(*) FROM (SELECT FROM {table} LIMIT {MANY_ROWS}) rows"
        for table in _tables()
    )
    cursor.execute(f"SELECT * FROM ({counts}) counts (name, count) WHERE count > 0")
    return dict(cursor.fetchall())


def _guarded(cursor) -> set[str]:
    """Tables whose triggers refuse changes."""
    cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal")
    return {row[0] for row in cursor.fetchall()}
