"""Log lines leave through a thread: a reader who stops reading must not stop the simulator."""

import contextlib
import logging
import os
import queue
import threading

_MOST = 20_000  # lines kept for a slow reader; newer ones are lost


class ThreadedHandler(logging.Handler):
    def __init__(self, descriptor: int) -> None:
        super().__init__()
        # The bare descriptor: a thread stuck in a buffered stream would hold its lock at exit.
        self._descriptor = descriptor
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        if self._lines.qsize() < _MOST:
            self._lines.put(self.format(record))

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # the reader has gone
            while (line := self._lines.get()) is not None:
                left = f"{line}\n".encode(errors="replace")
                while left:
                    left = left[os.write(self._descriptor, left) :]

    def close(self) -> None:
        self._lines.put(None)
        self._thread.join(timeout=1)
        super().close()


def start(descriptor: int, *, quiet: bool) -> ThreadedHandler:
    handler = ThreadedHandler(descriptor)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING if quiet else logging.INFO)
    return handler
