"""The role for the processes: it adds to the journal, and nothing it can do takes that back."""

import pytest
from django.db import DatabaseError, connection, transaction

from core.events import announce
from local.paths import ROOT
from monitoring.journal import checkpoints

from .test_journal import follow

pytestmark = pytest.mark.django_db(transaction=True)
ROLE = "etims_app_of_a_test"


@pytest.fixture
def as_processes():
    text = (ROOT / "deploy/postgres/journal_role.sql").read_text().replace(" :role", f" {ROLE}")
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname=current_user")
        if not cursor.fetchone()[0]:
            pytest.skip("this database user may not create roles")
        cursor.execute(f"CREATE ROLE {ROLE}")
        cursor.execute(f"GRANT {ROLE} TO CURRENT_USER")
        cursor.execute(text)
        cursor.execute(f"SET ROLE {ROLE}")
        yield cursor
        cursor.execute("RESET ROLE")
        cursor.execute(f"DROP OWNED BY {ROLE}")
        cursor.execute(f"DROP ROLE {ROLE}")


def test_it_may_do_all_that_the_follower_does(alpha, make_call, as_processes):
    make_call(alpha)
    announce("counter_set", alpha.device.pk, after=1)

    assert follow() == 3
    assert checkpoints.daily() == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE monitoring_journalentry SET body = ''",
        "DELETE FROM monitoring_journalentry",
        "TRUNCATE monitoring_journalentry",
        "DELETE FROM monitoring_journalcheckpoint",
        "ALTER TABLE monitoring_journalentry DISABLE TRIGGER journal_no_change",
        "DROP TABLE monitoring_journalentry",
        "SET session_replication_role = replica",
    ],
)
def test_it_may_not_change_the_journal(as_processes, statement):
    with (
        pytest.raises(DatabaseError, match="permission denied|must be owner"),
        transaction.atomic(),
    ):
        as_processes.execute(statement)
