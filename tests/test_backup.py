"""The restore drill: a copy, a second database, the same facts, and silence until KRA was asked."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from io import StringIO
from uuid import uuid4

import psycopg
import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from core.sealing import CHUNK, NotOpened, seal, unseal
from devices.models import Device, SigningKey
from devices.services import generate_keys
from monitoring.backups import dumping, programs, restoring
from monitoring.backups.facts import facts_of
from monitoring.journal import follower
from monitoring.models import JournalEntry

PASSPHRASE = "correct horse battery"


@pytest.fixture(autouse=True)
def passphrase(settings):
    settings.BACKUP_PASSPHRASE = PASSPHRASE


def run(*arguments, **options):
    out = StringIO()
    call_command(*arguments, stdout=out, **options)
    return out.getvalue()


@contextmanager
def empty_database():
    url, name = programs.own_url(), f"drill_{uuid4().hex[:10]}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        try:
            yield url.rpartition("/")[0] + f"/{name}"
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def manage(url, shop, *arguments):
    """Another installation, on the restored database."""
    environment = os.environ | {"DATABASE_URL": url, "KRA_SIMULATOR_URL": shop.simulator.url}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=environment, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


def ask(url, question):
    with psycopg.connect(url) as there:
        return there.execute(question.encode()).fetchall()


@pytest.mark.django_db(transaction=True)
def test_the_drill(shop, tmp_path):
    file = tmp_path / "copy.etims"
    shop.sell("T-1")
    shop.deliver()
    shop.sell("T-2")
    run("backup", str(file))
    assert "All agree" in run("restore", str(file), "--verify")
    # The real one goes on: KRA signs T-2 and T-3, of which the copy knows nothing.
    shop.sell("T-3")
    shop.deliver()
    assert shop.lane.last_number == 3

    with empty_database() as url:
        assert "All agree" in run("restore", str(file), into=url)
        assert ask(url, "SELECT state, state_before FROM devices_device") == [
            ("restored", "active")
        ]
        calls = ask(url, "SELECT count(*) FROM devices_call")
        silent = manage(url, shop, "drain", "--device", shop.device.serial)
        # Not even a question goes out: nothing at all was sent.
        assert ask(url, "SELECT count(*) FROM devices_call") == calls
        assert len(shop.ledger()) == 3, silent.stdout
        assert ask(url, "SELECT status FROM outbox_transmission WHERE reference = 'T-2'"
                   " AND kind = 'sale'") == [("queued",)]  # fmt: skip

        resumed = manage(url, shop, "resume_restored", "--all")
        assert resumed.returncode == 0, resumed.stdout + resumed.stderr
        assert "last number 3; it is active" in resumed.stdout
        # T-2 was adopted with the number and signature under which KRA holds it.
        rows = ask(url, "SELECT i.reference, r.number, r.signature FROM sales_receipt r"
                   " JOIN sales_invoice i ON i.id = r.invoice_id ORDER BY 2")  # fmt: skip
        held = {each["number"]: each["signature"] for each in shop.ledger()}
        assert rows == [("T-1", 1, held[1]), ("T-2", 2, held[2])]
    assert len(shop.ledger()) == 3


@pytest.mark.django_db(transaction=True)
def test_it_names_what_differs(till, tmp_path):
    file = tmp_path / "copy.etims"
    run("backup", str(file))
    manifest, differences = restoring.rehearse(file, programs.own_url(), PASSPHRASE)
    assert differences == []

    # A copy from before chain heads were noted is compared by the rest.
    newer = manifest.facts | {"chain head A1 dvc": "1 abc", "last entry A1 dvc": "1 abc"}
    assert restoring.compare(manifest, newer) == []

    found = manifest.facts | {"rows of sales_invoice": "7"}
    assert restoring.compare(manifest, found) == ["rows of sales_invoice: 0 in the copy, 7 here"]


HARM = {
    "rows of sales_receipt": "DELETE FROM sales_receipt WHERE number = 2",
    "signed {}": "UPDATE sales_receipt SET number = 9 WHERE number = 2",
    "counter {} fiscal": "UPDATE outbox_lane SET last_number = last_number + 1"
    " WHERE stream = 'fiscal'",
    "chain head {}": "UPDATE monitoring_journalhead SET hash = 'another'",
    "last entry {}": "UPDATE monitoring_journalentry SET hash = 'another'",
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fact", HARM)
def test_a_count_a_counter_or_a_chain_that_differs_is_named(shop, tmp_path, fact):
    """Changed in the other database after it was filled: what a bad restore would leave."""
    file = tmp_path / "copy.etims"
    for number in (1, 2):
        shop.sell(f"T-{number}")
    shop.deliver()
    follower.follow(until=time.monotonic() + 30)
    assert JournalEntry.objects.count() > 2
    run("backup", str(file))

    with empty_database() as url:
        manifest, differences = restoring.restore(file, url, PASSPHRASE)
        assert differences == []
        with psycopg.connect(url) as there:
            for table in ("sales_receipt", "monitoring_journalentry"):
                # Only the owner can: they would refuse.
                there.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
            there.execute(HARM[fact].encode())
            found = facts_of(there.cursor())
            named = [one.partition(": ")[0] for one in restoring.compare(manifest, found)]
    assert fact.format(f"{shop.pin} {shop.device.serial}") in named


@pytest.mark.django_db(transaction=True)
def test_a_damaged_copy_leaves_nothing(till, tmp_path):
    file = tmp_path / "copy.etims"
    run("backup", str(file))
    whole = file.read_bytes()
    # Encrypted: neither what PostgreSQL writes in clear nor a word of the rows.
    assert not [word for word in (b"CREATE TABLE", b"PGDMP", b"sales_invoice") if word in whole]
    bad = tmp_path / "bad.etims"
    bad.write_bytes(whole[:-1000])

    with empty_database() as url:
        with pytest.raises(CommandError, match="damaged or cut"):
            run("restore", str(bad), into=url)
        assert ask(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


@pytest.mark.django_db(transaction=True)
def test_it_restores_into_nothing_but_emptiness(till, tmp_path):
    run("backup", str(tmp_path / "copy.etims"))

    with pytest.raises(CommandError, match="not empty"):
        run("restore", str(tmp_path / "copy.etims"), into="own")


@pytest.mark.django_db(transaction=True)
def test_the_keys_come_back_after_the_key_was_lost(till, tmp_path, settings):
    file = tmp_path / "keys.etims"
    key = generate_keys(till.device).private_key
    run("export_keys", str(file))
    assert b"secret-key" not in file.read_bytes()
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    told = run("import_keys", str(file))

    assert "2 put back" in told
    assert Device.objects.get(pk=till.device.pk).key == "secret-key"
    assert SigningKey.objects.get().private_key == key
    assert "0 put back" in run("import_keys", str(file))


@pytest.mark.django_db
def test_the_keys_of_another_installation_are_refused(till, tmp_path):
    file = tmp_path / "keys.etims"
    run("export_keys", str(file))
    Device.objects.update(serial="another")

    with pytest.raises(CommandError, match="not here"):
        run("import_keys", str(file))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_was_sealed_is_opened(tmp_path, size):
    file, text = tmp_path / "sealed", os.urandom(size)
    with file.open("wb") as target:
        seal([text[:10], text[10:]], target, PASSPHRASE)

    with file.open("rb") as source:
        assert b"".join(unseal(source, PASSPHRASE)) == text


@pytest.mark.parametrize("harm", ["cut", "swap", "flip", "head", "drop"])
def test_a_changed_seal_is_noticed(tmp_path, harm):
    file, size = tmp_path / "sealed", CHUNK + 16
    with file.open("wb") as target:
        seal([os.urandom(3 * CHUNK)], target, PASSPHRASE)
    whole = file.read_bytes()
    head, chunks = whole[:33], [whole[n : n + size] for n in range(33, len(whole), size)]
    changed = {
        "cut": head + b"".join(chunks[:-1]),
        "swap": head + chunks[1] + chunks[0] + chunks[2],
        "flip": whole[:-1] + bytes([whole[-1] ^ 1]),
        "head": b"x" + whole[1:],
        "drop": head + chunks[0] + chunks[2],
    }
    file.write_bytes(changed[harm])

    with file.open("rb") as source, pytest.raises(NotOpened):
        list(unseal(source, PASSPHRASE))


def test_a_wrong_passphrase_opens_nothing(tmp_path):
    file = tmp_path / "sealed"
    with file.open("wb") as target:
        seal([b"text"], target, PASSPHRASE)

    with file.open("rb") as source, pytest.raises(NotOpened, match="passphrase"):
        list(unseal(source, "another passphrase"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("death", ["compare", "facts_of"])
def test_a_death_before_the_devices_are_held_back_leaves_it_locked(
    till, tmp_path, monkeypatch, death
):
    """The rows are in; nobody may claim and send before the devices are `restored`."""
    file = tmp_path / "copy.etims"
    run("backup", str(file))

    def dies(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(restoring, death, dies)
    with empty_database() as url:
        with pytest.raises(KeyboardInterrupt):
            restoring.restore(file, url, PASSPHRASE)
        assert ask(url, "SELECT state FROM devices_device") == [("active",)]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            ask(url, "UPDATE devices_device SET state_reason = 'sent' RETURNING 1")


@pytest.mark.django_db(transaction=True)
def test_the_database_can_be_used_after_a_restore_and_after_a_failed_one(till, tmp_path):
    file = tmp_path / "copy.etims"
    run("backup", str(file))
    bad = tmp_path / "bad.etims"
    bad.write_bytes(file.read_bytes()[:-1000])
    with empty_database() as url:
        with pytest.raises(NotOpened):
            restoring.restore(bad, url, PASSPHRASE)
        assert ask(url, "SHOW default_transaction_read_only") == [("off",)]
        restoring.restore(file, url, PASSPHRASE)
        assert ask(url, "UPDATE devices_device SET state_reason = '' RETURNING state") == [
            ("restored",)
        ]
        noted = ask(url, "SELECT facts->>'state' FROM monitoring_unjournaledfact"
                         " WHERE facts->>'state' = 'restored'")  # fmt: skip
        assert noted == [("restored",)]


@pytest.mark.django_db(transaction=True)
def test_a_copy_never_replaces_another(till, tmp_path, monkeypatch):
    """Another process finished under the same name in between."""
    file = tmp_path / "copy.etims"
    real = dumping._write

    def slow(*arguments):
        manifest = real(*arguments)
        file.write_bytes(b"the other's")
        return manifest

    monkeypatch.setattr(dumping, "_write", slow)
    with pytest.raises(FileExistsError):
        dumping.back_up(programs.own_url(), file, PASSPHRASE)

    assert file.read_bytes() == b"the other's"
    assert list(tmp_path.iterdir()) == [file]


def test_the_connection_stays_as_protected_as_it_was():
    url = "postgresql://u:p%40@%2Frun%2FPg:6432/etims?sslmode=verify-full&sslrootcert=/ca.pem"

    found = programs.environment_for(url)

    assert (found["PGHOST"], found["PGPASSWORD"]) == ("/run/Pg", "p@")
    assert (found["PGSSLMODE"], found["PGSSLROOTCERT"]) == ("verify-full", "/ca.pem")


def test_a_missing_program_is_named(monkeypatch):
    monkeypatch.setattr(programs, "_folders", lambda: iter([]))

    with pytest.raises(programs.ProgramMissing, match="pg_dump here: none"):
        programs.folder_for(18)
