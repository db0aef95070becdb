"""The same doubts behind TLS, where a failure may come from the handshake or from the answer."""

import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kra.errors import OutcomeUnknown, Unavailable
from kra.profiles import Host
from kra.tests.server import Server, hang_up, reply, reset

BODY = b'{"tin":"A123456789Z","bhfId":"00"}'
OK = b'{"resultCd":"000"}'


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with a key and a certificate of its own making for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "loopback.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def server(certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = Server(context)
    yield server
    server.stop()


@pytest.fixture
def trusted(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.mark.usefixtures("trusted")
def test_it_keeps_secure_connections_open(server, client, direct):
    server.script.extend([reply(OK), reply(OK)])

    client.post(direct, "sales_save", BODY)

    assert client.post(direct, "sales_save", BODY).body == OK
    assert [request.connection for request in server.requests] == [1, 1]


def test_nothing_was_sent_to_a_stranger(server, client, direct):
    with pytest.raises(Unavailable) as caught:
        client.post(direct, "sales_save", BODY)

    assert caught.value.code == "tls_failed"
    assert server.requests == []


@pytest.mark.usefixtures("trusted")
def test_nothing_was_sent_to_another_name(server, client, direct):
    host = Host("direct", server.url.replace("127.0.0.1", "localhost"))

    with pytest.raises(Unavailable) as caught:
        client.post(replace(direct, host=host), "sales_save", BODY)

    assert caught.value.code == "tls_failed"


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("step", [reset, hang_up])
def test_it_cannot_know_once_bytes_have_left(server, client, direct, step):
    server.script.append(step)

    with pytest.raises(OutcomeUnknown) as caught:
        client.post(direct, "sales_save", BODY)

    assert caught.value.code == "connection_reset"


@pytest.mark.usefixtures("trusted")
def test_it_cannot_know_after_a_read_timeout(server, connect, direct):
    server.script.append(server.silent)

    with pytest.raises(OutcomeUnknown) as caught:
        connect(read=0.1).post(direct, "sales_save", BODY)

    assert caught.value.code == "read_timeout"
