"""Two kinds of clients that spend little CPU of their own: as fast as can be, and a till's pace.

Plain sockets: an HTTP library would cost as much as the server that is measured.
"""

import re
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.report import percentile

LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
TIMEOUT_S = 40.0


@dataclass
class Result:
    """Times of the answers in ms, and how many came with which status."""

    times: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds

    def at(self, percent: float) -> float:
        return percentile(self.times, percent)

    def note(self, status: int, ms: float) -> None:
        self.statuses[status] += 1
        self.times.append(ms)

    def check(self, *allowed: int) -> "Result":
        wrong = {status: n for status, n in self.statuses.items() if status not in allowed}
        if wrong or not self.times:
            raise RuntimeError(f"{len(self.times)} answers, of them unexpected: {wrong}")
        return self


class Connection:
    """One keep-alive connection; one request at a time."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> None:
        self.answer = bytearray()
        self.whole = 0
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Read what is there; True once the answer is complete."""
        piece = self.socket.recv(262_144)
        if not piece:
            raise ConnectionError("The server closed a connection that was to be kept alive.")
        self.answer += piece
        if not self.whole:
            self.whole = self._length()
        return 0 < self.whole <= len(self.answer)

    def _length(self) -> int:
        end = self.answer.find(b"\r\n\r\n")
        if end < 0:
            return 0
        found = LENGTH.search(self.answer, 0, end)
        if found is None:
            raise ConnectionError("An answer without Content-Length.")
        return end + 4 + int(found[1])

    def ask(self, request: bytes) -> tuple[int, float]:
        """Send and wait; the status and the milliseconds."""
        self.send(request)
        while not self.receive():
            pass
        return self.status, self.ms

    @property
    def status(self) -> int:
        return int(self.answer[9:12])

    @property
    def body(self) -> bytes:
        return bytes(self.answer).partition(b"\r\n\r\n")[2]

    @property
    def ms(self) -> float:
        return (time.perf_counter() - self.sent_at) * 1000


def hammer(
    port: int, request: Callable[[], bytes], *, seconds: float, connections: int = 8
) -> Result:
    """Each connection sends its next request as soon as it has its answer."""
    result = Result()
    selector = selectors.DefaultSelector()
    for one in [Connection(port) for _ in range(connections)]:
        selector.register(one.socket, selectors.EVENT_READ, one)
        one.send(request())
    started = time.perf_counter()
    until = started + seconds
    while selector.get_map():
        ready = selector.select(TIMEOUT_S)
        if not ready:
            raise TimeoutError("The server does not answer any more.")
        for key, _ in ready:
            _go_on(key.data, result, request, selector, until)
    result.seconds = time.perf_counter() - started
    return result


def _go_on(
    one: Connection,
    result: Result,
    request: Callable[[], bytes],
    selector: selectors.BaseSelector,
    until: float,
) -> None:
    if not one.receive():
        return
    result.note(one.status, one.ms)
    if time.perf_counter() < until:
        one.send(request())
    else:
        selector.unregister(one.socket)
        one.socket.close()


class Till(threading.Thread):
    """Sells every half second, or when the last sale is answered if that is later."""

    every_s = 0.5

    def __init__(self, port: int, request: Callable[[], bytes], *, delay: float, seconds: float):
        super().__init__(daemon=True)
        self.connection = Connection(port)
        self.request = request
        self.first = time.perf_counter() + delay
        self.until = self.first + seconds
        self.result = Result(seconds=seconds)
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            self._sell()
        except BaseException as failure:  # told to whoever waits for us
            self.failure = failure

    def _sell(self) -> None:
        turn = self.first
        while turn < self.until:
            time.sleep(max(0.0, turn - time.perf_counter()))
            self.result.note(*self.connection.ask(self.request()))
            missed = int(max(0.0, time.perf_counter() - turn) / self.every_s)
            turn += (missed + 1) * self.every_s
        self.connection.socket.close()


def sell(port: int, requests: Sequence[Callable[[], bytes]], *, seconds: float) -> Result:
    """Tills side by side, one for each maker of requests, out of step with each other."""
    step = Till.every_s / len(requests)
    tills = [
        Till(port, request, delay=place * step, seconds=seconds)
        for place, request in enumerate(requests)
    ]
    total = Result(seconds=seconds)
    for till in tills:
        till.start()
    for till in tills:
        till.join()
        if till.failure is not None:
            raise till.failure
        total.times += till.result.times
        total.statuses += till.result.statuses
    return total
