"""What an installation is told before it may serve."""

import pytest
from cryptography.fernet import Fernet
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection

from core.checks import database_encoding, encryption_keys, production_settings

GOOD = "Wq7-zM4xK9pL2vN8bR5yH1jF6gD3sA0cU7iO2eT9kX4w"


@pytest.fixture
def safe(settings):
    settings.DEBUG = False
    settings.SECRET_KEY = GOOD
    settings.ALLOWED_HOSTS = ["etims.example.co.ke"]
    settings.PUBLIC_URL = "https://etims.example.co.ke"
    settings.CSRF_TRUSTED_ORIGINS = ["https://etims.example.co.ke"]
    settings.ADMIN_TWO_FACTOR = True
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": 1}
    return settings


@pytest.mark.parametrize(
    ("_case", "keys"),
    [
        ("none", []),
        ("empty", [""]),
        ("not base64", ["not a key"]),
        ("too short", ["YWJj"]),
        ("one good, one bad", [Fernet.generate_key().decode(), "bad"]),
    ],
)
def test_it_wants_keys_that_encrypt(settings, _case, keys):
    settings.ENCRYPTION_KEYS = keys

    (error,) = encryption_keys()

    assert error.id == "etims.E001"
    assert "generate_key" in str(error.hint)


def test_it_takes_one_or_more_keys(settings):
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode() for _ in range(2)]

    assert encryption_keys() == []


def test_it_passes_a_safe_installation(safe):
    assert production_settings() == []


@pytest.mark.parametrize(
    ("_case", "name", "value", "id"),
    [
        ("debug", "DEBUG", True, "etims.E002"),
        ("short key", "SECRET_KEY", GOOD[:39], "etims.E003"),
        ("default key", "SECRET_KEY", "Django-Insecure-" + GOOD, "etims.E003"),
        ("key to be changed", "SECRET_KEY", "ChangeMe" + GOOD, "etims.E003"),
        ("no hosts", "ALLOWED_HOSTS", [], "etims.E004"),
        ("any host", "ALLOWED_HOSTS", ["etims.example.co.ke", "*"], "etims.E004"),
        ("no second factor", "ADMIN_TWO_FACTOR", False, "etims.E005"),
        ("unknown address", "PUBLIC_URL", "https://other.example.co.ke", "etims.E006"),
        ("in clear", "PUBLIC_URL", "http://etims.example.co.ke", "etims.W001"),
        ("unknown proxy", "REST_FRAMEWORK", {"NUM_PROXIES": 0}, "etims.W002"),
        ("events go unsent", "EVENTS_KEEP_DAYS", 3, "etims.E012"),
        ("any origin", "CSRF_TRUSTED_ORIGINS", ["https://*.example.co.ke"], "etims.E007"),
    ],
)
def test_it_refuses_what_is_unsafe_in_production(safe, _case, name, value, id):
    setattr(safe, name, value)

    (error,) = production_settings()

    assert error.id == id
    assert error.hint


@pytest.mark.parametrize(("is_deploy", "expected"), [(True, {"etims.E002"}), (False, set())])
def test_they_run_with_the_check_of_a_deployment(safe, is_deploy, expected):
    safe.DEBUG = True

    found = {each.id for each in run_checks(include_deployment_checks=is_deploy)}

    assert {id for id in found if str(id).startswith("etims.")} == expected


@pytest.mark.django_db
def test_the_database_holds_every_name():
    assert database_encoding(databases=["default"]) == []
    assert database_encoding() == [], "only who names a database may be kept waiting by it"


@pytest.fixture
def ascii_database(django_db_blocker, settings):
    """The connection, to a database as initdb makes it where no language is set."""
    own = settings.DATABASES["default"]["NAME"]
    with django_db_blocker.unblock():
        connection.close()
        with connection._nodb_cursor() as cursor:
            cursor.execute("DROP DATABASE IF EXISTS etims_ascii")
            cursor.execute(
                "CREATE DATABASE etims_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'"
            )
        connection.settings_dict["NAME"] = "etims_ascii"
        yield connection
        connection.close()
        connection.settings_dict["NAME"] = own
        with connection._nodb_cursor() as cursor:
            cursor.execute("DROP DATABASE etims_ascii")


def test_a_database_that_would_damage_names_is_refused(ascii_database):
    with pytest.raises(SystemCheckError, match=r"SQL_ASCII, not UTF8[\s\S]*ENCODING 'UTF8'"):
        call_command("migrate", verbosity=0, skip_checks=False)

    assert ascii_database.introspection.table_names() == []
