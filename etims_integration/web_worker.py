"""Gunicorn's worker of threads, with two manners for tills and proxies that keep their connections.

It leaves a new connection to a less busy neighbour. The kernel wakes every worker for one, and
nearly always the same is there first: of eight, seven would stay with one process, on one core.

And it stays a moment with a connection it has just answered: under load the next request follows at
once, and to hand it from the main thread to another one costs as much as to parse it.

The nginx of deploy/ opens a connection for each request, so that a restart cuts none: there neither
does anything.
"""

import select
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

WAIT_PER_CONNECTION_S = 0.0001
LONGEST_WAIT_S = 0.002
STAYS_MS = 2


class FairWorker(ThreadWorker):  # type: ignore[misc]
    def accept(self, listener: Any) -> None:
        """Whoever has fewer connections waits shorter; who comes late finds nothing to accept."""
        time.sleep(min(self.nr_conns * WAIT_PER_CONNECTION_S, LONGEST_WAIT_S))
        super().accept(listener)

    def handle(self, conn: Any) -> Any:
        keeps = super().handle(conn)
        while keeps is True and self.alive and self._asks_again(conn):
            keeps = super().handle(conn)
        return keeps

    def _asks_again(self, conn: Any) -> bool:
        """Unless somebody waits for this thread."""
        if self.tpool._work_queue.qsize():
            return False
        look = select.poll()
        look.register(conn.sock, select.POLLIN)
        return bool(look.poll(STAYS_MS))
