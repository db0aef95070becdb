"""The form of an entry: canonical JSON, hashed, chained to the one before, signed by the device's
own key. It is our evidence and never KRA's signature (docs/journal.md).
"""

import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from devices.models import Device, SigningKey

from .facts import plain

VERSION = 1
# What the first entry of a chain names as the one before it.
NOTHING = "0" * 64


@dataclass(slots=True)
class Signer:
    """A key pair with its private part decrypted: once for a batch."""

    key: SigningKey
    private: Ed25519PrivateKey

    @classmethod
    def of(cls, key: SigningKey) -> "Signer":
        return cls(key, Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key.private_key)))

    def sign(self, text: bytes) -> str:
        return self.private.sign(text).hex()


@dataclass(frozen=True, slots=True)
class Signed:
    body: str
    hash: str
    signature: str


def device_facts(device: Device) -> dict[str, str]:
    return {"pin": device.company.pin, "branch": device.branch.code, "serial": device.serial}


def seal(about: dict[str, Any], signer: Signer) -> Signed:
    """Raises rfc8785.CanonicalizationError for what JSON cannot hold."""
    text = rfc8785.dumps(about | {"v": VERSION, "key": signer.key.fingerprint})
    return Signed(text.decode(), sha256(text).hexdigest(), signer.sign(text))


def checkpoint_of(device: Device, sequence: int, hash: str, at: datetime) -> dict[str, Any]:
    return {
        "type": "checkpoint",
        "device": device_facts(device),
        "sequence": sequence,
        "hash": hash,
        "at": plain(at),
    }


def read(body: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(body)
    return content
