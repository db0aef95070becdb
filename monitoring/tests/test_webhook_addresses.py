"""A URL must not lead into our own network, however its host is written."""

import socket
import threading

import pytest

from monitoring.webhooks import addresses, sending
from monitoring.webhooks.addresses import AddressRefused, checked_address, target_of

from .receiver import Receiver

PRIVATE = {
    "loopback": "127.0.0.1",
    "all of loopback": "127.8.9.1",
    "unspecified": "0.0.0.0",
    "this network": "0.1.2.3",
    "private 10": "10.1.2.3",
    "private 172": "172.16.0.9",
    "private 192": "192.168.1.1",
    "link-local": "169.254.169.254",
    "carrier NAT": "100.64.0.1",
    "protocol assignments": "192.0.0.8",
    "benchmark": "198.18.0.1",
    "documentation": "203.0.113.5",
    "multicast": "224.0.0.1",
    "public multicast": "233.252.1.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "IPv6 loopback": "::1",
    "IPv6 unspecified": "::",
    "IPv6 link-local": "fe80::1",
    "IPv6 private": "fd00::1",
    "IPv6 site-local": "fec0::1",
    "IPv6 multicast": "ff0e::1",
    "IPv4-mapped": "::ffff:127.0.0.1",
    "IPv4-mapped public": "::ffff:8.8.8.8",
    "IPv4-compatible": "::127.0.0.1",
    "NAT64": "64:ff9b::7f00:1",
    "NAT64 local": "64:ff9b:1::a00:1",
    "6to4": "2002:7f00:1::",
    "Teredo": "2001:0:4136:e378::1",
}
ODD = [
    *("2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1"),
    *("127.0.0.1.", "0127.0.0.1", "256.0.0.1", "1.2.3.4.5", "0", "0x", "[::1%25eth0]", "1.1.1.08"),
]


@pytest.mark.parametrize("address", PRIVATE.values(), ids=PRIVATE)
def test_it_refuses_a_private_address_in_the_url(address):
    host = f"[{address}]" if ":" in address else address

    with pytest.raises(AddressRefused):
        target_of(f"https://{host}/")


@pytest.mark.parametrize("address", PRIVATE.values(), ids=PRIVATE)
def test_it_refuses_a_name_that_leads_there(monkeypatch, address):
    monkeypatch.setattr(addresses, "resolve", lambda host, port: ["93.184.216.34", address])

    with pytest.raises(AddressRefused):
        checked_address(target_of("https://pos.example.com/"))


@pytest.mark.parametrize("host", ODD)
def test_it_refuses_other_spellings(host):
    with pytest.raises(AddressRefused):
        target_of(f"https://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        *("http://pos.example.com/", "ftp://pos.example.com/", "//pos.example.com/", "pos", ""),
        *("https://user:pw@pos.example.com/", "https://pos.example.com@127.0.0.1/"),
        *("https://pos.example.com:22/", "https://pos.example.com:99999/", "https:///x"),
        *("https://pos.example.com/#x", "https://pos.example.com\\@127.0.0.1/"),
        *("https://pos.example.com/a b", "https://pos.example.com/\r\nX: 1", "https://pös.ke/"),
        *("https://-bad.example/", "https://[::1", "https://a..b/", "https://exa%6dple.com/"),
    ],
)
def test_it_refuses_other_urls(url):
    with pytest.raises(AddressRefused):
        target_of(url)


@pytest.mark.parametrize(
    ("url", "host", "header"),
    [
        ("https://pos.example.com/a?b=c", "pos.example.com", "pos.example.com"),
        ("https://8.8.8.8:8443/", "8.8.8.8", "8.8.8.8:8443"),
        ("https://[2606:4700::1111]/", "2606:4700::1111", "[2606:4700::1111]"),
    ],
)
def test_it_takes_public_ones(url, host, header):
    target = target_of(url)

    assert (target.host, target.host_header) == (host, header)


def test_a_setting_lets_a_network_in(settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = ["192.168.7.0/24"]

    assert target_of("https://192.168.7.20/").host == "192.168.7.20"
    with pytest.raises(AddressRefused):
        target_of("https://192.168.8.20/")


@pytest.fixture
def receiver(settings):
    made = Receiver()
    settings.WEBHOOK_PORTS = [made.port]
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_TOTAL_TIMEOUT = 1.0
    yield made
    made.stop()


def test_a_name_that_changes_its_mind_is_asked_once(monkeypatch, receiver, settings):
    """DNS rebinding: public when checked, ours when used."""
    asked = []

    def resolve(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) > 1 else ["192.0.2.1"]

    settings.WEBHOOK_ALLOWED_NETWORKS = ["192.0.2.0/24"]
    settings.WEBHOOK_CONNECT_TIMEOUT = 0.3
    monkeypatch.setattr(addresses, "resolve", resolve)

    answer = sending.post(f"http://pos.test:{receiver.port}/", {}, b"{}")

    assert answer.status is None
    assert asked == ["pos.test"]
    assert receiver.requests == []


def test_it_connects_to_what_was_checked_under_its_own_name(monkeypatch, receiver, settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setattr(addresses, "resolve", lambda host, port: ["127.0.0.1"])

    answer = sending.post(f"http://pos.test:{receiver.port}/x", {}, b"{}")

    assert answer.is_success
    assert receiver.requests[0][0]["Host"] == f"pos.test:{receiver.port}"


def test_it_follows_no_redirect(receiver, settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    receiver.answers = [(302, {"Location": receiver.url}, b"")]

    answer = sending.post(receiver.url, {}, b"{}")

    assert (answer.status, answer.is_success, len(receiver.requests)) == (302, False, 1)


def test_it_reads_so_much_and_no_more(receiver, settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    receiver.answers = [(500, {"Retry-After": "7"}, b"x" * 5_000_000)]

    answer = sending.post(receiver.url, {}, b"{}")

    assert (answer.status, len(answer.body), answer.retry_after_s) == (500, 500, 7.0)


def test_a_receiver_that_drips_is_left(receiver, settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    receiver.drip = True

    answer = sending.post(receiver.url, {}, b"{}")

    assert answer.status is None
    assert answer.error == "It did not answer in time."
    assert answer.elapsed_ms < 2500


def test_what_is_no_http_is_an_answer_too(settings):
    """Never an exception: it would stop the turns of others."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.WEBHOOK_ALLOW_HTTP = True
        settings.WEBHOOK_PORTS = [server.getsockname()[1]]
        settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]

        def garble():
            taken, _ = server.accept()
            taken.recv(1000)
            taken.sendall(b"garbage\r\n\r\n")
            taken.close()

        worker = threading.Thread(target=garble)
        worker.start()
        answer = sending.post(f"http://127.0.0.1:{settings.WEBHOOK_PORTS[0]}/", {}, b"{}")
        worker.join(5)

    assert answer.status is None
    assert answer.error


def test_no_proxy_is_asked(receiver, settings, monkeypatch):
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    assert sending.post(receiver.url, {}, b"{}").is_success
