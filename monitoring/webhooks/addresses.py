"""Which addresses we send to: whoever may write a URL must not reach our own network with it.

A name is resolved once per attempt, every address it has is checked, and the connection goes to
the address that was checked: a name that says something else a moment later changes nothing.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# What `is_global` lets through, or leads to IPv4 by another way.
NEVER = [
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "192.88.99.0/24"),
        *("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16"),
        *("100::/64", "fec0::/10", "5f00::/16"),
    )
]
# Forms of an IPv4 address that resolvers understand and people do not: 127.1, 0x7f000001, 0177.0.1.
NUMERIC = re.compile(r"^(0x[0-9a-f]*|[0-9]+)$", re.IGNORECASE)
DOTTED = re.compile(r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$")
LABEL = re.compile(r"^(?!-)[a-z0-9_-]{1,63}(?<!-)$")
PORTS = {"https": 443, "http": 80}


class AddressRefused(Exception):
    """The URL, or an address of its host, is none that we send to. The text says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in parts, whose host is a name or an address in its plain form."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Read a URL and check all that needs no resolver. Raises AddressRefused."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise AddressRefused("The URL cannot be read.") from exc
    _check_form(url, parts)
    port = port or PORTS[parts.scheme]
    if port not in settings.WEBHOOK_PORTS:
        raise AddressRefused(f"Port {port} is not among those allowed: {settings.WEBHOOK_PORTS}.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, _host(parts.hostname or ""), port, path)


def _check_form(url: str, parts: SplitResult) -> None:
    schemes = ("https", "http") if settings.WEBHOOK_ALLOW_HTTP else ("https",)
    if parts.scheme not in schemes:
        raise AddressRefused("Only https:// is allowed.")
    if not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        raise AddressRefused("The URL holds a character that must be escaped.")
    if "@" in parts.netloc:
        raise AddressRefused("A URL must not hold a user name or a password.")
    if parts.fragment:
        raise AddressRefused("A URL must not hold a fragment (#).")
    if not parts.hostname:
        raise AddressRefused("The URL names no host.")


def _host(host: str) -> str:
    literal = _literal(host)
    if literal is not None:
        check(literal)
        return str(literal)
    labels = host.rstrip(".").split(".")
    if NUMERIC.match(labels[-1]):
        raise AddressRefused("An IPv4 address is written as four decimal numbers.")
    if not all(LABEL.match(label) for label in labels) or len(host) > 253:
        raise AddressRefused("The host's name is not valid.")
    return host.rstrip(".")


def _literal(host: str) -> Address | None:
    if "%" in host:
        raise AddressRefused("An address must not name a network interface.")
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        if DOTTED.match(host):
            raise AddressRefused("The address is not valid.") from None
        return None


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, as the system knows them. The one place that asks."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise AddressRefused(f"The name {host} is not known.") from exc
    return [str(each[4][0]) for each in found]


def checked_address(target: Target) -> str:
    """The address to connect to. One bad address among several spoils them all."""
    found = resolve(target.host, target.port)
    if not found:
        raise AddressRefused(f"The name {target.host} has no address.")
    for text in found:
        try:
            address = ipaddress.ip_address(text)
        except ValueError as exc:
            raise AddressRefused(f"{target.host} leads to {text}, which is no address.") from exc
        check(address)
    return found[0]


def check(address: Address) -> None:
    """Raises AddressRefused for all that is not the public internet, unless a setting allows it."""
    if any(address in network for network in allowed_networks()):
        return
    if any(address.version == each.version and address in each for each in NEVER):
        raise AddressRefused(f"{address} is not an address of the public internet.")
    if address.is_multicast or address.is_reserved or not address.is_global:
        raise AddressRefused(f"{address} is not an address of the public internet.")
    if getattr(address, "scope_id", None):
        raise AddressRefused(f"{address} names a network interface.")


def allowed_networks() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(text) for text in settings.WEBHOOK_ALLOWED_NETWORKS]
