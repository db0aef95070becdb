"""All secrets of this installation under a passphrase: the way back when ENCRYPTION_KEYS is lost.

Values that can be read are left as they are; only what no configured key opens is written anew.
"""

import io
from typing import Any

import msgspec
from cryptography.fernet import InvalidToken
from django.db import models, transaction
from django.db.models.functions import Cast

from core.crypto import decrypt
from core.errors import Conflict
from core.sealing import seal, unseal
from devices.management.commands.rotate_encryption_keys import encrypted_columns
from devices.models import Device


class OtherInstallation(Conflict):
    code = "other_installation"
    help = "Restore the backup that belongs to this file first (docs/backup.md)."


class Secrets(msgspec.Struct):
    # Who the keys belong to: a file must not be read into another installation.
    devices: dict[str, str]
    values: dict[str, dict[str, str]]


def export_secrets(passphrase: str) -> tuple[bytes, int]:
    """Raises InvalidToken when one cannot be read: an incomplete file would be found too late."""
    values = {
        f"{model._meta.label}.{name}": {
            str(pk): decrypt(token) for pk, token in _stored(model, name) if token
        }
        for model, name in encrypted_columns()
    }
    whole = Secrets(_devices(), values)
    target = io.BytesIO()
    seal([msgspec.json.encode(whole)], target, passphrase)
    return target.getvalue(), sum(len(each) for each in values.values())


@transaction.atomic
def import_secrets(sealed: bytes, passphrase: str) -> dict[str, int]:
    """Put back what cannot be read any more: all, or nothing. Raises OtherInstallation, NotOpened.

    Returns how many values were put back, could be read anyway, and are not in the file.
    """
    text = b"".join(unseal(io.BytesIO(sealed), passphrase))
    held = msgspec.json.decode(text, type=Secrets)
    known = _devices()
    if any(known.get(pk) != name for pk, name in held.devices.items()):
        raise OtherInstallation("The file names devices that are not here.")
    counts = {"put back": 0, "readable": 0, "not in the file": 0}
    for model, name in encrypted_columns():
        values = held.values.get(f"{model._meta.label}.{name}", {})
        for pk, token in _stored(model, name):
            counts[_mend(model, name, pk, token, values.get(str(pk)))] += bool(token)
    return counts


def _mend(model: Any, name: str, pk: Any, token: str, value: str | None) -> str:
    if _is_readable(token):
        return "readable"
    if value is None:
        return "not in the file"
    model._base_manager.filter(pk=pk).update(**{name: value})
    return "put back"


def _is_readable(token: str) -> bool:
    try:
        decrypt(token)
    except InvalidToken:
        return False
    return True


def _stored(model: Any, name: str) -> Any:
    """Cast keeps the field from decrypting it."""
    rows = model._base_manager.annotate(stored=Cast(name, models.TextField()))
    return rows.order_by("pk").values_list("pk", "stored")


def _devices() -> dict[str, str]:
    rows = Device.objects.values_list("pk", "company__pin", "serial")
    return {str(pk): f"{pin} {serial}" for pk, pin, serial in rows}
