"""Sockets that know whether a byte of the message can have left us.

urllib3's exception types do not tell: a TLS error may come from the handshake or from reading
the answer. The connection itself does: `sending` is set just before the first byte goes out.
"""

import threading
import time
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import make_headers, parse_url

# Servers close idle connections after 5 to 75 s. Younger ones are reused; urllib3 also looks
# whether the other side has hung up already.
IDLE_LIMIT_S = 15.0


class _Progress(threading.local):
    sending = False


progress = _Progress()


class _Tracked(HTTPConnection):
    used_at = 0.0

    def connect(self) -> None:
        try:
            super().connect()
        finally:
            progress.sending = False  # what a proxy was sent (CONNECT) is not our message

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        progress.sending = True
        super().send(data)

    def getresponse(self) -> Any:
        response = super().getresponse()
        self.used_at = time.monotonic()
        return response

    @property
    def is_connected(self) -> bool:
        is_fresh = not self.used_at or time.monotonic() - self.used_at < IDLE_LIMIT_S
        return is_fresh and super().is_connected

    def close(self) -> None:
        self.used_at = 0.0
        super().close()


class _TrackedTLS(_Tracked, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Tracked


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TrackedTLS


def open_pools(size: int, proxy_url: str | None = None) -> PoolManager:
    """Proxy settings of the environment are not read: only what is given counts."""
    pools = (
        PoolManager(num_pools=16, maxsize=size, block=True)
        if proxy_url is None
        else ProxyManager(
            proxy_url,
            num_pools=16,
            maxsize=size,
            block=True,
            proxy_headers=make_headers(proxy_basic_auth=parse_url(proxy_url).auth),
        )
    )
    pools.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return pools
