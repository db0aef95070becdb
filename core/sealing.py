"""A stream under a passphrase: AES-256-GCM in chunks, each bound to its place and to the end.

A chunk that was changed, moved or left out, and a file that was cut, are all noticed before their
bytes are given out.
"""

import os
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

MAGIC = b"ETIMSEAL1\n"
CHUNK = 1_048_576
SHORTEST_PASSPHRASE = 12
_TAG = 16


class NotOpened(Exception):
    """The passphrase is wrong, or the file was damaged. The text says which, where it can."""


def _cipher(passphrase: str, salt: bytes) -> AESGCM:
    key = Scrypt(salt=salt, length=32, n=2**16, r=8, p=1).derive(passphrase.encode())
    return AESGCM(key)


def _nonce(prefix: bytes, number: int, *, is_last: bool) -> bytes:
    return prefix + struct.pack(">IB", number, is_last)


def seal(parts: Iterable[bytes], target: BinaryIO, passphrase: str) -> None:
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise NotOpened(f"A passphrase has at least {SHORTEST_PASSPHRASE} characters.")
    salt, prefix = os.urandom(16), os.urandom(7)
    head = MAGIC + salt + prefix
    cipher = _cipher(passphrase, salt)
    target.write(head)
    number, waiting = 0, bytearray()
    for part in parts:
        waiting += part
        # What fills a chunk exactly waits: it may be the last.
        while len(waiting) > CHUNK:
            nonce = _nonce(prefix, number, is_last=False)
            target.write(cipher.encrypt(nonce, bytes(waiting[:CHUNK]), head))
            del waiting[:CHUNK]
            number += 1
    target.write(cipher.encrypt(_nonce(prefix, number, is_last=True), bytes(waiting), head))


def unseal(source: BinaryIO, passphrase: str) -> Iterator[bytes]:
    """Raises NotOpened. What was given out before was genuine; all of it only at the end."""
    head = source.read(len(MAGIC) + 23)
    if len(head) < len(MAGIC) + 23 or not head.startswith(MAGIC):
        raise NotOpened("This is no sealed file.")
    prefix = head[-7:]
    cipher = _cipher(passphrase, head[len(MAGIC) : -7])
    number, chunk = 0, source.read(CHUNK + _TAG)
    while True:
        following = source.read(CHUNK + _TAG)
        nonce = _nonce(prefix, number, is_last=not following)
        try:
            yield cipher.decrypt(nonce, chunk, head)
        except InvalidTag as exc:
            first = "The passphrase is wrong, or the file is damaged or cut."
            raise NotOpened(first if number == 0 else "The file is damaged or cut.") from exc
        if not following:
            return
        number, chunk = number + 1, following
