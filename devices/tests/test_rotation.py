"""Every secret moves to the newest key, while the service runs and however often it is asked."""

from io import StringIO

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from companies.models import Company
from core import crypto
from devices.management.commands import rotate_encryption_keys as command
from devices.models import Device
from devices.services import generate_keys

pytestmark = pytest.mark.django_db
OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture
def keys(settings):
    def use(*names):
        settings.ENCRYPTION_KEYS = list(names)

    use(OLD)
    return use


@pytest.fixture
def secrets(keys, open_company, add_device):
    """Five devices under the old key, each with a signing key, of a company with a gateway."""
    company = open_company("C000000003C", consumer_key="ck", consumer_secret="cs")
    devices = [add_device(company, f"dvc{n}", key=f"key-{n}") for n in range(5)]
    return [generate_keys(device).private_key for device in devices]


def rotate(**options):
    out = StringIO()
    call_command("rotate_encryption_keys", stdout=out, **options)
    return dict(line.split(": ", 1) for line in out.getvalue().splitlines())


def stored(table="devices_device", column="key"):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.parametrize("batch", [1, 2, 5, 200])
def test_it_moves_every_secret_to_the_newest_key(keys, secrets, batch):
    keys(NEW, OLD)

    report = rotate(batch=batch)

    keys(NEW)
    assert [device.key for device in Device.objects.order_by("pk")] == [
        f"key-{n}" for n in range(5)
    ]
    assert [d.signing_keys.get().private_key for d in Device.objects.order_by("pk")] == secrets
    assert Company.objects.get().consumer_secret == "cs"
    assert report["devices.Device.key"].startswith("5 rotated, 0 current, 0 empty")
    assert report["devices.Device.init_answer"].startswith("0 rotated, 0 current, 5 empty")
    assert report["companies.Company.consumer_key"].startswith("1 rotated")


def test_it_finds_every_encrypted_column():
    fields = {
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, crypto.EncryptedTextField)
    }

    found = set(command.encrypted_columns())

    assert found == fields
    assert (Device, "init_answer") in found


def test_a_repeat_changes_nothing(keys, secrets):
    keys(NEW, OLD)
    rotate()
    before = stored()

    report = rotate()

    assert stored() == before
    assert report["devices.Device.key"].startswith("0 rotated, 5 current")


def test_an_interrupted_run_is_finished_by_the_next(keys, secrets, monkeypatch):
    keys(NEW, OLD)
    with monkeypatch.context() as patch:
        patch.setattr(command, "rotate", fail_after(3))
        with pytest.raises(KeyboardInterrupt):
            rotate(batch=1)

    rotate()

    keys(NEW)
    assert len({device.key for device in Device.objects.all()}) == 5


def fail_after(count):
    left = iter(range(count))

    def limited(token):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return crypto.rotate(token)

    return limited


def test_it_never_overwrites_what_was_stored_meanwhile(keys, secrets):
    keys(NEW, OLD)
    old = stored()[0]
    Device.objects.filter(serial="dvc0").update(key="imported")
    pk = Device.objects.get(serial="dvc0").pk

    assert command._rotate(Device, "key", pk, old) == "changed meanwhile"

    assert Device.objects.get(pk=pk).key == "imported"


def test_it_names_what_no_key_fits_and_goes_on(keys, secrets, add_device):
    keys(LOST)
    lost = Device.objects.filter(serial="dvc1").update(key="key-1")
    keys(NEW, OLD)

    with pytest.raises(CommandError, match=f"{lost} values fit no configured key"):
        rotate()

    keys(NEW)
    assert Device.objects.get(serial="dvc4").key == "key-4"
    with pytest.raises(InvalidToken):
        Device.objects.get(serial="dvc1")
