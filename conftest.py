from django.conf import settings


def pytest_configure() -> None:
    # Threads that deliver must not hold a test database open after the run.
    settings.DATABASES["default"]["CONN_MAX_AGE"] = 0
