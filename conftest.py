from django.conf import settings


def pytest_configure() -> None:
    # Threads that deliver must not hold a test database open after the run.
    settings.DATABASES["default"]["CONN_MAX_AGE"] = 0
    # The tests show more wrong tokens in a minute than any address may.
    settings.API_WRONG_TOKEN_LIMIT = "1000000/minute"
    # Tests of people sign in without a telephone; tests of the second factor switch it on.
    settings.ADMIN_TWO_FACTOR = False
