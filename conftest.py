import gc

import pytest
from django.conf import settings
from django.db import connection


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


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Tests empty all tables after themselves; for that the journal may be emptied here."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table in ("journalentry", "journalcheckpoint"):
            cursor.execute(f"ALTER TABLE monitoring_{table} DISABLE TRIGGER journal_no_truncate")
    connection.close()
