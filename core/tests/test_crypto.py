"""Secrets at rest: unreadable in the database, readable under every configured key."""

import pytest
from cryptography.fernet import Fernet, InvalidToken

from core import crypto

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture
def keys(settings):
    def use(*names):
        settings.ENCRYPTION_KEYS = list(names)

    return use


@pytest.mark.parametrize("text", ["cmc-key", "ключ", "x" * 10_000, "a\x00b"])
def test_it_hides_and_shows_a_text(keys, text):
    keys(NEW)

    token = crypto.encrypt(text)

    assert text not in token
    assert crypto.decrypt(token) == text


def test_the_same_text_never_looks_the_same_twice(keys):
    keys(NEW)

    assert crypto.encrypt("cmc-key") != crypto.encrypt("cmc-key")


def test_nothing_stays_nothing(keys):
    keys(NEW)

    assert (crypto.encrypt(""), crypto.decrypt(""), crypto.rotate("")) == ("", "", "")


def test_it_reads_what_an_older_key_wrote(keys):
    keys(OLD)
    token = crypto.encrypt("cmc-key")

    keys(NEW, OLD)

    assert crypto.decrypt(token) == "cmc-key"


def test_a_rotated_text_needs_the_newest_key_alone(keys):
    keys(OLD)
    token = crypto.encrypt("cmc-key")
    keys(NEW, OLD)

    rotated = crypto.rotate(token)

    keys(NEW)
    assert crypto.decrypt(rotated) == "cmc-key"
    with pytest.raises(InvalidToken):
        crypto.decrypt(token)


def test_it_refuses_what_no_key_fits(keys):
    keys(OTHER)
    token = crypto.encrypt("cmc-key")
    keys(NEW, OLD)

    with pytest.raises(InvalidToken):
        crypto.decrypt(token)
    with pytest.raises(InvalidToken):
        crypto.rotate(token)


def test_a_field_is_plain_on_the_instance_only(keys):
    keys(NEW)
    field = crypto.EncryptedTextField()

    stored = str(field.get_prep_value("cmc-key"))

    assert Fernet(NEW).decrypt(stored.encode()) == b"cmc-key"
    assert field.from_db_value(stored, None, None) == "cmc-key"
    assert (field.get_prep_value(None), field.from_db_value(None, None, None)) == (None, None)
